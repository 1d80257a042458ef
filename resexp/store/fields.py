"""The fields of the documents in a results folder, with their types and bounds. Rows: `row_fields.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, model_validator


def _plain(text: str) -> str:
    if text in ("", ".", "..") or "/" in text or "\0" in text or len(text) > 200:
        raise ValueError("is not a plain file name")
    return text


Text = InstanceOf[str]
"""Any text. pydantic's own type refuses invalid Unicode, which names of files may contain."""
Plain = Annotated[Text, AfterValidator(_plain)]
"""A name that becomes part of a path, and therefore must not lead out of the results folder."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(strict=True)] | None
"""Any number, also NaN or infinite; or None."""
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None
"""A measured time or count: a finite number of at least 0; or None."""


class Document(BaseModel):
    """One document or row. A key for which there is no field may have any value."""

    model_config = ConfigDict(strict=True, extra="ignore", protected_namespaces=(), defer_build=True)


class Extent(Document):
    """The size and checksum of the beginning of a row file."""

    bytes: Count
    crc: Count


Extents = dict[Literal["metrics.jsonl", "probes.jsonl"], Extent]


def _settings(value: dict[Any, Any]) -> dict[Any, Any]:
    """A trial's settings, checked only for the form that readers rely on. A check by the models of
    `config/settings.py` would take seconds.
    """
    keys = ("model", "discriminator", "training", "probes")
    model, rival, training, probes = (value.get(key) or {} for key in keys)
    if {type(each) for each in (model, rival, training)} != {dict} or not isinstance(probes, list | dict):
        raise ValueError("has a model, training or probes of another kind")
    parts = [value[key] for key in ("data", "task", "model") if key in value] + [rival] * bool(rival)
    parts += [each["connection"] for each in (model, rival) if "connection" in each]
    parts += [training[key] for key in ("optimizer", "schedule") if key in training]
    numbers = ("epochs", "iterations", "batch_size", "processes")
    counts = [model.get("depth"), rival.get("depth"), *(training.get(key) for key in numbers)]
    if not (
        all(isinstance(part, dict) and isinstance(part.get("kind"), str) for part in (*parts, *probes))
        and all(count is None or (type(count) is int and 0 <= count < 2**63) for count in counts)
        and isinstance(training.get("precision", ""), str)
        and all(isinstance(probe.get("at"), list) and all(map(_number, probe["at"])) for probe in probes)
    ):
        raise ValueError("has a part without a kind, or a size that is not a number")
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


class LookFields(Document):
    seeds: Count
    planned: Annotated[list[Count], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_planned(self) -> Self:
        if self.seeds not in self.planned:
            raise ValueError("has a number of seeds at which no look was planned")
        return self


class Plan(Document):
    format: Count
    config_sha256: Text
    trials: list[TrialFields]
    notes: list[Text] = []
    overrides: list[Text] = []
    aside: list[Text] = []
    look: LookFields | None = None
    published: dict[Text, Any] = {}


class ReportedPlan(Document):
    plan: dict[Text, Annotated[list[int], Field(min_length=2, max_length=2)]]
    seen: list[list[Count]]

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if any(not 0 <= group < len(seen) for group, _ in self.plan.values() for seen in self.seen):
            raise ValueError("names a group that it does not count")
        return self


class Reported(Document):
    looks: list[ReportedPlan]
    lost: bool = False


class Registration(Document):
    format: Count
    date: Text
    trials: Annotated[list[list[Text]], Field(min_length=1)]
    published: dict[Text, Any]
    rules: dict[Text, float]
    looks: list[Count]
    sha256: Text


class Environment(Document):
    date: Text = ""
    memory_bytes: Count | None = None


class AttemptFields(Document):
    attempt: Count
    run: Plain
    token: Text = ""
    restart: Count = 0


class Holder(Document):
    run: Plain
    host: Text = "unknown"
    pid: Count | None = None
    started: Text = "unknown"
    boot: Text = ""
    machine: Text = ""
    namespace: Text = ""
    began: Count = 0
    beat: Count = 0


class TaskFields(Document):
    folder: Plain
    number: Count
    device: Text
    processes: Count = 1
    job: Text = ""


class JobNote(Document):
    launcher: Text
    tasks: list[TaskFields]


class Progress(Document):
    attempt: Count
    epoch: Count
    epochs: Count
    step: Count
    steps: Count
    error: Number
    loss: Number
    host: Text = ""
    since: Text = ""


class Failure(Document):
    cause: Text
    kind: Text | None = None
    log_tail: list[Text] = []


class MeasuredFields(Document):
    seconds: Amount = None
    train_error: Number = None
    train_loss: Number = None
    validation_error: Number = None
    validation_loss: Number = None
    test_error: Number = None
    test_loss: Number = None
    test_measures: dict[Text, Number] | None = None


class Result(MeasuredFields):
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
    blind: dict[Text, Share] = {}
    baselines: dict[Text, Number] = {}
    samples: list[Text] = []
    confused: dict[Text, dict[Text, Count]] = {}
    classifier: Text | None = None
    redrawn: bool | None = None
    most_answered: dict[Text, Share] = {}
    unmeasured: list[Text] = []
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
    notes: list[Text] = []
