"""Boosting as a trial: rounds are rows, resumed it is the same, and plain is scikit-learn's AdaBoost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.ensemble import AdaBoostClassifier
from sklearn.svm import SVC

from resexp import api, store
from resexp.config.parse import parse_settings
from resexp.config.settings import Settings
from resexp.data.cache import facts_of
from resexp.data.opening import open_data
from resexp.errors import ConfigError
from resexp.plan.compatible import check_fit
from resexp.plan.trial import Trial
from resexp.store import Attempt
from resexp.training.boosting.run import BoostingRun
from resexp.training.trial import train


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))


def settings(model: dict[str, Any] | None = None, name: str = "breast_cancer", **more: Any) -> Settings:
    svbm = model if model and "kind" in model else {"kind": "svbm", "depth": 4, "c": 0.1, **(model or {})}
    given = {"data": {"kind": "table", "name": name}, "model": svbm, "training": {"epochs": 1}, "seed": 2}
    return parse_settings(given | more)


def rounds(of: Settings) -> tuple[BoostingRun, list[dict[str, Any]]]:
    run = BoostingRun(of, open_data(of.data, "cpu", of.seed), torch.device("cpu"))
    rows = []
    while run.step < run.total:
        run.train_step()
        rows.append(run.close_epoch())
    return run, rows


def attempted(folder: Path, of: Settings) -> store.StoredExperiment:
    trial = Trial("a" * 12, "t", "residual", "residual", 4, 2, of.model_dump(mode="json"))
    return store.create(folder, "e", config_text="", trials=[trial], environment={})


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_plain_is_adaboost_of_scikit_learn(name: str) -> None:
    run, rows = rounds(settings(name=name))
    parts = [part.batch(torch.arange(len(part))) for part in (run.data.train, run.data.test)]
    (x, y), (test_x, test_y) = ((a.double().numpy(), b.numpy()) for a, b in parts)
    theirs = AdaBoostClassifier(SVC(C=0.1 * len(y)), n_estimators=4, random_state=0).fit(x, y)
    staged = zip(theirs.staged_score(x, y), theirs.staged_score(test_x, test_y), strict=True)
    expected = [value for pair in staged for value in (1 - pair[0], 1 - pair[1])]
    ours = [row[f"{split}_error"] for row in rows for split in ("train", "test")]
    assert ours == pytest.approx(expected)


def test_the_loss_is_that_of_the_log_odds_that_votes_are_half_of() -> None:
    run, rows = rounds(settings())
    _, y = run.data.train.batch(torch.arange(len(run.data.train)))
    margin = torch.from_numpy(run.boosting.scores) @ torch.tensor([-1.0, 1.0]).double() * (2 * y - 1)
    assert rows[-1]["train_loss"] == pytest.approx(
        torch.log1p(torch.exp(-2 * margin)).mean().item(), rel=1e-5
    )
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_a_shortcut_changes_what_follows_the_first_round_and_b_of_0_is_plain() -> None:
    plain, fixed, adaptive, none = (
        rounds(settings({"depth": 3, **more}))[0].boosting
        for more in (
            {},
            {"connection": "residual", "beta": 0.5},
            {"connection": "residual", "beta": 0.5, "rule": "adaptive"},
            {"connection": "residual", "beta": 0.0},
        )
    )
    errors = [[round.error for round in each.done] for each in (plain, fixed, adaptive, none)]
    assert len({each[0] for each in errors}) == 1
    assert errors[0] == errors[3]
    assert errors[0][1] > errors[1][1], "weights move less, so the next learner finds its task easier"
    assert [round.beta for round in fixed.done] == [0.5] * 3
    assert [round.beta for round in adaptive.done][1] == pytest.approx(0.95 * 0.5 * (1 - 1 / 6))


def test_a_trial_stopped_half_way_ends_as_one_that_was_not(tmp_path: Path) -> None:
    of = settings({"connection": "residual", "rule": "adaptive"})
    frames = []
    for stops in (False, True):
        with attempted(tmp_path / str(stops), of) as experiment:
            if stops:
                first = Attempt(*experiment.claim(experiment.trials[0]))
                metric = first.metric

                def stopping(row: dict[str, Any], first: Attempt = first, metric: Any = metric) -> None:
                    metric(row)
                    first.stopping = row["epoch"] == 2

                first.metric = stopping  # type: ignore[method-assign]
                train(first)
                assert store.read(tmp_path / "True" / "e").trials["status"].tolist() != ["done"]
            train(Attempt(*experiment.claim(experiment.trials[0])))
        records = store.read(tmp_path / str(stops) / "e")
        assert records.trials["status"].tolist() == ["done"]
        frames.append(json.loads(records.metrics.drop(columns="seconds").to_json()))
    assert frames[0] == frames[1]
    assert len(frames[0]["epoch"]) == 4


def test_the_plan_has_no_cost_and_a_network_on_the_same_rows_has(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: e\ndata: {kind: table, name: iris}\nmodel: {kind: mlp, depth: 4}\ntraining: {epochs: 1}\n"
        "sweep: {model: [{kind: mlp, depth: 4}, {kind: svbm, depth: 4}]}\n"
    )
    mlp, svbm = api.trials(api.load(file), "cpu")
    assert mlp.cost is not None
    assert mlp.cost.macs == 4 * 64 + 2 * 64 * 64 + 64 * 3
    assert svbm.cost is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": "digits"}, "model: svbm takes rows, but digits has images; choose densenet"),
        ({"data": {"kind": "table", "name": "iris", "flip": True}}, "has no effect, because table has rows"),
        (
            {"model": {"kind": "svbm", "depth": 4, "connection": "gated"}},
            "model.connection: svbm cannot be built with gated; choose plain or residual",
        ),
        (
            {"model": {"kind": "svbm", "depth": 4, "connection": {"kind": "residual", "shortcut": "pool"}}},
            "model.connection.shortcut: has no effect on svbm; leave it at pad",
        ),
        ({"model": {"kind": "svbm", "depth": 4, "norm": "none"}}, "model.norm: has no effect on svbm"),
        ({"model": {"kind": "svbm", "depth": 4, "match": "params"}}, "model.match: has no effect on svbm"),
        ({"model": {"kind": "svbm", "depth": 4, "init_noise": 0.3}}, "model.init_noise: init: he has no"),
        ({"training": {"epochs": 2}}, "training.epochs: has no effect on svbm; leave it at 1"),
        ({"training": {"epochs": 1, "optimizer": {"kind": "sgd", "lr": 1.0}}}, "training.optimizer: has no"),
        ({"task": {"kind": "classification", "label_smoothing": 0.1}}, "task.label_smoothing: has no effect"),
        ({"probes": [{"kind": "gradient_norms"}]}, "probes.0: gradient_norms needs a chain of blocks"),
        ({"model": {"kind": "resnet", "depth": 8}}, "but table has rows; choose mlp or svbm"),
        ({"task": "segmentation"}, "task: segmentation learns from masks, but table has labels"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], says: str) -> None:
    of = settings(**changes)
    with pytest.raises(ConfigError) as caught:
        check_fit(of, facts_of(of.data))
    assert says in str(caught.value)
    assert len(caught.value.problems) == 1


def test_finished_trials_refuse_probes_of_networks(tmp_path: Path) -> None:
    with attempted(tmp_path, settings()) as experiment:
        train(Attempt(*experiment.claim(experiment.trials[0])))
    with pytest.raises(ConfigError, match="cka needs a chain of blocks, but svbm is not one"):
        api.probe("e", ["cka"], root=tmp_path, device="cpu")
    with pytest.raises(ConfigError, match="t trained svbm, which is no network; name a trial of a network"):
        api.open_trial("e", "t", tmp_path)
