"""`resexp bench`: how fast this machine trains, what share of that is arithmetic, and where the rest goes."""
