"""Synthetic records: numbers made up to look like a run, with every status a trial can have."""

from __future__ import annotations

import math
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd

from resexp.report import frames
from resexp.report.build import build
from resexp.report.svg import Drawing, draw
from resexp.report.table import Row, Table
from resexp.store import Records

DEPTHS = (8, 20, 56)
FINAL = {  # (train error, test error) by connection and depth
    "plain": {8: (0.002, 0.04), 20: (0.02, 0.06), 56: (0.86, 0.85)},
    "residual": {8: (0.001, 0.035), 20: (0.0005, 0.03), 56: (0.0, 0.025)},
    "skip": {8: (0.004, 0.05), 20: (0.003, 0.045), 56: (0.01, 0.05)},
}
TRIAL_COLUMNS = (
    *("id", "name", "status", "cause", "connection", "variant", "depth", "seed", "params", "macs"),
    *("activation_bytes", "train_error", "train_loss", "test_error", "test_loss", "seconds", "step_seconds"),
    *("peak_memory_bytes", "epochs", "steps", "mixed", "data", "model", "model.connection", "model.depth"),
)
METRIC_COLUMNS = (
    *("id", "epoch", "step", "seconds", "lr", "loss", "running_error"),
    *("train_error", "train_loss", "test_error", "test_loss"),
)
PROBE_COLUMNS = ("id", "probe", "step", "at", "name", "layer", "index", "value")


ENVIRONMENT = {
    "date": "2026-01-02T03:04:05+00:00",
    "command": "resexp run configs/depth_sweep.yaml",
    "processor": "Example CPU",
    "cores": 2,
    "memory_bytes": 8 * 2**30,
    "versions": {"python": "3.12.1", "torch": "2.15.0"},
}
REFERENCES = [
    {
        "when": {"model.connection": kind, "model.depth": depth},
        "metric": "test_error",
        "value": value,
        "statistic": "mean",
        "sd": None,
        "runs": 5,
        "source": "A paper, table 6",
        "verified": "text" if kind == "residual" else "memory",
        "note": None,
    }
    for kind, depth, value in [
        ("plain", 20, 0.0978),
        ("plain", 56, 0.1295),
        ("residual", 20, 0.0851),
        ("residual", 56, 0.0740),
        ("residual", 110, 0.0714),
    ]
]


def trial(connection: str, depth: int, seed: int, status: str = "done", **changes: Any) -> dict[str, Any]:
    """One row of the trials frame; errors only where the status is done."""
    train, test = FINAL[connection][depth]
    noise = np.random.default_rng([depth, seed]).normal(0, 0.02 * math.sqrt(train), 2)
    ok = status == "done"
    row = {
        "id": f"{connection}{depth}-{seed}",
        "name": f"{connection}_d{depth}_s{seed}",
        "status": status,
        "cause": None,
        "connection": connection,
        "variant": connection,
        "depth": depth,
        "seed": seed,
        "params": 853018 * depth // 56,
        "macs": 126_000_000 * depth // 56,
        "activation_bytes": 40_000 * depth,
        "train_error": abs(train + noise[0]) if ok else None,
        "train_loss": train if ok else None,
        "test_error": test + abs(noise[1]) if ok else None,
        "test_loss": test if ok else None,
        "seconds": 0.1 * depth + seed / 10 if ok else None,
        "step_seconds": 0.0004 * depth if ok else None,
        "peak_memory_bytes": 300 * 2**20 + depth * 2**20 if ok else None,
        "epochs": 6,
        "steps": 138,
        "mixed": False,
        "data": "digits",
        "model": "resnet",
        "model.connection": {"kind": connection},
        "model.depth": depth,
    }
    return {**row, **changes}


