"""Standard output and standard error that may refuse what is written to them, without ending the command."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

REFUSED = 74


class Yielding(io.TextIOBase):
    """A stream that remembers why it was refused and drops the rest, so that the command finishes its work.

    It has no `buffer`: typer would write UTF-8 into that, whatever encoding the reader asked for.
    """

    encoding: str = "utf-8"
    errors: str | None = "replace"

    def __init__(self, stream: TextIO | None) -> None:
        self.problem: OSError | None = None
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="replace")
        if stream:
            self.encoding, self.errors = stream.encoding, stream.errors

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):  # typer tries b"" on a stream, to find out of which kind it is
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text and not self.problem:
            try:
                if self._stream is None:
                    raise OSError(errno.EBADF, "it is closed")
                self._stream.write(text)
            except OSError as problem:
                self._give_up(problem)
        return len(text)

    def flush(self) -> None:
        if self._stream and not self.problem:
            try:
                self._stream.flush()
            except OSError as problem:
                self._give_up(problem)

    def _give_up(self, problem: OSError) -> None:
        """Point the descriptor to nowhere: what Python still holds of the text is flushed when it ends."""
        self.problem = problem
        if self._stream:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._stream and self._stream.isatty())

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()


@contextmanager
def refusals_told() -> Iterator[None]:
    """Every command passes through here. One whose results could not be printed says so and ends with 74,
    unless it has a status that says more. A reader that leaves early has seen all that it wanted, and what
    standard error refuses cannot be told to anybody.
    """
    before = sys.stdout, sys.stderr
    out, err = Yielding(sys.stdout), Yielding(sys.stderr)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    status: SystemExit | None = None
    try:
        try:
            yield
        except SystemExit as end:
            status = end
        out.flush()
        if out.problem and not isinstance(out.problem, BrokenPipeError):
            print(
                f"Standard output cannot be written: {out.problem.strerror or out.problem}.", file=sys.stderr
            )
            if not (status and status.code):
                status = SystemExit(REFUSED)
        err.flush()
    finally:
        sys.stdout, sys.stderr = before
    if status:
        raise status
