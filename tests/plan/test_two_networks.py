"""A second network with settings of its own: what is refused, each in one line, and what a plan counts."""

from __future__ import annotations

from typing import Any

import pytest

from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer

SMALL = {"width": 4, "norm": "none"}
BASE: dict[str, Any] = {
    "data": "digits",
    "task": "adversarial",
    "model": {"kind": "generator", "depth": 4, **SMALL},
    "discriminator": {"kind": "discriminator", "depth": 7, **SMALL},
    "training": {"epochs": 1},
}


def planned(changes: dict[str, Any]) -> Any:
    measurer = Measurer("cpu")
    return measurer.cost(measurer.resolve(parse_settings({**BASE, **changes})))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"discriminator": None}, "discriminator: is missing: adversarial trains two networks"),
        (
            {"task": "classification", "model": {"kind": "resnet", "depth": 8}},
            "discriminator: has no effect: classification trains only one network",
        ),
        (
            {"model": {"kind": "resnet", "depth": 8}},
            "model: resnet is for tasks with labels",
        ),
        (
            {"discriminator": {"kind": "generator", "depth": 4}},
            "generator is for tasks with noise",
        ),
        (
            {"discriminator": {"kind": "discriminator", "depth": 8}},
            "discriminator.depth: ",
        ),
        ({"data": "digit_scenes"}, "data: does not fit adversarial"),
        ({"training": {"epochs": 1, "clip": 1.0}}, "training.clip: has no effect on adversarial"),
        (
            {"data": {"kind": "digits", "validation_size": 100}},
            "data.validation_size: has no effect on adversarial; leave it at None",
        ),
        (
            {
                "task": {"kind": "adversarial", "loss": "wgan_gp"},
                "discriminator": {"kind": "discriminator", "depth": 7},
            },
            "discriminator.norm: batch does not fit adversarial: the gradient penalty",
        ),
        ({"probes": [{"kind": "lesion"}]}, "probes.0: lesion is for tasks with labels"),
        (
            {"probes": [{"kind": "lesion", "of": "discriminator"}]},
            "lesion of discriminator is for tasks with labels; remove it: adversarial learns from images",
        ),
        ({"probes": [{"kind": "linear_probe"}]}, "remove it: generator learns from noise"),
        (
            {
                "task": "classification",
                "model": {"kind": "resnet", "depth": 8},
                "discriminator": None,
                "probes": [{"kind": "gradient_norms", "of": "discriminator"}],
            },
            "probes.0.of: discriminator: classification trains only one network",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        planned(changes)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_the_cost_is_that_of_both_networks() -> None:
    wider = {"discriminator": {**BASE["discriminator"], "width": 8}}
    assert planned({}).params < planned(wider).params