def metric_rows(row: dict[str, Any], epochs: int = 6) -> list[dict[str, Any]]:
    """A curve that decays from chance to the trial's final errors."""
    train, test = FINAL[row["connection"]][row["depth"]]
    rows = []
    for epoch in range(1, epochs + 1):
        left = 0.9 * math.exp(-6.0 * epoch / epochs)
        rows.append(
            {
                "id": row["id"],
                "epoch": epoch,
                "step": 23 * epoch,
                "seconds": epoch * row["depth"] / 60,
                "lr": 0.1,
                "loss": 2.3 * left + train,
                "running_error": min(0.9, train + left),
                "train_error": train if epoch == epochs else None,
                "train_loss": None,
                "test_error": min(0.9, test + left),
                "test_loss": None,
            }
        )
    return rows


def probe_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Gradients that rise toward the input in plain nets and stay level in others."""
    layers = row["depth"] - 2
    decades = {"plain": -0.05, "residual": -0.003, "skip": -0.008}[row["connection"]]
    names = ["stem.0", *(f"blocks.{i // 2}.branch.{3 * (i % 2)}" for i in range(layers)), "head.2"]
    return [
        {
            "id": row["id"],
            "probe": "gradient_norms",
            "step": 0 if at == 0 else 138,
            "at": at,
            "name": "weight_rms",
            "layer": name,
            "index": index,
            "value": 1e-2 * 10 ** (decades * (index - layers) * (1 - 0.8 * at) + 0.05 * math.sin(index)),
        }
        for at in (0.0, 1.0)
        for index, name in enumerate(names)
    ]


def make_records(rows: list[dict[str, Any]], *, epochs: int = 6, **changes: Any) -> Records:
    """Records of the given trials with curves and probes for those that ran to the end."""
    finished = [row for row in rows if row["status"] == "done"]
    metrics = [m for row in finished for m in metric_rows(row, epochs)]
    probes = [p for row in finished for p in probe_rows(row)]
    fields: dict[str, Any] = {
        "experiment": "example",
        "trials": pd.DataFrame(rows, columns=None if rows else TRIAL_COLUMNS),
        "metrics": pd.DataFrame(metrics, columns=None if metrics else METRIC_COLUMNS),
        "probes": pd.DataFrame(probes, columns=None if probes else PROBE_COLUMNS),
        "environment": ENVIRONMENT,
        "published": {"references": REFERENCES},
        "settings": {row["id"]: settings(row) for row in rows},
        "notes": [],
    }
    return Records(**{**fields, **changes})


def settings(row: dict[str, Any]) -> dict[str, Any]:
    """The settings that such a trial would have, as far as tables look at them."""
    swept = {key: value for key, value in row.items() if "." in key}
    tree: dict[str, Any] = {
        "data": {"kind": row["data"], "train_size": None},
        "model": {"kind": row["model"], "connection": {"kind": row["connection"]}, "depth": row["depth"]},
        "training": {"epochs": 6, "iterations": None, "optimizer": {"kind": "sgd", "lr": 0.1}},
        "seed": row["seed"],
    }
    for key, value in swept.items():
        *path, last = key.split(".")
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return tree


def sweep() -> list[dict[str, Any]]:
    return [trial(c, d, s) for c in FINAL for d in DEPTHS for s in range(3)]


def of(module: Any, records: Records) -> Table:
    """The table that a module of `report/tables` makes of the records. All its rows have the same cells."""
    table: Table | None = module.table(frames.prepared(records))
    assert table is not None
    assert len({frozenset(row) for row in table.rows}) <= 1
    return table


def row(table: Table, **where: Any) -> Row:
    """The one row that has these values."""
    (found,) = [r for r in table.rows if all(r[key] == value for key, value in where.items())]
    return found


def first_drawing(records: Records) -> Drawing:
    """The first figure of a report on these records. The others, which take longer, are not drawn."""
    report = build(records)
    with closing(draw(report.records, report.added, [])) as figures:
        return next(figures)


def reading(row: dict[str, Any], probe: str, name: str, index: int, value: float, *, at: float = 1.0) -> Any:
    """One row of a probe on the trial with this row."""
    place = {"id": row["id"], "probe": probe, "step": int(138 * at), "at": at}
    return {**place, "name": name, "layer": f"blocks.{index}", "index": index, "value": value}
