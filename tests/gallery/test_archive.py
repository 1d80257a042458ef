"""What is published with a report is enough to compute its numbers again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unmeasured import Unmeasured

import resexp
from resexp.config.load import load
from resexp.errors import NoExperimentError, StoreError
from resexp.gallery import publish
from resexp.plan.make import make_plan
from resexp.plan.trial import Cost
from resexp.report.archive import Archive
from resexp.store import Attempt, create

ROOT = Path(__file__).parents[2]
COMMITTED = sorted(path.parent.name for path in (ROOT / "results/gallery").glob("*/report.json"))

MADE_UP = """\
why: made up
expect: {full: a minute}
name: made_up
data: digits
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 2}
probes: [{kind: gradient_norms, at: [0, 1]}]
sweep:
  model.connection: [plain, residual]
  seed: [0, 1, 2]
"""


CLAIM = {
    "say": "Gradients at the last layer are larger in plain nets.",
    "lower": {"model.connection": "residual"},
    "higher": {"model.connection": "plain"},
    "metric": "gradient_norms.weight_rms@0:last",
    "source": "made up",
}


def committed(name: str) -> Archive:
    return resexp.archive(name, root=ROOT / "results")


def shown(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that a report's tables are about: of tuned settings, the chosen ones."""
    chosen = trials[trials["chosen"].astype(bool)] if "chosen" in trials else trials
    return chosen[chosen["status"] == "done"]


@pytest.mark.parametrize("name", COMMITTED)
def test_every_mean_error_in_a_committed_report_follows_from_its_trials(name: str) -> None:
    found = committed(name)
    checked = 0
    for table, columns in (("degradation", ["train_error"]), ("accuracy", ["test_error"])):
        for row in found.report["tables"].get(table, ()):
            mine = shown(found.trials).query("variant == @row['variant'] and depth == @row['depth']")
            for column in columns:
                assert len(mine) == row["n"]
                mean, sd = (row[f"{column}_{part}"] for part in ("mean", "sd"))
                assert (mean is None) == (len(mine) == 0)
                assert mean is None or mine[column].mean() == pytest.approx(mean, rel=1e-9)
                assert sd is None or mine[column].std() == pytest.approx(sd, abs=1e-12)
                checked += 1
    assert checked or not {"degradation", "accuracy"} & set(found.report["tables"])


SIDES = [
    ("he2015_depth", 2, "test_error", ("residual", 56), ("plain", 56)),
    ("he2016_placements", 0, "test_error", ("residual (pre)", None), ("residual (post)", None)),
    ("he2016_placements", 1, "test_error", ("residual (post)", None), ("residual (bn_after_add)", None)),
]
"""Committed reports, a claim of each, its metric, and the variant and depth of its lower and higher side."""


@pytest.mark.parametrize(("name", "number", "metric", "lower", "higher"), SIDES)
def test_claims_of_committed_reports_follow_from_their_trials(
    name: str, number: int, metric: str, lower: tuple[str, int | None], higher: tuple[str, int | None]
) -> None:
    found = committed(name)
    claim = found.report["published"]["claims"][number]
    assert claim["metric"] == metric
    sides = []
    for variant, depth in (lower, higher):
        mine = found.trials[
            (found.trials["variant"] == variant) & (found.trials["depth"] == (depth or found.trials["depth"]))
        ]
        sides.append(mine.set_index("seed")[metric])
    assert [side.mean() for side in sides] == pytest.approx([claim["lower"], claim["higher"]], rel=1e-9)
    assert min(len(side) for side in sides) == claim["n"]
    assert sides[1].mean() - sides[0].mean() == pytest.approx(claim["difference"], rel=1e-9)


def run(results: Path, folder: Path) -> None:
    """What a run of MADE_UP would leave: curves, readings and results."""
    (folder / "made_up.yaml").write_text(MADE_UP)
    experiment = load(folder / "made_up.yaml")
    trials = make_plan(experiment, Unmeasured(Cost(1, 1, 1)))
    told: dict[str, Any] = {"published": {"claims": [CLAIM]}, "environment": {}}
    with create(results, "made_up", config_text=experiment.text, trials=trials, **told) as opened:
        for trial in trials:
            attempt = Attempt(*opened.claim(trial))
            attempt.begin({})
            worse = trial.connection == "plain"
            for layer, name in enumerate(("-0.5", "layer 1")):  # a spreadsheet would compute the first
                value = 0.1 / (3 + trial.seed) + layer * worse
                row = {"probe": "gradient_norms", "step": 0, "at": 0.0, "name": "weight_rms"}
                attempt.probe([{**row, "layer": name, "index": layer, "value": value}])
            attempt.metric(
                {"epoch": 1, "step": 10, "seconds": 0.5, "lr": 0.1, "loss": 1e-300, "test_error": 1 / 3}
            )
            attempt.commit({"status": "done", "cause": None, "train_error": 1 / 7, "test_error": 1 / 3})


def test_curves_and_readings_come_back_as_they_were(tmp_path: Path) -> None:
    run(tmp_path / "results", tmp_path)
    folder = publish.publish("made_up", tmp_path / "results")
    records, found = resexp.results("made_up", tmp_path / "results"), resexp.archive(folder)
    assert repr(found).startswith(f"<Archive made_up; trials: {len(found.trials)} rows, metrics: ")
    pd.testing.assert_frame_equal(found.metrics, records.metrics, check_dtype=False)
    pd.testing.assert_frame_equal(found.probes, records.probes, check_dtype=False)
    assert found.trials["test_error"].tolist() == [1 / 3] * 6

    (claim,) = found.report["published"]["claims"]
    readings = found.probes.merge(found.trials, on="id").query("probe == 'gradient_norms' and at == 0")
    last = readings.sort_values("index").groupby(["connection", "seed"])["value"].last()
    difference = (last["plain"] - last["residual"]).mean()
    assert (claim["n"], claim["difference"]) == (3, pytest.approx(difference, rel=1e-9))

    before = {path.name: path.read_bytes() for path in folder.glob("*.gz")}
    publish.publish("made_up", tmp_path / "results")
    assert {path.name: path.read_bytes() for path in folder.glob("*.gz")} == before
    assert set(before) == {"metrics.csv.gz", "probes.csv.gz"}


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    run(tmp_path / "results", tmp_path)
    folder = publish.publish("made_up", tmp_path / "results")
    with pytest.raises(NoExperimentError, match="no report is published there; there are: made_up"):
        resexp.archive("nothing", tmp_path / "results")
    for name in ("metrics.csv.gz", "report.json"):
        (folder / name).write_bytes((folder / name).read_bytes()[:50])
        with pytest.raises(StoreError, match="publish the experiment again"):
            resexp.archive("made_up", tmp_path / "results")


def test_names_that_python_would_read_as_numbers_stay_texts(tmp_path: Path) -> None:
    run(tmp_path / "results", tmp_path)
    trials = publish.publish("made_up", tmp_path / "results") / "trials.csv"
    header, *rows = trials.read_text().splitlines()
    lines = [f"{header},own,width", *(f"{row},1_{n},1{n}" for n, row in enumerate(rows))]
    trials.write_text("\n".join(lines) + "\n")
    found = resexp.archive("made_up", tmp_path / "results").trials
    assert found["own"].tolist() == [f"1_{n}" for n in range(6)]
    assert found["width"].tolist() == [10, 11, 12, 13, 14, 15]


def test_no_torch_is_loaded_to_open_an_archive() -> None:
    code = f"import sys, resexp; resexp.archive({COMMITTED[0]!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
