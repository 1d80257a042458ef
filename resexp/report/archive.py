"""Writes an experiment's training curves and probe readings for publication, and reads published experiments.

With these rows and those of its trials, every number of a published report can be computed again.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.errors import NoExperimentError, StoreError
from resexp.report.render.csv import harmless, plain

if TYPE_CHECKING:
    from resexp.store import Records

REPORT, TRIALS, METRICS, PROBES = "report.json", "trials.csv", "metrics.csv.gz", "probes.csv.gz"


@dataclass(frozen=True, repr=False)
class Archive:
    """A published experiment. Errors are fractions, losses are in nats, and a missing number is NaN.

    report: the content of `report.json`: verdicts, claims, tables, the machine and the notes.
    trials: one row per trial, with the settings that differ from their default in any trial. Most have one
        column per option. A list, and a part that is swept with its options, is a text in JSON.
    metrics: the training curves, one row per trial and evaluation, with the trial's `id`.
    probes: one row per reading, with the trial's `id`.
    """

    report: dict[str, Any]
    trials: pd.DataFrame
    metrics: pd.DataFrame
    probes: pd.DataFrame

    def __repr__(self) -> str:
        frames = {"trials": self.trials, "metrics": self.metrics, "probes": self.probes}
        sizes = ", ".join(f"{name}: {len(rows):,} rows" for name, rows in frames.items())
        return f"<Archive {self.report.get('experiment', '')}; {sizes}>"


def row_files(records: Records) -> dict[str, bytes]:
    """The training curves and the probe readings as files: bytes by name. Equal rows give equal bytes."""
    frames = {METRICS: records.metrics, PROBES: records.probes}
    return {name: _compressed(frame) for name, frame in frames.items()}


def read(folder: Path) -> Archive:
    """The experiment that is published in a folder.

    Raises NoExperimentError if there is none, and StoreError if a file cannot be read.
    """
    if not (folder / REPORT).is_file():
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob(f"*/{REPORT}"))) or "none"
        raise NoExperimentError(f"{folder}: no report is published there; there are: {known}")
    try:
        report = json.loads((folder / REPORT).read_bytes())
        return Archive(report, *(_frame(folder / name) for name in (TRIALS, METRICS, PROBES)))
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as problem:
        raise StoreError(f"{folder}: {problem}; publish the experiment again") from problem


def _frame(file: Path) -> pd.DataFrame:
    """The rows of a CSV file. pandas does not read them, because it may change the last digit of a number."""
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return pd.DataFrame({name: _typed(name, cells) for name, cells in zip(header, columns, strict=True)})


def _typed(name: str, cells: Sequence[str]) -> Sequence[Any]:
    """The cells as truth values, integers or floats if all of them are, and as texts otherwise.

    An empty cell is NaN among numbers and None among texts. An id is always a text, and so is `1_0`, which
    Python would read as 10.
    """
    if name == "id":
        return cells
    if set(cells) <= {"True", "False"}:
        return [cell == "True" for cell in cells]
    for number in () if any("_" in cell for cell in cells) else (int, float):
        with suppress(ValueError):
            return [number(cell) if cell or number is int else math.nan for cell in cells]
    return [plain(cell) or None for cell in cells]


def _compressed(frame: pd.DataFrame) -> bytes:
    text = io.StringIO()
    frame.map(harmless).to_csv(text, index=False, lineterminator="\n")
    return gzip.compress(text.getvalue().encode(), mtime=0)
