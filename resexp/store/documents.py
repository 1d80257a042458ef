"""Checks the contents of documents in a results folder when they are read.

A checksum shows that bytes are unchanged, but the folder may come from somebody else or from another program.
After the checks here, no other code meets a text instead of a number, or a name that leads out of the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any

from pydantic import TypeAdapter, ValidationError

from resexp import durable
from resexp.store.fields import (
    AttemptFields,
    Checkpoint,
    Document,
    Environment,
    Failure,
    LaterProbes,
    MetricRow,
    Plan,
    ProbeRow,
    Progress,
    Registration,
    Reported,
    Result,
    TrialDocument,
)

_DOCUMENTS: dict[str, type[Document]] = {
    "plan.json": Plan,
    "environment.json": Environment,
    "reported.json": Reported,
    "registered.json": Registration,
    "trial.json": TrialDocument,
    "attempt": AttemptFields,
    "progress": Progress,
    "failure.json": Failure,
    "result.json": Result,
    "later-probes.json": LaterProbes,
}
_ROWS: dict[str, type[Document]] = {"metrics.jsonl": MetricRow, "probes.jsonl": ProbeRow}


def read(path: Path) -> dict[str, Any]:
    """A sealed document, checked for the fields that its file name requires. Raises Damaged, OSError."""
    document = durable.read_document(path)
    other = Environment if path.parent.name == "runs" else Checkpoint
    kind = _DOCUMENTS.get(path.name, other if path.suffix == ".json" else None)
    if kind is not None and (wrong := _wrong(kind, document)):
        raise durable.Damaged(wrong)
    return document


def read_or_empty(path: Path) -> dict[str, Any]:
    """A sealed document; {} if it is absent or damaged, as it may be while another process replaces it."""
    try:
        return read(path)
    except (OSError, durable.Damaged):
        return {}


def sound_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """How many first rows of the file `name` have the right fields, and what is wrong with the next."""
    kind = _ROWS[name]
    if not _wrong(GenericAlias(Sequence, (kind,)), rows):  # all at once takes a tenth of the time
        return len(rows), ""
    count = next(i for i, row in enumerate(rows) if _wrong(kind, row))
    return count, _wrong(kind, rows[count])


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _wrong(kind: Any, value: Any) -> str:
    """What is wrong with a value, in words; "" if nothing is."""
    try:
        adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"its {'.'.join(map(str, first['loc']))} is not what it should be ({first['msg']})"
    return ""
