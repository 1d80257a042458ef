"""Finds half-done trials that a run would begin again, because it cannot use their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from resexp.errors import ConfigError
from resexp.plan.trial import Trial
from resexp.store.documents import read_or_empty
from resexp.store.layout import ExperimentFolder
from resexp.text import counted

MOST = 3
"""The most trials that a sentence names."""


def begun_otherwise(experiment: Path, trials: Iterable[Trial], threads: int, torch: str) -> list[str]:
    """A sentence for each other version of PyTorch with which half-done trials were begun, because they begin
    again with this one.

    Raises ConfigError if they were begun with another number of threads, because one mistyped option would
    lose hours of work.
    """
    trials = list(trials)
    for begun, names in _begun_with_other(experiment, trials, "threads", str(threads)):
        one = len(names) == 1
        wrong = (
            f"{threads}, but {_half_done(names)} begun with {begun}, and would begin again from "
            f"{'its first step' if one else 'their first steps'}"
        )
        right = (
            f"give --threads {begun} to continue, or --allow-environment-change to continue with {threads} "
            f"(the {'result' if one else 'results'} will say mixed). To begin again, delete the "
            f"{'folder of this trial' if one else 'folders of these trials'} in {experiment / 'trials'}"
        )
        raise ConfigError.of("command line", "--threads", wrong, right)
    return [
        f"{_half_done(names)} begun with torch {begun}, and {'begins' if len(names) == 1 else 'begin'} again "
        f"with {torch}. --allow-environment-change continues such trials, and marks their results as mixed."
        for begun, names in _begun_with_other(experiment, trials, "torch", torch)
    ]


def _half_done(names: list[str]) -> str:
    named = ", ".join(names if len(names) <= MOST else [*names[:MOST], "..."])
    return f"{counted(len(names), 'half-done trial')} ({named}) {'was' if len(names) == 1 else 'were'}"


def _begun_with_other(
    experiment: Path, trials: Iterable[Trial], key: str, now: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield each other value of this key of the newest checkpoints' fingerprints, with the trials' names."""
    folder, found = ExperimentFolder(experiment), dict[str, list[str]]()
    for trial in trials:
        for newest in folder.trial(trial).checkpoints()[-1:]:
            begun = str((read_or_empty(newest).get("fingerprint") or {}).get(key, now))
            if begun.partition("+")[0] != now.partition("+")[0]:  # without builds, such as 2.14.1+cu130
                found.setdefault(begun, []).append(trial.name)
    yield from found.items()
