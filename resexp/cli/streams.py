"""Lets a command finish its work even if standard output or standard error cannot be written."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from resexp.execution.descriptors import point_to_nowhere

REFUSED = 74
"""Exit status of a command whose results could not be printed."""


class Yielding(io.TextIOBase):
    """A text stream that passes text on to `stream`. If `stream` raises an error, the error is kept in
    `problem`, and all later text is discarded.

    It has no `buffer`, because typer would write UTF-8 into that, whatever the encoding of `stream` is.
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
        if not isinstance(text, str):  # typer writes b"" to find out what kind of stream this is
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

    def close(self) -> None:
        """Do nothing, because the stream belongs to Python. If it were closed here, Python 3.13 and later
        would print a warning when this object is collected.
        """

    def _give_up(self, problem: OSError) -> None:
        self.problem = problem
        if self._stream:
            point_to_nowhere(self._stream.fileno())

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
    """The context in which every command runs. If a command's results could not be printed, it ends with a
    message and status 74, unless its own status is an error already.

    It is not an error if the reader has closed the pipe, because the reader has seen enough. Failures of
    standard error are ignored, because nobody can be told of them.
    """
    previous = sys.stdout, sys.stderr
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
        sys.stdout, sys.stderr = previous
    if status:
        raise status
