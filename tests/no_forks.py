"""Loaded by a server: a system that has no process to give."""

import os


def refuse() -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


os.fork = refuse
