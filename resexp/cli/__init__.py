"""The commands, and everything that is printed while they work."""
