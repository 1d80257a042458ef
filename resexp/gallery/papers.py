"""Lists the configurations of papers that come with the package: their claims, costs and progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resexp import api
from resexp.catalog.scan import suggest
from resexp.config import yaml_text
from resexp.config.packaged import PAPERS
from resexp.errors import ConfigError
from resexp.store import PUBLISHED, Status

if TYPE_CHECKING:
    from resexp.config.load import Experiment

QUICK = "quick"


@dataclass(frozen=True)
class Size:
    """One tier of a configuration.

    experiment: the name of its results folder. trials: the number of its trials. ended: the number of trials
    that are done or have diverged. expect: how long the tier takes and what it shows, in the configuration's
    own words. published: whether its report is in the gallery.
    """

    tier: str
    experiment: str
    trials: int
    ended: int
    expect: str
    published: bool


@dataclass(frozen=True)
class Entry:
    """A configuration of the gallery and its tiers, the quickest first."""

    name: str
    claim: str
    sizes: tuple[Size, ...]


def names() -> tuple[str, ...]:
    """The configurations of the gallery, in alphabetical order."""
    return tuple(sorted(path.stem for path in PAPERS.glob("*.yaml")))


def path(name: str) -> Path:
    """The file of the configuration `name`. If there is none, raises ConfigError with the nearest name."""
    if name not in names():
        raise ConfigError.of("", "gallery", f"there is no configuration {name!r}", suggest(name, names()))
    return PAPERS / f"{name}.yaml"


def entries(results: Path) -> list[Entry]:
    """Every configuration, with the progress of each of its tiers in the folder `results`.

    Raises ConfigError if a configuration has problems.
    """
    return [_entry(name, results) for name in names()]


def _entry(name: str, results: Path) -> Entry:
    text = yaml_text.read_text(path(name))
    tiers = yaml_text.parse(text, name).value.get("tiers") or {}
    loaded = [api.load(path(name), tier=tier) for tier in (*tiers, "full")]
    sizes = (_size(name, one, results) for one in loaded)
    return Entry(name, loaded[0].published.claim or loaded[0].why, tuple(sizes))


def _size(name: str, experiment: Experiment, results: Path) -> Size:
    folder, ended = results / experiment.name, 0
    if folder.is_dir():
        ended = sum(Status(text).finished for text in api.results(folder).trials["status"])
    shown = (results / PUBLISHED / folder_name(name, experiment.tier) / "report.json").exists()
    return Size(experiment.tier, experiment.name, len(experiment.points), ended, experiment.expect, shown)


def folder_name(name: str, tier: str) -> str:
    """The name of the gallery's folder for a configuration's tier."""
    return name if tier == QUICK else f"{name}-{tier}"
