"""Answers questions before a run: what networks cost, how long a sweep takes, how many trials fit at once."""
