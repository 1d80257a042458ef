"""Experiment -> trials as values: identities, names, groups of seeds, and which parts go together."""
