"""Groups, lines and labels: no two settings under one label, over sweeps of every part and rules."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from unmeasured import Unmeasured

import resexp
from resexp import store
from resexp.errors import ConfigError, MixedError
from resexp.estimate.network import Measurer
from resexp.plan.dotted import leaves
from resexp.plan.groups import labelled
from resexp.plan.make import make_plan
from resexp.plan.trial import Trial

BASE: dict[str, Any] = {
    "name": "t",
    "data": {"kind": "synthetic", "validation_size": 16},
    "model": {"kind": "resnet", "depth": 8},
    "training": {"epochs": 1},
}


def planned(folder: Path, document: Mapping[str, Any], *overrides: str) -> list[Trial]:
    file = folder / "t.yaml"
    file.write_text(yaml.safe_dump({**BASE, **document}, sort_keys=False))
    return make_plan(resexp.load(file, overrides), Unmeasured())


def variants(trials: list[Trial]) -> list[str]:
    return list(dict.fromkeys(trial.variant for trial in trials))


PARTS: dict[str, list[Any]] = {
    "training.optimizer": [
        "sgd",
        {"kind": "sgd", "lr": 0.01},
        {"kind": "sgd", "lr": 0.01, "nesterov": True},
        {"kind": "adamw", "lr": 0.01},
    ],
    "training.schedule": [
        "constant",
        {"kind": "step", "gamma": 0.5},
        {"kind": "step", "low_rate": {"factor": 0.5}},
        {"kind": "step", "low_rate": {"factor": 0.2}},
        {"kind": "step", "warmup": 0.1},
    ],
    "model": [
        {"kind": "resnet", "depth": 8, "width": 4},
        {"kind": "resnet", "depth": 8, "width": 8},
        {"kind": "resnet", "depth": 8, "width": 8, "connection": {"kind": "residual", "shortcut": "pool"}},
        {"kind": "mlp", "depth": 8, "width": 8},
    ],
    "model.connection": ["plain", "residual", {"kind": "residual", "shortcut": "pool"}],
    "data": [
        {"kind": "cifar10", "root": "/a/c", "validation_size": 9},
        {"kind": "cifar10", "root": "/b/c", "validation_size": 9},
        {"kind": "cifar10", "root": "/b/c\u200b", "validation_size": 9},
        {"kind": "synthetic", "noise": 0.1, "validation_size": 9},
    ],
    "task": ["classification", {"kind": "classification", "label_smoothing": 0.1}],
    "probes": [
        [],
        ["gradient_norms"],
        [{"kind": "gradient_norms", "at": [0.5]}],
        [{"kind": "jacobian", "draws": 2}, "gradient_norms"],
        [{"kind": "jacobian", "draws": 3}, "gradient_norms"],
    ],
    "model.init": ["he", "xavier"],
    "training.clip": [None, 1.0],
    "data.classes": [None, 2, [0, 1], ["0", "1"]],
    "data.crop": [0, 4],
}
"""For every part values whose kinds agree though their options, at some depth of nesting, do not."""

RULES: list[dict[str, Any]] = [
    {"when": {"seed": 1}, "set": {"training.clip": 2.0}},
    {"when": {"model.depth": 14}, "set": {"training.clip": 3.0}},
    {"when": {"model.depth": 14, "seed": 0}, "set": {"data.crop": 2}},
    {"when": {"model.init": "xavier"}, "set": {"training.batch_size": 64}},
    {"when": {"model.connection": "residual"}, "set": {"model.connection.shortcut": "pool"}},
]


@pytest.mark.parametrize("key", PARTS)
def test_each_value_of_a_swept_part_is_a_row(key: str, tmp_path: Path) -> None:
    trials = planned(tmp_path, {"sweep": {key: PARTS[key], "seed": [0, 1]}})
    assert len(trials) == 2 * len(PARTS[key])
    assert len(variants(trials)) == len(PARTS[key])
    assert all(label.isprintable() for label in variants(trials))


@pytest.mark.parametrize("key", PARTS)
def test_each_grid_of_a_list_is_a_row(key: str, tmp_path: Path) -> None:
    trials = planned(tmp_path, {"sweep": [{key: [value], "seed": [0, 1]} for value in PARTS[key]]})
    assert len(variants(trials)) == len(PARTS[key])


def test_a_label_says_how_parts_of_one_kind_differ(tmp_path: Path) -> None:
    def of(key: str) -> list[str]:
        return variants(planned(tmp_path, {"sweep": {key: PARTS[key]}}))

    assert of("training.optimizer") == [
        "plain (sgd, lr=0.1, nesterov=False)",
        "plain (sgd, lr=0.01, nesterov=False)",
        "plain (sgd, lr=0.01, nesterov=True)",
        "plain (adamw)",
    ]
    assert of("data")[:2] == ["plain (cifar10, /a/c)", "plain (cifar10, /b/c)"]
    assert of("training.schedule")[2:4] == [
        "plain (step, warmup=0.0, gamma=0.1, factor=0.5)",
        "plain (step, warmup=0.0, gamma=0.1, factor=0.2)",
    ]


def sweeps(count: int) -> Iterator[dict[str, Any]]:
    """Sweeps made up at random, always the same: up to three axes or two grids of them, rules, tuned keys."""
    draw = random.Random(20)
    for _ in range(count):
        grids: list[dict[str, Any]] = []
        for _ in range(draw.choice([1, 1, 2])):
            keys = draw.sample(list(PARTS), draw.randint(1, 3))
            grid = {key: draw.sample(PARTS[key], draw.randint(1, len(PARTS[key]))) for key in keys}
            whole = "model" in grid
            depths = {} if whole else {"model.depth": draw.choice([[8], [8, 14]])}
            grids.append({**grid, **depths, "seed": draw.choice([[0], [0, 1]])})
        document: dict[str, Any] = {"sweep": grids if len(grids) > 1 else grids[0]}
        if draw.random() < 0.3 and not any("training.optimizer" in grid for grid in grids):
            document["tune"] = {"training.optimizer.lr": [0.1, 0.2]}
        yield {**document, "overrides": draw.sample(RULES, draw.randint(0, 2))}


def own(trial: Trial) -> str:
    """All that a trial's settings are, but for its seed and what is tuned."""
    apart = ("seed", "model.depth", *trial.tuned)
    return json.dumps({path: value for path, value in leaves(trial.settings) if path not in apart})


