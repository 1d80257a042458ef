"""The notes of a report: what a reader must know besides the numbers."""

from __future__ import annotations

from collections.abc import Iterable

from resexp.plan.status import Status
from resexp.report import frames, references, unjudged, words


def notes_of(records: frames.ReportRecords) -> list[str]:
    """All notes of a report, in the order in which they are shown."""
    told = together(records.notes, records.tried["name"])
    found = [words.clean(note) for note in (*told, *unjudged.notes(records))]
    counts = records.tried["status"].value_counts()
    left = int(counts.get(Status.RUNNING, 0) + counts.get(Status.PENDING, 0))
    if left:
        trials = "1 trial is" if left == 1 else f"{left} trials are"
        found.insert(0, f"{trials} not finished, so every number here may still change.")
    if int(counts.get(Status.FAILED, 0)) and not records.foreign:
        found.append("Failed trials are listed. Running the same command again tries them again.")
    if "mixed" in records.tried and (records.tried["mixed"] == True).any():  # noqa: E712 (may hold None)
        found.append(
            "Some trials were continued on another machine or version. The column `mixed` of the CSV file "
            "shows which."
        )
    if len(records.tried) and not frames.trained(records):
        found.append(
            "The networks were trained for one step only, so that probes could measure them as initialised. "
            "Their errors say nothing about training and are not compared."
        )
    if references.of_a_paper(records):
        found.append(
            "Published values are shown next to the measured ones. If data, size or length of training "
            "differ, a run can at most agree in direction: a smaller run is not a reproduction."
        )
    if note := records.published.get("note"):
        found.append(words.clean(note))
    return found


def together(notes: Iterable[str], trials: Iterable[str]) -> list[str]:
    """The notes, of which those that say the same of several trials, after a trial's name, are one."""
    names = frozenset(trials)
    same: dict[str, list[str]] = {}
    for note in notes:
        name, _, said = note.partition(": ")
        if name in names:
            same.setdefault(said, []).append(name)
        else:
            same.setdefault(note, [])
    return [_of(found, said) for said, found in same.items()]


def _of(trials: list[str], said: str) -> str:
    others = f" and {words.counted(len(trials) - 1, 'other trial')}" if len(trials) > 1 else ""
    return f"{trials[0]}{others}: {said}" if trials else said
