"""A trial as a value: its settings, cost and names, and the identity by which it is recognised.

An id is the hash of everything that determines a trial's numbers. A changed option makes another trial, and a
finished trial stays finished whatever else the configuration says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from resexp.catalog.plugins import Plugin
from resexp.config.fields import plugins_of
from resexp.config.settings import Settings
from resexp.plan import numerics, translation


@dataclass(frozen=True)
class Cost:
    """What one example costs: trainable parameters, multiply-accumulates of a forward pass, and bytes kept
    for the backward pass.

    In evaluation, `evaluated_at_once` examples are passed together, and the operation that holds most memory
    holds `evaluation_bytes` for each of them. 0 means that the number is unknown.
    """

    params: int
    macs: int
    activation_bytes: int
    evaluation_bytes: int = 0
    evaluated_at_once: int = 0


@dataclass(frozen=True)
class Trial:
    """One training run.

    `id` is its identity. `name` says what varies in its experiment and is safe as a folder's name. `variant`
    is the label of its line (see `groups`). `settings` is plain JSON data; `config.parse.parse_settings`
    gives it types. `axes` maps each swept dotted key to this trial's value, `tuned` those that are chosen by
    validation error. `plugins` maps the SHA-256 of each plugin whose parts the trial uses to the file's name.
    `numerics` holds the versions of numbers that are not 1 (see `numerics.py`). `data` is the fingerprint of
    the data, or "" if an older version planned the trial.
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data to be written. It shares its mappings with the trial, so do not change it."""
        return {**vars(self), "cost": asdict(self.cost) if self.cost else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        """The trial that `to_json` of this version or an older one described."""
        cost = data.get("cost")
        translated = {name: translation.keys(data[name]) for name in ("axes", "tuned") if name in data}
        translated["settings"] = translation.translated(data["settings"])
        return cls(**{**data, **translated, "cost": Cost(**cost) if cost else None})


def identity(
    settings: Settings,
    data_fingerprint: str,
    known: tuple[tuple[Plugin, ...], Mapping[str, int]] | None = None,
) -> str:
    """Twelve hex digits of the hash of all that determines a trial's numbers.

    `known` are the plugins whose parts the settings use, and the versions of the settings' numbers, where the
    caller has found them already.

    Values that equal their defaults are left out, so that adding an option keeps the ids of earlier trials;
    the kind of a part has no default and always counts. `data.root` is left out because the fingerprint
    describes the data themselves. Versions of numbers count if they are not 1.
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
