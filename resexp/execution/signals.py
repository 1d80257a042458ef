"""Notes the signals that ask a run to stop, such as SIGTERM.

The loop of `supervise` (`supervisor.py`) sees the note and calls `Sweep.stop`, which sends SIGTERM to the
workers. The workers' own handler (`worker.py`) notes this signal, and `TrainingLoop.advance` then saves a
checkpoint and ends.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that terminals and batch systems send to whole process groups."""


@contextmanager
def stop_signals(may_raise: Callable[[], bool]) -> Iterator[Callable[[], int | None]]:
    """Note stop signals (SIGINT, SIGTERM, SIGHUP) instead of ending. Yields a function that returns the first
    signal that has come, or None.

    A second signal raises KeyboardInterrupt. The first signal raises it too if `may_raise()` says that no
    work would be lost. Only the main thread can handle signals, so in another thread no signal is noted.
    """
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1 or may_raise():
            raise KeyboardInterrupt

    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        wanted = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it, and the run must go on
            wanted.append(signal.SIGHUP)
        previous = {number: signal.signal(number, note) for number in wanted}
    try:
        yield lambda: seen[0] if seen else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
