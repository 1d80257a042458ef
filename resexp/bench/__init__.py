"""`resexp bench`: how fast this machine trains, how close that is to its limit, and what takes the time."""
