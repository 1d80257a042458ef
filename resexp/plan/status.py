"""The statuses that a trial can have."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a trial. Its text is what result files, tables and CSV files contain."""

    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    RUNNING = "running"
    PENDING = "pending"

    @property
    def finished(self) -> bool:
        """Whether the trial needs no more training: it is done, or it has diverged."""
        return self in (Status.DONE, Status.DIVERGED)

    @property
    def ended(self) -> bool:
        """Whether no process will work on the trial before the next run: it is finished, or it failed."""
        return self.finished or self is Status.FAILED
