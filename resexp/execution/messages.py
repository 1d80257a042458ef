"""Receives the messages of a process that starts trials for this one."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection


def receive(
    control: Connection, seconds: float, hear: Callable[..., None], lose: Callable[[], object]
) -> None:
    """Call `hear` with each message that has arrived, waiting for the first one for at most `seconds`.

    If the other process has ended, `lose` is called. If `hear` or a signal handler raises an error, `lose` is
    called first, because half a message may be left in the connection.
    """
    try:
        while True:
            try:
                if not control.poll(seconds):
                    return
                message = control.recv()
            except (EOFError, OSError):
                break
            hear(*message)
            seconds = 0
    except BaseException:
        lose()
        raise
    lose()
