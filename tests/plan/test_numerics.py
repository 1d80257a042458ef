"""Versions of numbers: every one names something, is read without an import, and is hashed only if not 1."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import resexp
from resexp.catalog import scan
from resexp.config import grid
from resexp.config.load import read_plugins
from resexp.config.schema import known_keys
from resexp.errors import ConfigError
from resexp.plan import numerics
from resexp.plan.trial import identity

PART = """
from resexp.connections.base import Connection

class Mine(Connection):
    \"\"\"A test's.\"\"\"
    numerics = {version}
"""


ROLES = {"probes": "probe", "model.connection": "connection", "model.kind": "model"}
"""The keys at which versions name kinds of parts, and the roles of these parts."""


def naming_nothing(choices: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The keys and values of versions that no setting has."""
    found = []
    for together, values in choices.items():
        for place, whole in enumerate(together.split(numerics.TOGETHER)):
            key = whole.partition(numerics.ABOVE)[0]
            spots = [grid.locate(each, key.split(".")) for each in (EVERYTHING, PLAYED, TOKENS, MADE, FILLED)]
            spot = next((each for each in spots if each.field is not None), spots[0])
            if key not in known_keys(()) or spot.field is None:
                found.append(key)
                continue
            for value in dict.fromkeys(value.split(numerics.TOGETHER)[place] for value in values):
                role = ROLES.get(key)
                try:
                    if role:
                        found += [] if value in scan.parts(role) else [f"{key}={value}"]
                    elif value != "*":
                        TypeAdapter(spot.field.annotation).validate_python(value, strict=True)
                except ValidationError:
                    found.append(f"{key}={value}")
    return found


def test_every_version_of_a_choice_names_one() -> None:
    assert naming_nothing(numerics.CHOICES) == []
    right = {"model.init": {"orthogonal": 2, "he": 3}, "training.clip": {"*": 2}, "data.crop": {"*": 2}}
    assert naming_nothing(right) == []
    wrong = {"model.init": {"ortogonal": 2}, "model.innit": {"he": 2}, "norm": {"batch": 2}}
    assert naming_nothing(wrong) == ["model.init=ortogonal", "model.innit", "norm"]
    together = {"model.init with model.activation": {"he with tanh": 2, "hee with tanh": 2, "he with tan": 2}}
    assert naming_nothing(together) == ["model.init=hee", "model.activation=tan"]
    assert naming_nothing({"probes with training.clip": {"lesion with *": 2, "lesson with *": 2}}) == [
        "probes=lesson"
    ]


def with_version(source: str) -> set[str]:
    """The classes of a file that state a version."""
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(line.value, ast.Constant)
        for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
        if isinstance(target, ast.Name) and target.id == "numerics"
    }


def test_every_version_of_a_class_is_of_a_part() -> None:
    assert with_version(PART.format(version=2)) == {"Mine"}
    parts = {(part.file, part.class_name) for role in scan.ROLES for part in scan.parts(role).values()}
    for file in Path(resexp.__file__).parent.rglob("*.py"):
        stated = with_version(file.read_text()) - {"PartInfo"}
        assert {(file, name) for name in stated} <= parts, file


def test_a_part_s_version_is_read_and_a_wrong_one_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PART.format(version=2))
    assert scan.parts("connection", read_plugins([file]))["mine"].numerics == 2
    for version in ("0", "'2'", "True", "1 + 1"):
        file.write_text(PART.format(version=version))
        with pytest.raises(ConfigError, match=r"Mine\.numerics: is not a version; write a whole number"):
            read_plugins([file])


EVERYTHING: dict[str, Any] = {
    "data": {"kind": "synthetic", "crop": 2},
    "task": {"kind": "classification"},
    "model": {
        "kind": "resnet",
        "depth": 8,
        "connection": {"kind": "gated"},
        "order": "post",
        "norm": "group",
    },
    "training": {
        "epochs": 1,
        "optimizer": {"kind": "adamw"},
        "schedule": {"kind": "step", "low_rate": {"factor": 0.5}},
        "clip": None,
    },
    "probes": [{"kind": "responses"}, {"kind": "lesion"}],
}
PLAYED = EVERYTHING | {"task": {"kind": "ppo"}}
FILLED = EVERYTHING | {"model": {"kind": "masked_autoencoder", "depth": 8}}
TOKENS = EVERYTHING | {"model": {"kind": "vit", "depth": 8}}
MADE = EVERYTHING | {"discriminator": {"kind": "discriminator", "depth": 7}}


def test_every_part_a_trial_uses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert numerics.versions(EVERYTHING) == {}
    monkeypatch.setattr(numerics, "_revised", lambda role: dict.fromkeys(scan.parts(role), 2))
    assert set(numerics.versions(EVERYTHING)) == {
        "data.synthetic",
        "task.classification",
        "model.resnet",
        "model.connection.gated",
        "training.optimizer.adamw",
        "training.schedule.step",
        "probes.responses",
        "probes.lesion",
    }


