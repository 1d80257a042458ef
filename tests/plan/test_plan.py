"""Experiment -> trials: identities, labels, matched sizes, and depths that do not fit."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

import resexp
from resexp.api import trials
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.plan.trial import Trial, identity

BASE = """\
name: t
data: {kind: synthetic, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 1, batch_size: 16}
"""


def planned(tmp_path: Path, text: str = "", *overrides: str) -> list[Trial]:
    file = tmp_path / "t.yaml"
    file.write_text(BASE + text)
    return trials(resexp.load(file, overrides), "cpu")


def ids(found: list[Trial]) -> set[str]:
    return {trial.id for trial in found}


def test_adding_a_depth_or_a_seed_keeps_the_trials_there_are(tmp_path: Path) -> None:
    small = planned(tmp_path, "sweep: {model.depth: [8, 14], seed: [0, 1]}")
    large = planned(tmp_path, "sweep: {model.depth: [8, 14, 20], seed: [0, 1, 2]}")
    assert (len(small), len(large)) == (4, 9)
    assert ids(small) < ids(large)


@pytest.mark.parametrize(
    "change",
    ["seed=1", "training.epochs=2", "model.width=8", "data.noise=0.4", "training.precision=bfloat16"],
)
def test_whatever_changes_the_numbers_changes_the_id(change: str, tmp_path: Path) -> None:
    assert not ids(planned(tmp_path)) & ids(planned(tmp_path, "", change))


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key)) if value and isinstance(value, dict | list) else [(*path, key)]


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


def test_every_single_value_is_in_the_id(tmp_path: Path) -> None:
    more = "probes: [gradient_norms]\nsweep: {training.schedule: [{kind: step, low_rate: {}}], seed: [3]}\n"
    file = tmp_path / "t.yaml"
    second = "discriminator: {kind: resnet, depth: 8}\n"
    file.write_text(BASE + more + second)
    (point,) = resexp.load(file).points
    before, tree = identity(point.settings, "data"), point.settings.model_dump(mode="json")
    others = [True, False, 0, 1, 7, 0.25, [0.25], "pre", "none", "tanh", "xavier", "params", "bfloat16"]
    others += ["residual", "adamw", "cosine", "responses", "digits", "bottleneck", "both", "pixel_mean"]
    others += ["discriminator"]
    untried = set()
    for path in leaves(tree):
        for value in others:
            try:
                other = parse_settings(changed(tree, path, value))
            except ConfigError:
                continue
            if other != point.settings:
                assert identity(other, "data") != before, path
                break
        else:
            untried.add(path[-1])
    assert untried <= {"kind", "epochs", "iterations"}, "a kind alone changes with its options"
    assert identity(point.settings, "other data") != before


def test_an_option_added_with_a_default_leaves_the_id(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(BASE)
    settings = resexp.load(file).points[0].settings
    sgd, training = settings.training.optimizer, settings.training
    later = create_model("Later", __base__=type(sgd), added=(float, 0.5))

    def with_optimizer(**options: Any) -> str:
        optimizer = later.model_validate({**sgd.model_dump(), **options})
        new = training.model_copy(update={"optimizer": optimizer})
        return identity(settings.model_copy(update={"training": new}), "data")

    assert with_optimizer() == identity(settings, "data")
    assert with_optimizer(added=0.25) != with_optimizer()


def test_data_that_were_moved_are_the_same_data(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(BASE)
    points = [resexp.load(file, [f"data={{kind: cifar10, root: {root}}}"]).points for root in ("a", "b")]
    first, second = (identity(point.settings, "data") for (point,) in points)
    assert first == second


def test_the_kind_of_a_part_is_in_the_id_though_all_its_options_have_defaults(tmp_path: Path) -> None:
    kinds = ["model.connection=plain", "model.connection=residual", "training.optimizer=adamw"]
    assert len(set.union(*(ids(planned(tmp_path, "", kind)) for kind in kinds))) == 3


def test_the_name_of_the_experiment_does_not(tmp_path: Path) -> None:
    assert ids(planned(tmp_path)) == ids(planned(tmp_path, "", "name=other"))


def test_labels_say_what_varies_and_nothing_else(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        "sweep:\n"
        "  model.connection: [plain, {kind: residual, shortcut: pad}, {kind: residual, shortcut: pool}]\n"
        "  model.depth: [8, 14]\n",
    )
    labels = ["plain", "plain", *["residual (pad)"] * 2, *["residual (pool)"] * 2]
    assert [trial.variant for trial in found] == labels
    assert found[-1].name == "residual-pool_d14_s0"


def test_a_union_of_grids_labels_what_only_some_of_them_vary(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        "sweep:\n"
        "  - {model.connection: [plain], model.init: [he, xavier]}\n"
        "  - {model.connection: [plain, residual], model.activation: [tanh], model.init: [he]}\n",
    )
    assert [trial.variant for trial in found] == [
        "plain (he, relu)",
        "plain (xavier, relu)",
        "plain (he, tanh)",
        "residual",
    ]


def test_what_is_tuned_is_in_the_name_and_not_in_the_label(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        "sweep: {model.connection: [plain, residual]}\n"
        "tune: {training.optimizer.lr: [0.1, 0.3], training.schedule: [constant, cosine]}\n",
        "data.validation_size=10",
    )
    assert [trial.variant for trial in found] == ["plain"] * 4 + ["residual"] * 4
    assert found[1].name == "plain_lr=0.1-schedule=cosine_d8_s0"
    assert found[1].tuned == {"training.optimizer.lr": 0.1, "training.schedule": "cosine"}
    assert found[1].axes == {"model.connection": "plain", **found[1].tuned}
    assert len(ids(found)) == 8


@pytest.mark.parametrize("budget", ["params", "macs"])
def test_a_matched_variant_costs_what_the_plain_net_costs(budget: str, tmp_path: Path) -> None:
    rule = f"overrides: [{{when: {{model.connection: skip}}, set: {{model.match: {budget}}}}}]\n"
    plain, skip = planned(
        tmp_path, rule + "sweep: {model.connection: [plain, skip]}", "model.width=16", "model.depth=20"
    )
    assert plain.cost is not None
    assert skip.cost is not None
    assert getattr(skip.cost, budget) == pytest.approx(getattr(plain.cost, budget), rel=0.05)
    assert skip.settings["model"]["connection"]["growth"] != 12


def test_depths_that_do_not_fit_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, "sweep:\n  model.depth: [8, 9, 21]\n  seed: [0, 1]\n")
    first, second = str(caught.value).splitlines()
    assert first == (
        f"{tmp_path / 't.yaml'}:6: model.depth: resnet has no depth 9, "
        "its depths are 6n+2 with basic blocks; near it: 8 or 14"
    )
    assert "no depth 21" in second


def test_automatic_precision_is_decided_in_the_plan(tmp_path: Path) -> None:
    (trial,) = planned(tmp_path, "", "training.precision=auto")
    assert trial.settings["training"]["precision"] in {"float32", "bfloat16"}


def test_a_trial_survives_json(tmp_path: Path) -> None:
    (trial,) = planned(tmp_path)
    assert Trial.from_json(trial.to_json()) == trial
