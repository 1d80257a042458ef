"""The papers' configurations that come with the package: what each claims and costs, and how far it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resexp import api
from resexp.catalog.scan import suggest
from resexp.config import yaml_text
from resexp.errors import ConfigError, Problem

if TYPE_CHECKING:
    from resexp.config.load import Experiment

PAPERS = Path(__file__).parents[1] / "papers"
FOLDER = "gallery"
"""Where reports are published, below the results."""
QUICK = "quick"


@dataclass(frozen=True)
class Size:
    """One tier of a configuration: how many trials it has, how many have ended, and what it costs."""

    tier: str
    experiment: str
    trials: int
    ended: int
    expect: str | None
    published: bool


@dataclass(frozen=True)
class Entry:
    """A configuration of the gallery, and its tiers, the quickest first."""

    name: str
    claim: str
    sizes: tuple[Size, ...]


def names() -> tuple[str, ...]:
    """The configurations of the gallery, in alphabetical order."""
    return tuple(sorted(path.stem for path in PAPERS.glob("*.yaml")))


def path(name: str) -> Path:
    """The configuration called `name`. Raises ConfigError where there is none, naming the nearest."""
    if name not in names():
        raise ConfigError([Problem("", "gallery", f"there is no {name!r}", suggest(name, names()))])
    return PAPERS / f"{name}.yaml"


def entries(results: Path) -> list[Entry]:
    """Every configuration, with how far each of its tiers is under `results`. Raises ConfigError."""
    return [_entry(name, results) for name in names()]


def _entry(name: str, results: Path) -> Entry:
    text = yaml_text.read_text(path(name))
    tiers = yaml_text.parse(text, name).value.get("tiers") or {}
    loaded = [api.load(path(name), tier=tier) for tier in (*tiers, "full")]
    expected = _expected(text)
    sizes = (_size(name, one, expected.get(one.tier), results) for one in loaded)
    return Entry(name, loaded[0].published.claim or _said(text).get("why", ""), tuple(sizes))


def _size(name: str, experiment: Experiment, expect: str | None, results: Path) -> Size:
    folder, ended = results / experiment.name, 0
    if folder.is_dir():
        ended = int(api.results(folder).trials["status"].isin(("done", "diverged")).sum())
    shown = (results / FOLDER / folder_name(name, experiment.tier) / "report.json").exists()
    return Size(experiment.tier, experiment.name, len(experiment.points), ended, expect, shown)


def _said(text: str) -> dict[str, str]:
    """What the comments that open a configuration say: `# why: ...`, over several lines if need be."""
    said: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        found = re.match(r"# (why|expect): *(?:(\w+): )?(.*)", line)
        if found:
            key = found[1] if found[1] == "why" else f"expect {found[2] or 'full'}"
            said[key] = found[3] if key != "why" or not found[2] else f"{found[2]}: {found[3]}"
        elif key:
            said[key] += " " + line.lstrip("# ")
    return said


def _expected(text: str) -> dict[str, str]:
    """What each tier is expected to cost: `# expect: quick: 24 trials, 8 minutes on 2 cores`."""
    prefix = "expect "
    return {key.removeprefix(prefix): said for key, said in _said(text).items() if key.startswith(prefix)}


def folder_name(name: str, tier: str) -> str:
    """The folder in the gallery of a configuration's tier."""
    return name if tier == QUICK else f"{name}-{tier}"
