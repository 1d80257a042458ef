"""Measures and estimates before a run: costs of networks, the time of a sweep, and how many
trials at once.
"""
