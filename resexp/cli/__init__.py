"""The command line: commands, and everything they print."""
