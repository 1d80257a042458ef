"""File descriptors 0 to 2, which every process and library takes for standard input, output and error."""

from __future__ import annotations

import os
import sys


def open_standard_descriptors() -> None:
    """Open /dev/null on each of the descriptors 0 to 2 that is closed. Otherwise the next file or connection
    to be opened would get that number, and would be written to or closed as if it were the terminal.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    # Python's streams are None if their descriptor was closed. Standard output stays None, so that a command
    # that prints a result notices that nobody reads it.
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def point_to_nowhere(descriptor: int) -> None:
    """Discard everything that is written to an open descriptor from now on, and what Python still buffers."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