@pytest.mark.parametrize("block", range(6))
def test_trials_share_a_row_exactly_if_they_differ_in_seed_and_tuned_values_alone(
    block: int, tmp_path: Path
) -> None:
    several = 0
    for document in itertools.islice(sweeps(90), 15 * block, 15 * (block + 1)):
        try:
            trials = planned(tmp_path, document, "data.flip=false")  # so that rules may match nothing
        except ConfigError:  # one part's option on another kind
            continue
        rows: dict[tuple[str, int], set[str]] = {}
        settings: dict[tuple[str, int], set[tuple[str, int]]] = {}
        for trial in trials:
            rows.setdefault((trial.variant, trial.depth), set()).add(own(trial))
            settings.setdefault((own(trial), trial.depth), set()).add((trial.variant, trial.depth))
        assert all(len(found) == 1 for found in rows.values()), document
        assert all(len(found) == 1 for found in settings.values()), document
        assert len({trial.name for trial in trials}) == len(trials), document
        assert [replace(t, cost=None) for t in labelled(trials)] == trials, "labels of labelled trials stay"
        several += len(rows) > 1
    assert several > 5


def test_a_line_over_depth_goes_on_where_a_rule_follows_the_depth(tmp_path: Path) -> None:
    rule = {"when": {"model.depth": 14}, "set": {"training.schedule": {"kind": "step", "low_rate": {}}}}
    sweep = {"model.connection": ["plain", "residual"], "model.depth": [8, 14]}
    trials = planned(tmp_path, {"sweep": sweep, "overrides": [rule]})
    assert [trial.variant for trial in trials] == ["plain", "plain", "residual", "residual"]


def test_a_line_over_depth_goes_on_where_matching_gives_each_depth_a_size_of_its_own(tmp_path: Path) -> None:
    document = {
        "model": {"kind": "resnet", "depth": 8, "match": "params"},
        "sweep": {"model.connection": ["residual", "skip"], "model.depth": [8, 14], "seed": [0, 1]},
    }
    file = tmp_path / "t.yaml"
    file.write_text(yaml.safe_dump({**BASE, **document}, sort_keys=False))
    trials = make_plan(resexp.load(file), Measurer("cpu"))
    growths = {trial.settings["model"]["connection"].get("growth") for trial in trials}
    assert len(growths) == 3  # none for residual nets
    assert variants(trials) == ["residual", "skip"]


