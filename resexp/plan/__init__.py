"""Turns an experiment into trials: their identities, names, groups of seeds, and which parts fit together."""
