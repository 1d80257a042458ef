"""Finds the parts that a configuration can name, the package's and the user's, in their syntax trees."""
