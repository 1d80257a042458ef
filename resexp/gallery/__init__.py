"""Runs the configurations of papers that come with the package, and publishes reports of these runs."""
