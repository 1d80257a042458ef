"""Versions of numbers, part by part: when the code of one is mended, only its own trials are trained again.

A part carries its version itself, as `numerics = 2` in the body of its class: every kind its own, whatever
it inherits. What is chosen by name and no part of its own, such as an initialisation, has it in `CHOICES`.
What concerns every trial is `PROGRAM`, told as resexp's. All are 1 where nothing is said, and only others
are in a trial's identity. The probes that a trial takes while it trains are in its identity, and so are
their versions: their rows cannot be had without training again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from resexp.catalog import scan

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin

PROGRAM = 1
"""Raised when the code changes the numbers of every trial."""

CHOICES: dict[str, dict[str, int]] = {}
"""Dotted key of the settings -> value -> version, where that is not 1: {"model.init": {"orthogonal": 2}}.

A value is written as JSON has it; "*" is any other than null and false, for what is switched on: clipping,
a crop, a low rate.
"""

Settings = Mapping[str, Any]
"""A trial's, as plain JSON data."""


def versions(settings: Settings, plugins: tuple[Plugin, ...] = ()) -> dict[str, int]:
    """The versions that are not 1 of all that the settings name, each by its dotted place and name.

    A part of a plugin has none: its code is in the identity as it is.
    """
    if PROGRAM == 1 and not CHOICES and not any(_mended(role) for role in scan.ROLES):
        return {}
    found = {f"{place}.{kind}": _mended(role).get(kind, 1) for place, role, kind in parts(settings)}
    own = {kind for role in scan.ROLES for kind in _own(role, plugins)}
    found = {place: n for place, n in found.items() if place.rpartition(".")[2] not in own}
    found["resexp"] = PROGRAM
    for key, values in CHOICES.items():
        value = _at(settings, key.split("."))
        name = value if isinstance(value, str) else "*" if value not in (None, False) else ""
        found[f"{key}.{name}"] = values.get(name, values.get("*", 1) if name else 1)
    return {place: version for place, version in found.items() if version != 1}


def parts(value: Any, role: str = "", place: str = "") -> Iterator[tuple[str, str, str]]:
    """The place, role and kind of every part in settings: of a probe the place is `probes`."""
    if isinstance(value, Mapping):
        if role and isinstance(value.get("kind"), str):
            yield place, role, value["kind"]
        for key, item in value.items():
            inner = "probe" if key == "probes" else key if key in scan.ROLES else ""
            yield from parts(item, inner, f"{place}.{key}" if place else key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from parts(item, role, place)


def probe_version(kind: str) -> int:
    """The version of the numbers that this program's probe of a kind gives."""
    return _mended("probe").get(kind, 1)


def changed(old: Mapping[str, int], new: Mapping[str, int]) -> list[str]:
    """The names of what has another version in one than in the other."""
    places = dict.fromkeys([*new, *old])
    return [name_of(place) for place in places if old.get(place, 1) != new.get(place, 1)]


def name_of(place: str) -> str:
    """The last word of a place that has a version: a kind, a choice, or the key of what is switched on."""
    return place.removesuffix(".*").rpartition(".")[2]


@cache
def _mended(role: str) -> Mapping[str, int]:
    """The package's parts of a role whose version is not 1."""
    return {kind: part.numerics for kind, part in scan.parts(role).items() if part.numerics != 1}


def _own(role: str, plugins: tuple[Plugin, ...]) -> list[str]:
    if not plugins:
        return []
    return [kind for kind, part in scan.parts(role, plugins).items() if part.plugin is not None]


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
