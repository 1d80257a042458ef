"""Checks the contents of documents in a results folder when they are read.

A checksum shows only that bytes are unchanged, but the folder may come from somebody else, or from another
program. Thanks to the checks here, no other code meets a text where it expects a number, or a name that leads
out of the folder.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from resexp import durable
from resexp.store.fields import (
    AttemptFields,
    Checkpoint,
    Document,
    Environment,
    Failure,
    Holder,
    JobNote,
    Plan,
    Progress,
    Registration,
    Reported,
    Result,
    TrialDocument,
)
from resexp.store.row_fields import LaterProbes, MetricRow, ProbeRow

STALE_TRIES = 3
"""The most attempts to read a file that another machine replaces during each attempt."""

Read = TypeVar("Read")

_DOCUMENTS: dict[str, type[Document]] = {
    "plan.json": Plan,
    "environment.json": Environment,
    "reported.json": Reported,
    "registered.json": Registration,
    "trial.json": TrialDocument,
    "taken": Holder,
    "holder": Holder,
    "attempt": AttemptFields,
    "progress": Progress,
    "failure.json": Failure,
    "result.json": Result,
    "later-probes.json": LaterProbes,
}
_ROWS: dict[str, type[Document]] = {"metrics.jsonl": MetricRow, "probes.jsonl": ProbeRow}


def read(path: Path) -> dict[str, Any]:
    """The content of a sealed document (`durable.seal`). Raises OSError, and durable.Damaged if the checksum
    or a field that the file's name requires is wrong.
    """
    document = again_if_stale(durable.read_document, path)
    other = {"runs": Environment, "jobs": JobNote}.get(path.parent.name, Checkpoint)
    kind = _DOCUMENTS.get(path.name, other if path.suffix == ".json" else None)
    if kind is not None and (wrong := _wrong(kind, document)):
        raise durable.Damaged(wrong)
    return document


def again_if_stale(read: Callable[[Path], Read], path: Path) -> Read:
    """Read a file. If a network file system says that the file was replaced meanwhile, read the new one."""
    for _ in range(STALE_TRIES - 1):
        try:
            return read(path)
        except OSError as problem:
            if problem.errno != errno.ESTALE:
                raise
    return read(path)


def read_or_empty(path: Path) -> dict[str, Any]:
    """What `read` returns, or {} if the document is absent or damaged."""
    try:
        return read(path)
    except (OSError, durable.Damaged):
        return {}


def read_if_sound(path: Path) -> dict[str, Any]:
    """What `read` returns, or {} if the document is absent or damaged. Raises OSError if it is unreadable."""
    try:
        return read(path)
    except (FileNotFoundError, durable.NotAFile, durable.Damaged):
        return {}


def sound_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """How many rows at the beginning of the file `name` have the right fields, and what is wrong with the
    row after them ("" if all rows are right).
    """
    kind = _ROWS[name]
    if not _wrong(GenericAlias(Sequence, (kind,)), rows):  # checking all at once takes a tenth of the time
        return len(rows), ""
    count = next(i for i, row in enumerate(rows) if _wrong(kind, row))
    return count, _wrong(kind, rows[count])


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Pydantic's checker of a type. It is made once, because making it takes time."""
    return TypeAdapter(kind)


def _wrong(kind: Any, value: Any) -> str:
    """What is wrong with a value, in words; "" if nothing is."""
    try:
        adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"its {'.'.join(map(str, first['loc']))} is not what it should be ({first['msg']})"
    return ""
