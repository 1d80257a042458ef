"""What a user's connection sets in its constructor is what training begins with, or is refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from resexp.catalog.plugins import read_plugin
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.models.base import Purpose
from resexp.models.build import network_cost, started_network

OWN = '''\
import random

import numpy as np
import torch
from torch import nn

from resexp.connections.base import ShortcutConnection


class Own(ShortcutConnection):
    """h' = S h + a mixed(m(f(h)))"""

    def __init__(self, site, **shortcut):
        super().__init__(site, **shortcut)
        self.m = nn.Conv2d(site.width, site.width, 1)
        self.mixed = site.mix(site.width, site.width)
        self.a = nn.Parameter(torch.randn(()) + random.random() + np.random.rand())
        START

    def forward(self, h, f):
        return self.shortcut(h) + self.a * self.mixed(self.m(f(h)))
'''
PURPOSE = Purpose((1, 8, 8), 10)


def model_of(folder: Path, start: str = "") -> object:
    """The settings of a network with OWN, whose constructor ends with a statement."""
    (folder / "own.py").write_text(OWN.replace("START", start))
    chosen = {"kind": "resnet", "depth": 8, "width": 4, "connection": "own"}
    settings = {"data": "digits", "training": {"epochs": 1}, "model": chosen}
    return parse_settings(settings, (read_plugin(folder / "own.py"),)).model


def test_what_a_constructor_draws_depends_on_the_seed_alone(tmp_path: Path) -> None:
    model = model_of(tmp_path)

    def drawn(seed: int) -> list[float]:
        torch.rand(seed + 1)  # what was drawn before must not matter
        network = started_network(model, PURPOSE, seed)
        return [block.connection.a.item() for block in network.in_order()]

    assert drawn(0) == drawn(0)
    assert not set(drawn(0)) & set(drawn(1))
    states = random.getstate(), np.random.get_state()[2], torch.get_rng_state().tolist()
    started_network(model, PURPOSE, 0)
    assert states == (random.getstate(), np.random.get_state()[2], torch.get_rng_state().tolist())


@pytest.mark.parametrize(
    ("start", "tensor"),
    [
        ("nn.init.zeros_(self.m.weight)", "weight"),
        ("nn.init.xavier_uniform_(self.m.weight)", "weight"),
        ("nn.init.normal_(self.m.weight, std=0.01)", "weight"),
        ("nn.init.constant_(self.m.bias, -3.0)", "bias"),
        ("self.m.bias.data.fill_(-3.0)", "bias"),
        ("self.m.weight = nn.Parameter(torch.zeros(site.width, site.width, 1, 1))", "weight"),
    ],
)
def test_first_values_that_would_be_drawn_anew_are_refused(tmp_path: Path, start: str, tensor: str) -> None:
    told = rf"own\.py:10: Own\.__init__: sets the first values of m\.{tensor}, and model\.init draws"
    with pytest.raises(ConfigError, match=told):
        network_cost(model_of(tmp_path, start), PURPOSE)


def test_first_values_of_other_parameters_are_kept(tmp_path: Path) -> None:
    model = model_of(tmp_path, "nn.init.constant_(self.a, -3.0)")
    assert network_cost(model, PURPOSE).params
    assert started_network(model, PURPOSE, 0).in_order()[0].connection.a.item() == -3.0
