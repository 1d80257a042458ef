"""Finds half-done trials that a run would begin again, because it cannot use their checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from resexp.errors import ConfigError
from resexp.plan.trial import Trial
from resexp.store.documents import read_or_empty
from resexp.store.layout import ExperimentFolder
from resexp.store.submitted import submitted
from resexp.text import counted

MOST = 3
"""The most trials that a sentence names."""


def begun_otherwise(
    experiment: Path, trials: Iterable[Trial], kinds: Collection[str], threads: int, torch: str
) -> list[str]:
    """A sentence for each other version of PyTorch and each other kind of device with which half-done trials
    were begun, because they begin again with this one. `kinds` are the kinds of device on which trials will
    run, such as "cpu". It is empty if only other machines know them.

    Raises ConfigError if others were begun with another number of threads, because one mistyped option would
    lose hours of work.
    """
    by_change, by_threads = dict[tuple[str, str], list[str]](), dict[str, list[str]]()
    jobs = submitted(experiment)  # the run adopts these, and they go on as they were begun
    here = [trial for trial in trials if trial.id not in jobs]
    for name, checkpoints in _half_done(ExperimentFolder(experiment), here):
        # An older checkpoint is used if the newest one was written in another environment.
        changes = [_change(begun, kinds, torch) for begun in checkpoints]
        if None in changes:
            begun = checkpoints[changes.index(None)]
            by_threads.setdefault(str(begun.get("threads", threads)), []).append(name)
        elif changes[0]:
            by_change.setdefault(changes[0], []).append(name)
    if by_threads.keys() - {str(threads)}:
        raise _other_threads(by_threads, str(threads), experiment / "trials")
    return [
        f"{_named(names)} begun {before}, and {'begins' if len(names) == 1 else 'begin'} again {now}. "
        "--allow-environment-change continues such trials, and marks their results as mixed."
        for (before, now), names in by_change.items()
    ]


def _other_threads(by_threads: Mapping[str, list[str]], threads: str, folder: Path) -> ConfigError:
    """The error if trials in this folder were begun with other threads. `by_threads` has the names of all
    half-done trials that this version can continue.
    """
    others = [number for number in by_threads if number != threads]
    names = [name for number in others for name in by_threads[number]]
    one = len(names) == 1
    wrong = (
        f"{threads}, but {_named(names)} begun with {' or '.join(others)}, and would begin again "
        f"from {'its first step' if one else 'their first steps'}"
    )
    # If trials were begun with several numbers, none of these numbers continues all of them.
    same = f"--threads {others[0]} to continue, or " if len(by_threads) == 1 else ""
    right = (
        f"give {same}--allow-environment-change to continue with {threads} "
        f"(the {'result' if one else 'results'} will say mixed). To begin again, delete the "
        f"{'folder of this trial' if one else 'folders of these trials'} in {folder}"
    )
    return ConfigError.of("command line", "--threads", wrong, right)


def _named(names: list[str]) -> str:
    named = ", ".join(names if len(names) <= MOST else [*names[:MOST], "..."])
    return f"{counted(len(names), 'half-done trial')} ({named}) {'was' if len(names) == 1 else 'were'}"


def _change(begun: Mapping[str, Any], kinds: Collection[str], torch: str) -> tuple[str, str] | None:
    """The environment of a checkpoint and that of now, if training cannot continue from it. The number of
    threads is not compared.
    """
    version, kind = str(begun.get("torch", torch)), begun.get("device")
    if _release(version) != _release(torch):
        return f"with torch {version}", f"with {torch}"
    if kind and kinds and kind not in kinds:
        return f"on {kind}", f"on {' or '.join(kinds)}"
    return None


def _half_done(
    folder: ExperimentFolder, trials: Iterable[Trial]
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield each half-done trial's name, with the fingerprints of its checkpoints that can be read, the
    newest first.
    """
    for trial in trials:
        sidecars = reversed(folder.trial(trial).checkpoints())
        begun = [found for each in sidecars if (found := read_or_empty(each).get("fingerprint"))]
        if begun:
            yield trial.name, begun


def _release(version: str) -> str:
    """A version of PyTorch without its build, such as 2.14.1 for 2.14.1+cu130."""
    return version.partition("+")[0]
