"""Decides whether a sweep should stop early, because its next trials would fail, too."""

from __future__ import annotations

from resexp.store import State

ALIKE = 3
"""A sweep should stop if the first ALIKE trials to end have all failed in the same way."""


class Failures:
    """How the trials of a sweep have ended, as far as it says how the next ones will end."""

    def __init__(self) -> None:
        self._first: list[State] = []
        self._full: str | None = None

    def note(self, state: State) -> None:
        """Note the state of a trial that has ended."""
        if len(self._first) < ALIKE:
            self._first.append(state)
        if state.failure.get("kind") == "disk":
            self._full = state.cause

    def reason(self) -> str | None:
        """Why the sweep should stop; None if it should go on."""
        others = "or add --keep-going to run the others anyway"
        if self._full:
            return f"a trial had no room on the disk ({self._full}); make room, {others}"
        if cause := self._alike():
            return f"the first {ALIKE} trials failed in the same way ({cause}); fix the cause, {others}"
        return None

    def _alike(self) -> str | None:
        """The cause of the failure of all first trials, if they failed in the same way."""
        # Running out of memory does not count: the most expensive trials come first, and others may fit.
        ways = {(state.failure.get("kind"), state.cause) for state in self._first}
        kind, cause = next(iter(ways), (None, None))
        return None if len(self._first) < ALIKE or len(ways) > 1 or kind in (None, "oom") else cause
