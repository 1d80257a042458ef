"""A trial as a value: its settings, cost and names, and the identity that says when it is the same trial.

An id is the hash of everything that determines a trial's numbers. A changed option makes another trial, and a
trial that is done stays done whatever else the configuration says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from resexp.config.fields import plugins_of
from resexp.plan import numerics, translation

if TYPE_CHECKING:
    from resexp.config.settings import Settings


@dataclass(frozen=True)
class Cost:
    """What one image costs: trainable parameters, multiply-accumulates, and bytes kept for backward. Where it
    is evaluated, the operation that holds most holds `evaluation_bytes` of it, and of `evaluated_at_once`
    images together; 0 is unknown.
    """

    params: int
    macs: int
    activation_bytes: int
    evaluation_bytes: int = 0
    evaluated_at_once: int = 0


@dataclass(frozen=True)
class Trial:
    """One training run. `settings` is plain JSON data: `config.parse.parse_settings` gives it types.

    `name` says what varies in its experiment (safe as a folder's name); `id` is its identity;
    `variant` is the label of its line, as `groups` has it; `axes` maps each swept dotted key to this
    trial's value, and `tuned` those that are chosen by validation error. `plugins` maps the SHA-256 of each
    plugin whose parts it uses to its file's name, `numerics` what it uses to the versions that are not 1,
    and `data` is its data's fingerprint, "" where an older version planned it.
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
        """Plain JSON data, which shares its mappings with the trial: to be written, not to be changed."""
        return {**vars(self), "cost": asdict(self.cost) if self.cost else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        """From what `to_json` gave, in this version or an older one."""
        cost = data.get("cost")
        told = {name: translation.keys(data[name]) for name in ("axes", "tuned") if name in data}
        told["settings"] = translation.translated(data["settings"])
        return cls(**{**data, **told, "cost": Cost(**cost) if cost else None})


def identity(settings: Settings, data_fingerprint: str) -> str:
    """Twelve hex digits of the hash of all that determines a trial's numbers.

    A value that equals its default is left out, so that an option added later leaves the trials done before
    it theirs; the kind of a part has no default and is never left out. `data.root` says where the data lie
    and not what they are, which is what their fingerprint says. Versions of numbers are in it where they are
    not 1.
    """
    told = translation.as_hashed(settings.model_dump(mode="json", exclude_defaults=True))
    told["data"].pop("root", None)
    plugins = plugins_of(settings)
    code = sorted(plugin.sha256 for plugin in plugins)
    versions = numerics.versions(settings.model_dump(mode="json"), plugins)
    hashed = [numerics.PROGRAM, told, data_fingerprint, *code, *([versions] if versions else [])]
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
