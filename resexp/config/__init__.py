"""Turns YAML and `key=value` overrides into a checked Experiment, or reports all problems at once."""
