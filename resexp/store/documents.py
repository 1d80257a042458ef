"""What the documents of a results folder must hold: a checksum says that bytes are whole, not what they mean.

A folder may come from somebody else, or from a program that is not this one. What is read is checked here, in
one place, so that nothing behind it meets a text for a number, or a name that leads out of the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, TypeAdapter, ValidationError

from resexp import durable


def _plain(text: str) -> str:
    if text in ("", ".", "..") or "/" in text or "\0" in text or len(text) > 200:
        raise ValueError("is no plain name of a file")
    return text


Text = InstanceOf[str]
"""Any text: names of files may hold what is no Unicode, which pydantic's own type refuses."""
Plain = Annotated[Text, AfterValidator(_plain)]
"""A name that becomes part of a path: it must not lead out of the results folder."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(strict=True)] | None
"""A finite number, NaN, an infinity, or nothing."""
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None
"""What a clock or a counter says: a finite number that is not below 0, or nothing."""


class Document(BaseModel):
    """One document; keys that are not named here may hold anything."""

    model_config = ConfigDict(strict=True, extra="ignore", protected_namespaces=(), defer_build=True)


class Extent(Document):
    bytes: Count
    crc: Count


Extents = dict[Literal["metrics.jsonl", "probes.jsonl"], Extent]


def _settings(value: dict[Any, Any]) -> dict[Any, Any]:
    """Settings are checked by hand: as models, those of 20,000 trials would take two seconds."""
    model, training, probes = (value.get(key) or {} for key in ("model", "training", "probes"))
    if not isinstance(model, dict) or not isinstance(training, dict) or not isinstance(probes, list | dict):
        raise ValueError("has a model, training or probes of another kind")  # noqa: TRY004  (for pydantic)
    parts = [value[key] for key in ("data", "task", "model") if key in value]
    parts += [model[key] for key in ("connection",) if key in model]
    parts += [training[key] for key in ("optimizer", "schedule") if key in training]
    counts = [model.get("depth"), *(training.get(key) for key in ("epochs", "iterations", "batch_size"))]
    if not (
        all(isinstance(part, dict) and isinstance(part.get("kind"), str) for part in (*parts, *probes))
        and all(count is None or (type(count) is int and 0 <= count < 2**63) for count in counts)
        and isinstance(training.get("precision", ""), str)
        and all(isinstance(probe.get("at"), list) and all(map(_number, probe["at"])) for probe in probes)
    ):
        raise ValueError("has a part without a kind, or a size that is no number")
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


class CostFields(Document):
    model_config = ConfigDict(extra="forbid")
    params: Count
    macs: Count
    activation_bytes: Count
    evaluation_bytes: Count = 0
    evaluated_at_once: Count = 0


class TrialFields(Document):
    model_config = ConfigDict(extra="forbid")

    id: Plain
    name: Plain
    connection: Text
    variant: Text
    depth: Count
    seed: Count
    settings: Annotated[dict[Any, Any], AfterValidator(_settings)]
    axes: dict[Text, Any] = {}
    cost: CostFields | None = None
    tuned: dict[Text, Any] = {}
    plugins: dict[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], Plain] = {}
    numerics: dict[Text, Count] = {}
    data: Text = ""


class TrialDocument(Document):
    trial: TrialFields


class Plan(Document):
    format: Count
    config_sha256: Text
    trials: list[TrialFields]
    notes: list[Text] = []
    overrides: list[Text] = []
    aside: list[Text] = []
    published: dict[Text, Any] = {}
    references: list[Any] = []


class Environment(Document):
    date: Text = ""


class AttemptFields(Document):
    attempt: Count
    run: Plain


class Progress(Document):
    attempt: Count
    epoch: Count
    epochs: Count
    step: Count
    steps: Count
    error: Number
    loss: Number


class Failure(Document):
    cause: Text
    kind: Text | None = None
    log_tail: list[Text] = []


class Measured(Document):
    seconds: Amount = None
    train_error: Number = None
    train_loss: Number = None
    validation_error: Number = None
    validation_loss: Number = None
    test_error: Number = None
    test_loss: Number = None
    test_measures: dict[Text, Number] | None = None


class Result(Measured):
    trial: Text
    attempt: Count
    status: Literal["done", "diverged"]
    run: Plain | None = None
    rows: Annotated[Extents, Field(min_length=2)]
    format: Count = 0
    cause: Text | None = None
    epochs: Count | None = None
    steps: Count | None = None
    mixed: bool | None = None
    notes: list[Text] = []
    examples: dict[Text, Count] = {}
    chance: dict[Text, Share] = {}
    step_seconds: Amount = None
    images_per_second: Amount = None
    peak_memory_bytes: Amount = None


class Checkpoint(Document):
    format: Count
    trial: Text
    attempt: Count
    step: Count
    sha256: Text
    rows: Annotated[Extents, Field(min_length=2)]
    fingerprint: dict[Text, Any]
    mixed: bool


class MetricRow(Measured):
    epoch: Number = None
    step: Number = None
    lr: Number = None
    loss: Number = None
    running_error: Number = None


class ProbeRow(Document):
    probe: Text
    step: Count
    value: Number
    at: Number = None
    name: Text | None = None
    layer: Text | None = None
    index: Count | None = None


class LaterProbes(Document):
    attempt: Count
    rows: list[ProbeRow]
    numerics: dict[Text, Count] = {}


_DOCUMENTS: dict[str, type[Document]] = {
    "plan.json": Plan,
    "environment.json": Environment,
    "trial.json": TrialDocument,
    "attempt": AttemptFields,
    "progress": Progress,
    "failure.json": Failure,
    "result.json": Result,
    "later-probes.json": LaterProbes,
}
_ROWS: dict[str, type[Document]] = {"metrics.jsonl": MetricRow, "probes.jsonl": ProbeRow}


def read(path: Path) -> dict[str, Any]:
    """A sealed document, of which its name tells what it must hold. Raises Damaged, or OSError."""
    document = durable.read_document(path)
    other = Environment if path.parent.name == "runs" else Checkpoint
    kind = _DOCUMENTS.get(path.name, other if path.suffix == ".json" else None)
    if kind is not None and (wrong := _wrong(kind, document)):
        raise durable.Damaged(wrong)
    return document


def read_or_empty(path: Path) -> dict[str, Any]:
    """A sealed document that other processes may be about to replace; {} when absent or damaged."""
    try:
        return read(path)
    except (OSError, durable.Damaged):
        return {}


def sound_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """How many of the first rows of a file hold what its name tells, and what is wrong with the next."""
    kind = _ROWS[name]
    if not _wrong(Sequence[kind], rows):  # type: ignore[valid-type]  # at once: a tenth of the time
        return len(rows), ""
    count = next(i for i, row in enumerate(rows) if _wrong(kind, row))
    return count, _wrong(kind, rows[count])


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _wrong(kind: Any, value: Any) -> str:
    """What is wrong with a value, in words; "" where nothing is."""
    try:
        adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"its {'.'.join(map(str, first['loc']))} is not what it should be ({first['msg']})"
    return ""
