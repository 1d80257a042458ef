"""Ends the program with a message and the right exit status if a command fails or is interrupted."""

from __future__ import annotations

import atexit
import datetime  # noqa: F401 (pydantic imports it from Rust, and would panic if a signal came just then)
import gc
import inspect
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from resexp.cli.mistyped import usage_advice
from resexp.errors import ConfigError, ResexpError


class Commands(TyperGroup):
    """The group of all commands. If a signal ends a command, "Interrupted." is printed, and Typer exits with
    status 130. A command that was typed wrongly ends with one line, as all mistakes of users do. A command's
    help is wrapped at the width of the terminal, and not where its lines end in the source.
    """

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        groups = [self, *(group for group in self.commands.values() if isinstance(group, TyperGroup))]
        for command in (command for group in groups for command in group.commands.values()):
            command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(command.help or "")) or None

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _usage_errors_reported():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _usage_errors_reported():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            raise


@contextmanager
def _usage_errors_reported() -> Iterator[None]:
    """Print what is wrong with a command line that click does not accept, and exit with click's status."""
    try:
        yield
    except Exception as error:
        # Later versions of typer contain a copy of click, so its classes are recognised by their names.
        name = type(error).__name__
        if name == "NoArgsIsHelpError" or not hasattr(error, "format_message"):
            raise
        print(usage_advice(error), file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))


@contextmanager
def errors_told() -> Iterator[None]:
    """Print the user's mistakes as one or a few lines, never as a traceback."""
    try:
        _refuse_a_lost_folder()
        yield
    except ResexpError as error:
        from resexp.cli.console import printable

        lines = map(str, error.problems) if isinstance(error, ConfigError) else [str(error)]
        print("\n".join(f"error: {printable(line)}" for line in lines), file=sys.stderr)
        sys.exit(error.exit_status)


def _refuse_a_lost_folder() -> None:
    """Raises ConfigError if the current folder was deleted. PyTorch would end the process silently."""
    try:
        os.getcwd()
    except OSError:
        raise ConfigError.of("current folder", "", "it is gone", "change to a folder that exists") from None


@contextmanager
def ended_by_a_signal() -> Iterator[None]:
    """Exit with status 130 if a signal has ended the command, and show no traceback at another Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        atexit.register(_end_at_once)  # registered last, so that it is called first


def collect_garbage_rarely() -> None:
    """Let Python search for unreachable objects once per 100,000 new objects instead of once per 700. A plan
    of 20,000 trials spent 40 % of its time on these searches.
    """
    gc.set_threshold(100_000, 20, 20)


def _end_at_once() -> None:
    """Let Ctrl-C end the process without a traceback from now on."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
