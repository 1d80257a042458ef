"""Tables of runs that resexp did not train: their columns are recognised and their rows checked."""
