"""Tables of runs that resexp did not train: what their columns are, whether their rows are sound."""
