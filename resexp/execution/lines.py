"""Prints a line for each event of a run, for logs, continuous integration, scripts and notebooks."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import IO, Any, cast

from rich.console import Console

from resexp.execution.descriptors import point_to_nowhere
from resexp.execution.display import Display
from resexp.plan.error_name import error_name
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store import State
from resexp.text import clean, duration, percent


class LineDisplay(Display):
    """Prints a line when a trial starts, starts again, or ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def started(self, trial: Trial, number: int) -> None:
        again = f" (attempt {number})" if number > 1 else ""
        self._print(f"started   {trial.name}{again}")

    def again(self, trial: Trial, why: str) -> None:
        self._print(f"again     {trial.name}  {clean(why)}")

    def finished(self, trial: Trial, state: State) -> None:
        self._print(outcome(trial, state))

    def note(self, sentence: str) -> None:
        self._print(f"note      {clean(sentence)}")

    def _print(self, line: str) -> None:
        print_line(self._console, line)


class Fading:
    """Passes text on to a file. After the first write error, it discards everything: if the reader is gone or
    the disk is full, the run must still go on.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        with suppress(OSError):  # a file in memory has no descriptor
            point_to_nowhere(self._file.fileno())


def line_console() -> Console:
    """A console for `sys.stderr`, which in a notebook is the cell's output. Write errors are ignored."""
    # If `sys.stderr` is None, rich discards what is printed.
    return Console(file=cast("IO[str]", Fading(sys.stderr))) if sys.stderr else Console(stderr=True)


def print_line(console: Console, line: str) -> None:
    """Print one or more lines without breaking long ones. Control characters are shown as escapes."""
    console.print(clean(line, lines=True), markup=False, highlight=False, soft_wrap=True)


def outcome(trial: Trial, state: State) -> str:
    """A line that says how a trial ended. If it is done, a line for each note about it follows."""
    result = state.result
    if state.status is Status.DONE:
        name = error_name(trial.settings)
        train, test = (percent(result.get(f"{split}_error")) for split in ("train", "test"))
        errors = f"train {name} {train}  test {name} {test}"
        line = f"done      {trial.name}  {errors}  {duration(result.get('seconds'))}"
        return "\n".join([line, *(f"note      {clean(note)}" for note in state.notes)])
    if state.status.ended:
        return f"{state.status:<9} {trial.name}  {clean(state.cause or 'no cause given')}"
    return f"stopped   {trial.name}  the next run continues it"
