"""The papers' configurations that come with the package: what each claims and costs, how far it is, and the
gallery of finished ones, with an index that sets what was measured beside what was published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp import api, durable
from resexp.catalog.scan import suggest
from resexp.config import yaml_text
from resexp.errors import ConfigError, NoExperimentError, Problem, StoreError
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.store import Records

PAPERS = Path(__file__).parent / "papers"
FOLDER = "gallery"
"""Where reports are published, below the results."""
QUICK = "quick"
_ABSOLUTE = re.compile(r"(?<![\w:/.~])(?:/[^\s/'\",;:=()\[\]{}]+)+/(?=[^\s/])")


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
    shown = (results / FOLDER / _place(name, experiment.tier) / "report.json").exists()
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


def _place(name: str, tier: str) -> str:
    return name if tier == QUICK else f"{name}-{tier}"


def publish(name: str, results: Path, tier: str = QUICK) -> Path:
    """Write the report of a finished experiment into the gallery, and the index anew; returns its folder.

    `name` is a configuration of the gallery, whose tier is shown, or any experiment under `results`.

    Raises:
        ConfigError: there is no such configuration or experiment.
        NoExperimentError: it has not been run, or not to its end.
        StoreError: the gallery cannot be written, or a report there cannot be read.
    """
    from resexp.report import build
    from resexp.report.render import csv, markdown
    from resexp.report.render import json as json_format
    from resexp.report.svg import standalone
    from resexp.report.words import counted

    own = name not in names() and (results / name / "plan.json").exists()
    experiment = name if own else api.load(path(name), tier=tier).name
    if not (results / experiment).is_dir():
        raise NoExperimentError(f"{results / experiment}: not run yet; {_next(name, tier)}")
    records = api.results(results / experiment)
    left = int(records.trials["status"].isin(("running", "pending")).sum())
    if left:
        raise NoExperimentError(
            f"{results / experiment}: {counted(left, 'trial')} not finished; {_next(name, tier)}"
        )
    report = build(portable(records))
    files = {
        "report.md": markdown.render(report),
        "report.json": json_format.render(report),
        "trials.csv": csv.render(report),
        **{f"figures/{drawing.key}.svg": standalone(drawing) for drawing in report.drawings},
    }
    gallery = results / FOLDER
    folder = gallery / (name if own else _place(name, tier))
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for old in (folder / "figures").glob("*.svg"):
            if f"figures/{old.name}" not in files:
                old.unlink()
        for file, text in files.items():
            durable.write_atomic(folder / file, text.encode(), durable=False)
        durable.write_atomic(gallery / "README.md", index(gallery).encode(), durable=False)
    except OSError as problem:
        raise StoreError(f"{problem.filename or folder}: {problem.strerror or problem}") from problem
    return folder


def _next(name: str, tier: str) -> str:
    return f"`resexp gallery run {name} --tier {tier}` does that" if name in names() else "run it first"


def portable(records: Records) -> Records:
    """The records without the folders of this machine: of an absolute path only the last step is left."""
    return replace(
        records,
        trials=records.trials.map(_without_folders),
        environment=_without_folders(records.environment),
        notes=_without_folders(records.notes),
        settings=_without_folders(records.settings),
        runs=_without_folders(records.runs),
        aside=_without_folders(records.aside),
    )


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_without_folders, value))
    return _ABSOLUTE.sub("", value) if isinstance(value, str) else value


def index(gallery: Path) -> str:
    """The gallery's page in Markdown, from the report.json files below it. Raises StoreError."""
    from resexp.report.gallery import page

    return page(list(_reports(gallery)))


def _reports(gallery: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(gallery.glob("*/report.json")):
        try:
            yield file.parent.name, json.loads(file.read_bytes())
        except (OSError, ValueError) as problem:
            raise StoreError(f"{file}: {problem}; publish it again, or remove it") from problem


def show(found: list[Entry]) -> None:
    """Print the configurations with their claims, and a line for each tier."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from resexp.columns import Column, Columns

    console = Console()
    for entry in found:
        console.print(Text(clean(entry.name), "bold"))
        console.print(Padding(Text(clean(entry.claim)), (0, 0, 0, 2), expand=False))
        rows = []
        for size in entry.sizes:
            state = f"{size.ended}/{size.trials}" + (", published" if size.published else "")
            cells = ((size.tier, ""), (state, "" if size.ended else "dim"), (size.expect or "", "dim"))
            rows.append([Text(clean(text), style) for text, style in cells])
        console.print(Padding(Columns([Column()] * 3, rows), (0, 0, 1, 2)))
    console.print("Next: resexp gallery run NAME --tier quick; then resexp gallery publish NAME")
