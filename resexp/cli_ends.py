"""How the program ends when a command does not end by itself: in words, and with a status of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from resexp.errors import ResexpError


class Commands(TyperGroup):
    """Says that a signal ended a command; typer then leaves with status 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            raise


@contextmanager
def errors_told() -> Iterator[None]:
    """What the user did wrong is said in a line or a few, never as a traceback."""
    try:
        yield
    except ResexpError as error:
        from resexp.console import printable

        print(printable(str(error)), file=sys.stderr)
        sys.exit(error.exit_status)
