"""Publishes reports of finished experiments in the gallery, the folder `gallery` in the results folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from resexp import api, durable
from resexp.errors import NoExperimentError, StoreError
from resexp.gallery.page import page
from resexp.gallery.papers import QUICK, folder_name, names, path
from resexp.report import archive
from resexp.report.build import build
from resexp.report.render import csv, markdown
from resexp.report.render import json as json_format
from resexp.report.svg import standalone
from resexp.store import PUBLISHED, ExperimentFolder, Records, Status, explained
from resexp.text import counted

_ABSOLUTE = re.compile(r"(?<![\w:/.~])(?:/[^\s/'\",;:=()\[\]{}]+)+/(?=[^\s/])")


def publish(name: str, results: Path, tier: str = QUICK) -> Path:
    """Write the report of a finished experiment into the gallery, with all rows from which it was made, and
    rewrite the index page. Returns the report's folder.

    `name` is a configuration that `resexp gallery` lists, or another experiment in `results`. `tier` says
    which tier of the configuration is published.

    Raises:
        ConfigError: there is no such configuration or experiment.
        NoExperimentError: the experiment has not been run, or some of its trials have not ended.
        StoreError: the gallery cannot be written, or a report in it cannot be read.
    """
    own = name not in names() and ExperimentFolder(results / name).plan.exists()
    experiment = name if own else api.load(path(name), tier=tier).name
    if not (results / experiment).is_dir():
        raise NoExperimentError(f"{results / experiment}: has not been run; {_next(name, tier)}")
    records = api.results(results / experiment)
    left = sum(not Status(text).ended for text in records.trials["status"])
    if left:
        raise NoExperimentError(
            f"{results / experiment}: has {counted(left, 'trial')} left to train; {_next(name, tier)}"
        )
    report = build(portable(records))
    texts = {
        "report.md": markdown.render(report),
        archive.REPORT: json_format.render(report),
        archive.TRIALS: csv.render(report),
        **{f"figures/{drawing.key}.svg": standalone(drawing) for drawing in report.drawings},
    }
    files = {name: text.encode() for name, text in texts.items()} | archive.row_files(records)
    gallery = results / PUBLISHED
    folder = gallery / (name if own else folder_name(name, tier))
    with explained(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for old in (folder / "figures").glob("*.svg"):
            if f"figures/{old.name}" not in files:
                old.unlink()
        for file, content in files.items():
            durable.write_atomic(folder / file, content, durable=False)
        durable.write_atomic(gallery / "README.md", index(gallery).encode(), durable=False)
    return folder


def _next(name: str, tier: str) -> str:
    return f"first run `resexp gallery run {name} --tier {tier}`" if name in names() else "run it first"


def portable(records: Records) -> Records:
    """The records without the names of this machine's folders: only the last part of each absolute path is
    kept.
    """
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
    """The gallery's page in Markdown, made from the report.json files of its reports.

    Raises StoreError if one of these files cannot be read.
    """
    return page(list(_reports(gallery)))


def _reports(gallery: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(gallery.glob(f"*/{archive.REPORT}")):
        try:
            yield file.parent.name, json.loads(file.read_bytes())
        except (OSError, ValueError) as problem:
            raise StoreError(f"{file}: {problem}; publish it again, or remove it") from problem
