"""Loaded by a server: a system that has no process to give for the first six times."""

import os

REFUSALS = iter(range(6))
fork = os.fork


def sometimes() -> int:
    if next(REFUSALS, None) is None:
        return fork()
    raise BlockingIOError(11, "Resource temporarily unavailable")


os.fork = sometimes
