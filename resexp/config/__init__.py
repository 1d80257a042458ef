"""YAML and `key=value` overrides -> an Experiment whose every setting is checked, or all problems at once."""
