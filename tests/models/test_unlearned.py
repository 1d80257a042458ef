"""A parameter of a user's connection that nothing is computed from is refused, and no other is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from resexp.catalog import scan
from resexp.catalog.plugins import read_plugin
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.models.base import Purpose
from resexp.models.build import network_cost, outlined, started_network
from resexp.models.unlearned import refuse_unlearned

OWN = '''\
import torch
from torch import nn

from resexp.connections.base import ShortcutConnection


class Own(ShortcutConnection):
    """h' = S h + a f(h)"""

    def __init__(self, site, **shortcut):
        super().__init__(site, **shortcut)
        self.a = nn.Parameter(torch.ones(()))
        self.mixed = nn.Conv2d(site.width, site.width, 1)
        self.index = site.index
        self.listed = [nn.Parameter(torch.ones(3))]

    def forward(self, h, f):
        return EQUATION
'''
TRUNK = '''\
from torch import nn

from resexp.models.base import Trunk
from resexp.models.mlp import Mlp


class Listed(Mlp, Trunk):
    """Mlp, with one more layer."""

    def build(self, design):
        network = super().build(design)
        more = [nn.Linear(10, 10)]
        network.head.register_forward_hook(lambda head, inputs, logits: more[0](logits))
        return network
'''
PURPOSE = Purpose((1, 8, 8), 10)


def model_of(folder: Path, equation: str, kind: str = "resnet", depth: int = 8) -> Any:
    (folder / "own.py").write_text(OWN.replace("EQUATION", equation))
    chosen = {"kind": kind, "depth": depth, "width": 4, "connection": "own"}
    settings = {"data": "digits", "training": {"epochs": 1}, "model": chosen}
    return parse_settings(settings, (read_plugin(folder / "own.py"),)).model


@pytest.mark.parametrize(
    ("equation", "name"),
    [
        ("self.shortcut(h) + self.mixed(f(h))", "a"),
        ("self.shortcut(h) + self.a * f(h)", "mixed.weight"),
        ("self.shortcut(h) + self.mixed(self.a.detach() * f(h))", "a"),
    ],
)
def test_a_parameter_that_nothing_is_computed_from_is_refused(
    tmp_path: Path, equation: str, name: str
) -> None:
    with pytest.raises(ConfigError, match=rf"own\.py:7: Own\.{name}: is a parameter .* never learn"):
        network_cost(model_of(tmp_path, equation), PURPOSE)


@pytest.mark.parametrize(
    "equation",
    [
        "self.shortcut(h) + self.mixed(self.a * f(h))",
        "self.shortcut(h) + (self.mixed(self.a * f(h)) if self.index else f(h))",
        "self.shortcut(h) + self.mixed(self.a * f(h)) + self.shortcut(h.detach().requires_grad_())",
        "self.shortcut(h) + (self.mixed(self.a * f(h)) if self.training else f(h))",
    ],
)
def test_a_parameter_may_be_used_in_some_blocks_or_in_training_only(tmp_path: Path, equation: str) -> None:
    assert network_cost(model_of(tmp_path, equation), PURPOSE).params


def test_a_parameter_in_a_plain_list_is_refused(tmp_path: Path) -> None:
    listed = "self.shortcut(h) + self.mixed(self.a * f(h)) * self.listed[0].mean()"
    wrong = r"own\.py:7: Own: computes with a parameter of the shape \(3,\) .* nn\.ParameterList"
    with pytest.raises(ConfigError, match=wrong):
        network_cost(model_of(tmp_path, listed), PURPOSE)


def test_a_layer_in_a_plain_list_of_a_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TRUNK)
    chosen = {"kind": "listed", "depth": 6, "connection": "residual"}
    settings = {"data": "digits", "training": {"epochs": 1}, "model": chosen}
    model = parse_settings(settings, (read_plugin(tmp_path / "mine.py"),)).model
    told = r"mine\.py:7: Listed: computes with a parameter of the shape \(10,.*\) that belongs"
    with pytest.raises(ConfigError, match=told):
        network_cost(model, PURPOSE)


def test_a_parameter_is_not_judged_if_training_needs_numbers(tmp_path: Path) -> None:
    noisy = "self.shortcut(h) + (self.mixed(self.a * f(h)) if self.training and h.mean() > 0 else f(h))"
    assert network_cost(model_of(tmp_path, noisy), PURPOSE).params


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_switched_off_around_planning(tmp_path: Path, off: Callable[[], Any]) -> None:
    model = model_of(tmp_path, "self.shortcut(h) + self.mixed(self.a * f(h))")
    cost = network_cost(model, PURPOSE)
    assert cost.activation_bytes
    with off():
        assert network_cost(model, PURPOSE) == cost
        network = started_network(model, PURPOSE, 0)
    network(PURPOSE.made_up(2, "cpu")).sum().backward()


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_parameter_may_be_used_within_a_checkpoint(tmp_path: Path, reentrant: bool) -> None:
    used = (
        "torch.utils.checkpoint.checkpoint(lambda h: self.shortcut(h) + self.mixed(self.a * f(h)), h, "
        f"use_reentrant={reentrant})"
    )
    assert network_cost(model_of(tmp_path, used), PURPOSE).params


def test_one_block_alone_is_not_judged(tmp_path: Path) -> None:
    unused = "self.shortcut(h) + f(h)"
    assert len(outlined(model_of(tmp_path, unused, "mlp", 4), PURPOSE).in_order()) == 1
    assert network_cost(model_of(tmp_path, unused, "mlp", 4), PURPOSE).params
    with pytest.raises(ConfigError, match="never learn"):
        network_cost(model_of(tmp_path, unused, "mlp", 6), PURPOSE)


@pytest.mark.parametrize("kind", scan.parts("connection"))
def test_no_connection_of_resexp_has_such_a_parameter(kind: str) -> None:
    chosen = {"kind": "resnet", "depth": 20, "width": 8, "connection": kind}
    settings = {"data": "digits", "training": {"epochs": 1}, "model": chosen}
    network = outlined(parse_settings(settings).model, PURPOSE)
    refuse_unlearned(network, PURPOSE, parse_settings(settings).model.connection.info)
    assert network.training
