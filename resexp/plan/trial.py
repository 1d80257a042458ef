"""What a trial is: its settings, cost and names, and the identity that tells whether two trials are the same.

An identity is the hash of everything that determines a trial's numbers. A trial with another option is
another trial. A finished trial stays finished if a change of the configuration leaves its own settings as
they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from resexp.catalog.plugins import Plugin
from resexp.config.fields import plugins_of
from resexp.config.settings import Settings
from resexp.plan import numerics, translation


@dataclass(frozen=True)
class Cost:
    """What a network costs: its trainable parameters, and for each example the multiply-accumulates of a
    forward pass and the bytes kept for the backward pass.

    In evaluation, `evaluated_at_once` examples are computed together, and the operation that holds the most
    memory holds `evaluation_bytes` for each of them. 0 means that the number is unknown.
    """

    params: int
    macs: int
    activation_bytes: int
    evaluation_bytes: int = 0
    evaluated_at_once: int = 0


def total_cost(costs: Sequence[Cost]) -> Cost:
    """What several networks cost together if they are trained together and evaluated one after another: the
    sum of each cost, but the largest `evaluation_bytes`.
    """
    params, macs, kept = (
        sum(getattr(cost, name) for cost in costs) for name in ("params", "macs", "activation_bytes")
    )
    return Cost(params, macs, kept, max(cost.evaluation_bytes for cost in costs))


@dataclass(frozen=True)
class Trial:
    """One network to be trained once.

    id: see `identity`.
    name: says what varies in the trial's experiment, and can be a folder's name.
    connection: the kind of its connection.
    variant: the label of its line in reports (`groups.py`).
    depth, seed: as in the settings.
    settings: as plain JSON data; `config.parse.parse_settings` gives it types.
    axes: the trial's value of each swept dotted key.
    cost: None if the model is not a network.
    tuned: the trial's value of each axis whose best value is chosen by validation error.
    plugins: the SHA-256 of each plugin whose parts the trial uses -> the name of its file.
    numerics: the versions of numbers that are not 1 (`numerics.py`).
    data: the fingerprint of the data, or "" if an older version planned the trial.
    """

    id: str
    name: str
    connection: str
    variant: str
    depth: int
    seed: int
    settings: Mapping[str, Any]
    axes: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    tuned: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    numerics: Mapping[str, int] = field(default_factory=dict)
    data: str = ""

    @property
    def processes(self) -> int:
        """How many processes train it together."""
        return int(self.settings.get("training", {}).get("processes", 1))

    def to_json(self) -> dict[str, Any]:
        """The trial as plain JSON data. It shares its mappings with the trial: do not change them."""
        return {**vars(self), "cost": asdict(self.cost) if self.cost else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        """The inverse of `to_json`, also for data that an older version wrote."""
        cost = data.get("cost")
        translated = {name: translation.axes(data[name]) for name in ("axes", "tuned") if name in data}
        translated["settings"] = translation.translated(data["settings"])
        return cls(**{**data, **translated, "cost": Cost(**cost) if cost else None})


def identity(
    settings: Settings,
    data_fingerprint: str,
    known: tuple[tuple[Plugin, ...], Mapping[str, int]] | None = None,
) -> str:
    """The id of a trial: twelve hex digits of the hash of all that determines its numbers.

    `known` are the plugins whose parts the settings use, and the versions of the settings' numbers. If it is
    None, both are looked up.

    Settings that equal their defaults are left out, so that a new option does not change the ids of earlier
    trials. The kind of a part is never left out. `data.root` is left out, because the fingerprint describes
    the data themselves. Versions of numbers are left out if they are 1.
    """
    hashed_settings = translation.as_hashed(settings.model_dump(mode="json", exclude_defaults=True))
    hashed_settings["data"].pop("root", None)
    if known is None:
        plugins = plugins_of(settings)
        versions: Mapping[str, int] = numerics.versions(settings.model_dump(mode="json"), plugins)
    else:
        plugins, versions = known
    code = sorted(plugin.sha256 for plugin in plugins)
    hashed = [numerics.PROGRAM, hashed_settings, data_fingerprint, *code, *([versions] if versions else [])]
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