def test_what_is_chosen_by_name_counts_where_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = {
        "model.norm": {"group": 2, "batch": 3},
        "model.init": {"orthogonal": 2},
        "model.norm with model.order": {"group with post": 5, "group with pre": 6, "batch with post": 7},
        "data.crop": {"*": 4},
        "training.clip": {"*": 5},
        "training.schedule.low_rate": {"*": 6},
        "probes with training.clip": {"lesion with *": 7},
        "probes with model.connection": {"lesion with gated": 8, "responses with plain": 9},
    }
    monkeypatch.setattr(numerics, "CHOICES", choices)
    assert numerics.versions(EVERYTHING) == {
        "model.norm with model.order.group with post": 5,
        "model.norm.group": 2,
        "data.crop.*": 4,
        "training.schedule.low_rate.*": 6,
        "probes with model.connection.lesion with gated": 8,
    }
    clipped = {**EVERYTHING, "training": {**EVERYTHING["training"], "clip": 0.5}}
    changed = numerics.changed_parts(numerics.versions(EVERYTHING), numerics.versions(clipped))
    assert changed == ["clip", "lesion with clip"]
    assert [numerics.probe_version(name, clipped) for name in ("lesion", "cka")] == [14, 1]


def test_a_version_is_in_the_id_of_those_who_use_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.yaml"
    text = "name: t\ndata: synthetic\nmodel: {kind: resnet, depth: 8}\ntraining: {epochs: 1}\n"
    file.write_text(text + "sweep: {model.init: [he, orthogonal]}\n")
    he, orthogonal = (point.settings for point in resexp.load(file).points)
    before = [identity(settings, "data") for settings in (he, orthogonal)]
    for version, same in ((1, True), (2, False)):
        monkeypatch.setattr(numerics, "CHOICES", {"model.init": {"orthogonal": version}})
        assert identity(he, "data") == before[0]
        assert (identity(orthogonal, "data") == before[1]) is same
    monkeypatch.setattr(numerics, "PROGRAM", 2)
    assert identity(he, "data") != before[0]
    assert numerics.changed_parts({}, numerics.versions(he.model_dump(mode="json"))) == ["resexp"]


@pytest.mark.parametrize(
    ("model", "clip", "anew"),
    [
        ({}, None, []),
        ({}, 1.0, ["update_ratio"]),
        ({"connection": {"kind": "stochastic_depth"}}, None, ["gradient_norms", "responses", "update_ratio"]),
        ({"order": "pre", "norm": "batch"}, None, ["responses"]),
        ({"order": "pre", "norm": "none"}, 1.0, ["update_ratio"]),
        ({"order": "relu_only_pre", "pre_activation": "branch"}, None, []),
        ({"order": "relu_only_pre", "pre_activation": "both"}, None, ["responses"]),
        ({"kind": "vit", "order": "pre", "norm": "layer"}, None, []),
        ({"kind": "vit", "order": "peri", "norm": "layer"}, None, ["responses"]),
        ({"kind": "vit", "order": "post", "norm": "layer", "span": 2}, None, []),
        ({"kind": "vit", "order": "post", "norm": "layer", "span": 3}, None, ["responses"]),
        ({"kind": "vit", "order": "deep_norm", "norm": "layer", "span": 4}, None, ["responses"]),
        ({"kind": "vit", "order": "deep_norm", "norm": "none", "span": 4}, None, []),
    ],
)
def test_a_probe_s_version_is_raised_only_where_it_measures_something_else(
    model: dict[str, Any], clip: float | None, anew: list[str]
) -> None:
    kinds = ["gradient_norms", "responses", "update_ratio", "sharpness"]
    settings = {
        "model": {**EVERYTHING["model"], "norm": "batch", **model},
        "training": {**EVERYTHING["training"], "clip": clip},
        "probes": [{"kind": kind} for kind in kinds],
    }
    assert [kind for kind in kinds if numerics.probe_version(kind, settings) == 2] == anew
    assert len(numerics.versions(settings)) == len(anew)


@pytest.mark.parametrize(("norm", "version"), [("batch", 2), ("none", 1)])
def test_gradients_of_generators_changed_where_the_discriminator_has_batch_norm(
    norm: str, version: int
) -> None:
    settings = {**MADE, "discriminator": {**MADE["discriminator"], "norm": norm}}
    kinds = ("gradient_norms", "update_ratio", "sharpness")
    assert [numerics.probe_version(kind, settings) for kind in kinds] == [version] * 3
    assert numerics.probe_version("responses", settings) == 1


@pytest.mark.parametrize(("zero", "span", "version"), [(True, 2, 2), (True, 1, 1), (False, 2, 1)])
def test_branches_of_several_sublayers_that_begin_at_0_have_a_version(
    zero: bool, span: int, version: int
) -> None:
    model = FILLED["model"] | {"zero_outputs": zero, "span": span}
    found = numerics.versions({**FILLED, "model": model, "probes": []})
    assert list(found.values()) == [version] * (version > 1)
    assert numerics.changed_parts({}, found) == ["zero_outputs with span > 1"] * (version > 1)
