"""Measures and estimates before a run: what networks cost, how long the sweep will take, and how many trials
should run at once.
"""
