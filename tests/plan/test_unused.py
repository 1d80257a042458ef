"""Options that change a trial's id but nothing else are refused, each in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import resexp
from resexp.api import trials
from resexp.errors import ConfigError
from resexp.plan.trial import Trial

RESNET = {"kind": "resnet", "depth": 8, "width": 4}
VIT = {"kind": "vit", "depth": 1, "width": 8, "order": "pre", "norm": "layer"}
TRANSFORMER = {**VIT, "kind": "transformer"}
RESIDUAL = {"connection": "residual"}


def planned(folder: Path, changes: dict[str, Any], *overrides: str) -> list[Trial]:
    base = {"name": "t", "data": "synthetic", "model": RESNET, "training": {"epochs": 1}}
    file = folder / "t.yaml"
    file.write_text(json.dumps(base | changes))
    return trials(resexp.load(file, overrides), "cpu")


def text(**model: Any) -> dict[str, Any]:
    data = {"kind": "python_topics", "context": 16, "train_size": 256, "test_size": 16}
    return {"data": data, "task": "language", "model": {**TRANSFORMER, **model}}


def image(**model: Any) -> dict[str, Any]:
    return {"model": {**VIT, **model}}


def by(shortcut: str) -> dict[str, Any]:
    return {"connection": {"kind": "residual", "shortcut": shortcut}}


def schedule(kind: str, **options: Any) -> dict[str, Any]:
    return {"training": {"epochs": 1, "batch_size": 16, "schedule": {"kind": kind, **options}}}


def optimizer(kind: str, **options: Any) -> dict[str, Any]:
    return {"training": {"epochs": 1, "optimizer": {"kind": kind, **options}}}


def gan(**task: Any) -> dict[str, Any]:
    nets = {key: {"kind": key, "width": 4, "norm": "none"} for key in ("generator", "discriminator")}
    return {
        "task": {"kind": "adversarial", **task},
        "model": {**nets["generator"], "depth": 4},
        "discriminator": {**nets["discriminator"], "depth": 7},
    }


def unet(**model: Any) -> dict[str, Any]:
    return {"data": "digit_scenes", "task": "segmentation", "model": {"kind": "unet", "width": 4, **model}}


def svbm(connection: str, **model: Any) -> dict[str, Any]:
    model = {"kind": "svbm", "depth": 2, "connection": connection, **model}
    return {"data": {"kind": "table", "name": "iris"}, "model": model}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (image(span=0, connection="hyper"), "model.connection: has no effect with span: 0; leave it at plain"),
    (image(span=0, **RESIDUAL), "model.connection: has no effect with span: 0; leave it at plain"),
    (text(mlp=False, mlp_ratio=2.0), "model.mlp_ratio: has no effect with mlp: false; leave it at 4.0"),
    (text(dropout_at="skip"), "model.dropout_at: has no effect with dropout: 0; leave it at branch"),
    (
        text(dropout=0.1, dropout_at="mlp", mlp=False),
        "model.dropout: has no effect with dropout_at: mlp and mlp: false; leave it at 0.0",
    ),
    (
        text(dropout=0.1, dropout_at="skip"),
        "model.dropout: has no effect with dropout_at: skip and connection: plain; leave it at 0.0",
    ),
    (text(connection={"kind": "skip", "theta": 0.5}, tied=False), "model.connection.theta: has no effect on"),
    (unet(depth=4, levels=1, long_skip="add"), "model.long_skip: has no effect with levels: 1; leave it at"),
    (
        gan(penalty_weight=1.0),
        "task.penalty_weight: has no effect with loss: hinge; leave it",
    ),
    (
        {
            **gan(),
            "discriminator": {
                **{"kind": "densenet", "depth": 7, "width": 4, "norm": "none"},
                "connection": {"kind": "skip", "theta": 0.5},
            },
        },
        "discriminator.connection.theta: has no effect on densenet",
    ),
    (
        optimizer("adamw", weight_decay=0.0, decay_on="matrices"),
        "training.optimizer.decay_on: has no effect with weight_decay: 0; leave it at all",
    ),
    (
        optimizer("sgd", momentum=0.0, nesterov=True),
        "training.optimizer.nesterov: has no effect with momentum: 0; leave it at false",
    ),
    (
        schedule("cosine", after_warmup=True),
        "training.schedule.after_warmup: has no effect with warmup: 0; leave it at false",
    ),
    (image(**by("projection")), "model.connection.shortcut: projection makes the same"),
    (image(connection={"kind": "hyper", "shortcut": "pad_end"}), "network as pad, with these sizes of block"),
    (
        {**gan(), "model": {"kind": "generator", "depth": 4, "norm": "none", **by("pool")}},
        "model.connection.shortcut: pool makes the same network as projection, with these sizes of blocks; "
        "give projection",
    ),
]

ACCEPTED: list[dict[str, Any]] = [
    image(norm="none"),
    image(span=0),
    image(**by("projection_everywhere")),
    text(mlp=False),
    text(dropout=0.1, dropout_at="skip", **RESIDUAL),
    text(dropout=0.1, dropout_at="both", mlp=False),
    {"model": {**RESNET, "order": "pre", "pre_activation": "both"}},
    unet(depth=9, levels=2, long_skip="add"),
    svbm("plain", rule="adaptive", beta=0.7),
    gan(penalty_weight=1.0, loss="wgan_gp"),
    optimizer("adamw", decay_on="matrices"),
    schedule("cosine", warmup=0.06, after_warmup=True),
    schedule("constant", warmup=0.1),
    *(
        {"model": {**RESNET, **by(kind)}}
        for kind in ("pad", "pad_end", "projection", "projection_everywhere", "pool")
    ),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED)
def test_what_has_no_effect_is_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, changes)
    (line,) = str(refused.value).splitlines()
    assert says in line
    assert line.startswith(f"{tmp_path / 't.yaml'}:1: ")


@pytest.mark.parametrize("changes", ACCEPTED)
def test_what_has_an_effect_is_not(changes: dict[str, Any], tmp_path: Path) -> None:
    assert planned(tmp_path, changes)


def test_a_sweep_may_have_points_at_which_an_option_has_no_effect(tmp_path: Path) -> None:
    changes = text(dropout_at="attention") | {"sweep": {"model.dropout": [0.0, 0.1]}}
    assert len(planned(tmp_path, changes)) == 2
    assert len(planned(tmp_path, changes, "model.dropout=0")) == 1  # a part of the file's sweep


def test_an_option_is_not_swept_where_it_has_no_effect(tmp_path: Path) -> None:
    sweep = {"model.dropout": [0.0, 0.1], "model.dropout_at": ["attention", "mlp"]}
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, text() | {"sweep": sweep})
    assert (
        "model.dropout_at: has no effect with dropout: 0; leave it at branch, or set it by overrides"
        in str(refused.value)
    )


def test_a_rule_of_the_sweep_sets_an_option_where_it_acts(tmp_path: Path) -> None:
    rule = {"when": {"model.dropout": 0.1}, "set": {"model.dropout_at": "attention"}}
    found = planned(tmp_path, text() | {"sweep": {"model.dropout": [0.0, 0.1]}, "overrides": [rule]})
    assert [trial.settings["model"]["dropout_at"] for trial in found] == ["branch", "attention"]


def test_a_sweep_over_span_begins_without_shortcuts(tmp_path: Path) -> None:
    assert len(planned(tmp_path, image(**RESIDUAL) | {"sweep": {"model.span": [0, 1]}})) == 2


def test_an_option_that_idles_at_all_points_for_different_reasons_is_refused(tmp_path: Path) -> None:
    sweep = {"model.connection": ["plain", "skip_input"]}
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, text(dropout=0.1, dropout_at="skip", tied=False) | {"sweep": sweep})
    for kind in sweep["model.connection"]:
        says = f"model.dropout: has no effect with dropout_at: skip and connection: {kind}"
        assert says in str(refused.value)


@pytest.mark.parametrize(
    ("declares", "says"),
    [
        (
            '(("floor", {"warmup": 0}),)',
            "training.schedule.floor: has no effect with warmup: 0; leave it",
        ),
        ('(("flor", {"warmup": 0}),)', "Mine.idle_with: names flor, which is not an option; name one of "),
        (
            '(("floor", "warmup"),)',
            "Mine.idle_with: is not a tuple of pairs of an option and a dict of settings; ",
        ),
        ("made()", "is not a tuple of pairs of an option and a dict of settings; write literal"),
    ],
)
def test_a_plugin_declares_which_options_idle(declares: str, says: str, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from resexp.training.schedules import Schedule\n\n"
        "class Mine(Schedule):\n"
        f"    idle_with = {declares}\n\n"
        "    def __init__(self, *, floor: float = 0.0) -> None:\n"
        "        self.floor = floor\n\n"
        "    def factor(self, step: int, total: int) -> float:\n"
        "        return self.floor\n"
    )
    file = tmp_path / "t.yaml"
    training = {"epochs": 1, "schedule": {"kind": "mine", "floor": 0.5}}
    file.write_text(json.dumps({"name": "t", "data": "synthetic", "model": RESNET, "training": training}))
    with pytest.raises(ConfigError) as refused:
        trials(resexp.load(file, plugins=[plugin]), "cpu")
    assert says in str(refused.value)
