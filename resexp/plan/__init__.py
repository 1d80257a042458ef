"""Turns a checked configuration into trials, each with an identity, a name and a label for reports."""
