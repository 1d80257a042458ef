"""Configurations of papers that come with the package, and the gallery of their reports."""
