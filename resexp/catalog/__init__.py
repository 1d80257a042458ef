"""The parts that a configuration can name: the package's and the user's, found by reading syntax trees."""