def test_a_rule_that_follows_the_seed_makes_another_row(tmp_path: Path) -> None:
    rule = {"when": {"seed": 1}, "set": {"training.clip": 2.0}}
    trials = planned(tmp_path, {"sweep": {"seed": [0, 1, 2]}, "overrides": [rule]})
    assert [trial.variant for trial in trials] == [
        "plain (clip=None)",
        "plain (clip=2.0)",
        "plain (clip=None)",
    ]


def test_candidates_of_what_is_tuned_are_one_row_whatever_rules_make_of_them(tmp_path: Path) -> None:
    rule = {"when": {"training.optimizer.lr": 0.2}, "set": {"training.clip": 1.0}}
    tune = {"training.optimizer.lr": [0.1, 0.2]}
    trials = planned(tmp_path, {"sweep": {"seed": [0, 1]}, "tune": tune, "overrides": [rule]})
    assert variants(trials) == ["plain"]
    assert len({trial.name for trial in trials}) == 4


def test_long_labels_that_are_cut_alike_are_still_names_of_their_own(tmp_path: Path) -> None:
    roots = [f"/{'long/' * 20}{end}" for end in "ab"]
    data = [{"kind": "cifar10", "root": root} for root in roots]
    trials = planned(tmp_path, {"sweep": {"data": data}})
    assert len({trial.name for trial in trials}) == 2


def twins(tmp_path: Path) -> list[Trial]:
    """Two trials that differ in nothing that is known of them, though their ids do."""
    (trial,) = planned(tmp_path, {})
    return [trial, replace(trial, id="f" * 12)]


def test_two_trials_in_one_group_at_one_seed_are_refused(tmp_path: Path) -> None:
    first, second = twins(tmp_path)
    with pytest.raises(MixedError, match="are different trials"):
        labelled([first, second])
    assert len(labelled([first, replace(second, seed=1)])) == 2
    known = labelled([replace(first, data="one"), replace(second, data="another")])
    assert [trial.variant for trial in known] == [
        "plain (content of the data=one)",
        "plain (content of the data=another)",
    ]


def test_a_results_folder_with_two_trials_in_one_group_at_one_seed_is_refused(tmp_path: Path) -> None:
    trials = twins(tmp_path)
    store.create(tmp_path, "e", config_text="", trials=trials, environment={}).close()
    with pytest.raises(MixedError, match="are different trials") as refused:
        store.read(tmp_path / "e")
    assert refused.value.exit_status == 1


def test_a_trial_is_found_by_its_id_whatever_it_is_called(tmp_path: Path) -> None:
    (alone,) = planned(tmp_path, {"training": {"epochs": 1, "optimizer": "sgd"}})
    with store.create(tmp_path, "e", config_text="", trials=[alone], environment={}) as experiment:
        hold = store.Attempt(*experiment.claim(alone))
        hold.begin({})
        hold.commit({"status": "done", "test_error": 0.5})
    sweep = {"training.optimizer": PARTS["training.optimizer"]}
    trials = planned(tmp_path, {"sweep": sweep})
    assert trials[0].id == alone.id
    assert trials[0].name != alone.name
    with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
        assert experiment.pending() == trials[1:]
    records = store.read(tmp_path / "e")
    assert list(records.trials["test_error"].dropna()) == [0.5]
    assert records.notes == []


def test_a_trial_that_stopped_goes_on_whatever_it_is_called(tmp_path: Path) -> None:
    (alone,) = planned(tmp_path, {})
    with store.create(tmp_path, "e", config_text="", trials=[alone], environment={}) as experiment:
        hold = store.Attempt(*experiment.claim(alone))
        hold.begin({})
        hold.save_checkpoint(b"state", 3)
        renamed = replace(alone, name="other")
        folder, number = store.create(tmp_path, "e2", config_text="", trials=[renamed], environment={}).claim(
            renamed
        )
        assert number == 1
    with store.create(tmp_path, "e", config_text="", trials=[renamed], environment={}) as experiment:
        folder, number = experiment.claim(renamed)
        assert (folder.name, number) == (f"{alone.name}-{alone.id}", 2)
        assert store.Attempt(folder, number).begin({}) == b"state"
