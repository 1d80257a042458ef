"""Settings that would average two measurements or leave nothing to learn are refused before training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from resexp.config.parse import parse_probes, parse_settings
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer, data_key

BASE: dict[str, Any] = {
    "data": {"kind": "digits"},
    "model": {"kind": "resnet", "depth": 8, "width": 4},
    "training": {"iterations": 5},
}


def planned(**changes: Any) -> str:
    """What is wrong with the settings; "" if they are planned."""
    try:
        Measurer("cpu").resolve(parse_settings({**BASE, **changes}))
    except ConfigError as refused:
        return str(refused)
    return ""


def ridges(*moments: tuple[float, ...]) -> list[dict[str, Any]]:
    """A probe for each of `moments`, all of one kind, each with an option of its own."""
    return [{"kind": "linear_probe", "ridge": 10.0**n, "at": at} for n, at in enumerate(moments)]


def test_two_probes_of_one_name_at_one_moment_are_refused() -> None:
    assert planned(probes=ridges((0.0, 1.0), (1.0,))).startswith(
        "probes.1: linear_probe measures at 100 % of training, as probes.0 does; keep one of them"
    )
    assert not planned(probes=ridges((0.0,), (1.0,))), "readings of two moments are told apart"
    assert planned(probes=ridges((0.0, 0.5), (0.5,))), "what was planned before does not matter"
    assert planned(probes=ridges((1.0, 1.0))).startswith("probes.0.at: has a moment twice")


def test_processes_that_share_a_batch_are_counted_again_where_examples_are_fewer() -> None:
    """The set and its options stay the same, as in a folder from which files were removed."""
    training = {"epochs": 1, "batch_size": 64, "processes": 3}
    data = {"kind": "digits", "image_size": 9}
    settings = parse_settings({**BASE, "data": data, "training": training})
    measurer = Measurer("cpu")
    measurer.resolve(settings)
    fewer = replace(measurer.facts(settings), train_counts=(2, *[0] * 9))
    with pytest.raises(ConfigError, match="3 processes cannot share a batch of 2"):
        Measurer("cpu", known={data_key(settings): fewer}).resolve(settings)


def test_resexp_probe_measures_each_kind_once() -> None:
    with pytest.raises(ConfigError, match="--probe: linear_probe is given twice; keep one"):
        parse_probes(["linear_probe", "{kind: linear_probe, ridge: 1.0}"])


@pytest.mark.parametrize(("crop", "refused"), [(0, False), (4, False), (7, False), (8, True), (32, True)])
def test_a_crop_is_the_padding_and_not_the_size(crop: int, refused: bool) -> None:
    said = planned(data={"kind": "digits", "crop": crop})
    wrong = f"data.crop: pads each side by {crop} pixels, so crops may show nothing of 8 x 8"
    assert said.startswith(wrong) if refused else not said


@pytest.mark.parametrize("classes", [1, ["3"]])
def test_one_class_is_nothing_to_classify(classes: Any) -> None:
    said = planned(data={"kind": "digits", "classes": classes})
    assert said.startswith("data.classes: leaves one class, ")
    assert "so there is nothing to classify" in said


def test_one_class_can_be_generated() -> None:
    small = {"width": 4, "norm": "none"}
    assert not planned(
        data={"kind": "digits", "classes": 1},
        task="adversarial",
        model={"kind": "generator", "depth": 4, **small},
        discriminator={"kind": "discriminator", "depth": 7, **small},
    )
