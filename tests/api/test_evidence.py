"""Experiments whose rules are fixed before their results: looks and registrations, with made-up results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unmeasured import Unmeasured

from resexp import api, durable, store
from resexp.api import evidence
from resexp.config.load import Experiment
from resexp.errors import StoreError
from resexp.execution.supervisor import SweepSummary
from resexp.plan.looks import Look, with_seeds
from resexp.plan.make import make_plan
from resexp.plan.trial import Cost, Trial
from resexp.report import build

TEXT = """\
name: x
data: synthetic
model: {kind: resnet, depth: 8}
training: {epochs: 1}
sweep:
  model.connection: [plain]
  model.depth: [8, 14]
  seed: [0, 1, 2]
"""
Error = Callable[[Trial], float]


def trained(experiment: Experiment, results: Path, error: Error, look: Look | None = None) -> SweepSummary:
    """What a run would leave, with a training error for each trial."""
    plan = make_plan(experiment, Unmeasured(Cost(1, 1, 1)))
    arguments: Mapping[str, Any] = {"config_text": experiment.text, "trials": plan, "environment": {}}
    published = experiment.published.model_dump(mode="json")
    shown = look.to_json() if look else None
    with store.create(results, experiment.name, **arguments, look=shown, published=published) as opened:
        for trial in opened.pending():
            attempt = store.Attempt(*opened.claim(trial))
            attempt.begin({})
            row = {"train_error": error(trial), "test_error": error(trial)}
            known = {"examples": {"train": 1000, "test": 1000}, "chance": {"train": 0.9, "test": 0.9}}
            attempt.commit({"status": "done", "cause": None, **row, **known})
    return SweepSummary({"done": len(plan)})


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    (tmp_path / "x.yaml").write_text(TEXT)
    return api.load(tmp_path / "x.yaml")


def noisy(gap: float) -> Error:
    """Errors around 10 %, deeper ones higher by `gap`, with an sd of 3 points."""

    def error(trial: Trial) -> float:
        noise = np.random.default_rng([0, trial.depth, trial.seed]).normal(0, 0.03)
        return 0.1 + gap * (trial.depth > 8) + float(noise)

    return error


@pytest.mark.parametrize(
    ("gap", "seeds", "state"), [(0.5, [3], "every verdict is decided"), (0.02, [3, 5, 8], "undecided: plain")]
)
def test_seeds_are_added_until_the_verdicts_are_decided(  # noqa: PLR0917
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gap: float,
    seeds: list[int],
    state: str,
) -> None:
    looks: list[Look] = []

    def run(grown: Experiment, *, results: Path, look: Look, **_: Any) -> SweepSummary:
        looks.append(look)
        return trained(grown, results, noisy(gap), look)

    monkeypatch.setattr(evidence, "run", run)
    said: list[str] = []
    api.run_until_decided(experiment, most=8, results=tmp_path / "r", tell=said.append)
    assert [look.seeds for look in looks] == seeds
    assert [line.partition(": ")[2].rstrip(".") for line in said] == [state] * len(seeds)
    records = api.results("x", tmp_path / "r")
    assert records.look == {"seeds": seeds[-1], "planned": [3, 5, 8]}
    assert len(records.trials) == 2 * seeds[-1]


def test_an_interrupted_look_is_the_last(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "run", lambda *_, **__: SweepSummary({"pending": 6}, interrupted=True))
    assert api.run_until_decided(experiment, results=tmp_path).exit_status == 130


def test_seeds_added_after_a_report_are_remembered(experiment: Experiment, tmp_path: Path) -> None:
    trained(experiment, tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()
    store.note_reported(tmp_path / "x")
    store.note_reported(tmp_path / "x")
    assert api.results("x", tmp_path).seeds_before == ()
    trained(with_seeds(experiment, 5), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == (3,)
    store.note_reported(tmp_path / "x")
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == (3, 5)


def test_another_depth_after_a_report_is_no_further_look(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    trained(api.load(tmp_path / "x.yaml", ["model.depth=8"]), tmp_path, noisy(0.02))
    store.note_reported(tmp_path / "x")
    trained(api.load(tmp_path / "x.yaml"), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()


def test_what_is_registered_before_a_run_stands_beside_its_results(
    experiment: Experiment, tmp_path: Path
) -> None:
    file, sha256 = api.register(experiment, results=tmp_path, device="cpu")
    assert file.name == "registered.json"
    trained(experiment, tmp_path, noisy(0.5))
    registered = api.results("x", tmp_path).registered
    assert registered is not None
    assert registered["sha256"] == sha256
    assert len(registered["trials"]) == 6
    with pytest.raises(StoreError, match="have results already"):
        api.register(experiment, results=tmp_path, device="cpu")


def test_a_registration_that_was_edited_counts_as_nothing(experiment: Experiment, tmp_path: Path) -> None:
    file, _ = api.register(experiment, results=tmp_path, device="cpu")
    document = durable.read_document(file)
    durable.write_document(file, {**document, "rules": {**document["rules"], "margin": 3.0}})
    trained(experiment, tmp_path, noisy(0.5))
    records = api.results("x", tmp_path)
    assert records.registered is None
    assert any("is not what its hash says" in note for note in records.notes)
    assert build(records).tables
