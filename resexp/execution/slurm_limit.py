"""Keeps the arrays of a run within one common limit, `--jobs`, even while no process watches them.

Slurm limits how many elements of one array run at a time, but users cannot set a limit for several arrays
together. Therefore each array waits until all earlier ones have ended (`--dependency=afterany`). When the
earlier arrays have fewer elements left than the limit allows, the run lets the next array begin with the rest
of the limit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress

from resexp.execution.slurm_batch import Batch
from resexp.execution.slurm_job import slurm


class Limit:
    """Lets at most `jobs` elements run at a time; None: any number."""

    def __init__(self, jobs: int | None) -> None:
        self.jobs = jobs
        self._allowed: dict[str, int] = {}

    def of_new(self, live: Sequence[Batch]) -> tuple[int | None, tuple[str, ...]]:
        """The throttle of a new array, and the options that make it wait for the end of the arrays `live`."""
        ids = [batch.id for batch in live if batch.id]
        if self.jobs is None or not ids:
            return self.jobs, ()
        return self.jobs, (f"--dependency={_after(ids)}",)

    def submitted(self, batch: Batch, *, waits: bool) -> None:
        """Note how many elements of a new array may run now: none while it waits for other arrays."""
        if self.jobs is not None:
            self._allowed[batch.id] = 0 if waits else self.jobs

    def share(self, batches: Iterable[Batch]) -> None:
        """Divide the limit among the arrays, the oldest first. Adopted arrays may have had another limit."""
        if self.jobs is None:
            return
        left, earlier = self.jobs, list[str]()
        for batch in sorted(batches, key=lambda each: int(each.id)):
            known, open = self._allowed.get(batch.id), batch.open()
            if batch.waiting():
                if left > 0 and (known is None or known < min(left, open)):
                    self._set(batch.id, left, "Dependency=")
                elif left <= 0 and known is None:
                    self._set(batch.id, 0, f"Dependency={_after(earlier)}")
            left -= open
            earlier.append(batch.id)

    def _set(self, id: str, allowed: int, dependency: str) -> None:
        # If the controller does not answer, this is repeated.
        with suppress(OSError, subprocess.SubprocessError):
            throttle = f"ArrayTaskThrottle={allowed or self.jobs}"
            slurm("scontrol", "update", f"JobId={id}", throttle, dependency)
            self._allowed[id] = allowed


def _after(ids: Iterable[str]) -> str:
    return f"afterany:{':'.join(ids)}"
