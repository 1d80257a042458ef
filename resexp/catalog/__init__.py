"""Finds the parts (connections, data sets, probes, ...) that a configuration can name, without importing
them.
"""
