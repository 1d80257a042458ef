"""A user's connection that lets a causal model see later positions is refused when it is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp.catalog.plugins import read_plugin
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.models.base import Purpose
from resexp.models.build import network_cost

OWN = '''\
import torch

from resexp.connections.base import ShortcutConnection


class Own(ShortcutConnection):
    """h' = S h + f(h) + a g(h)"""

    def __init__(self, site, *, shortcut: "PadKind" = "pad"):
        super().__init__(site, shortcut=shortcut)
        self.a = torch.nn.Parameter(torch.zeros(()))

    def enter(self, x):
        return x, x

    def forward(self, state, f):
        h, x = state
        return self.shortcut(h) + f(h) + self.a * MIXED, h
'''


def plan(folder: Path, mixed: str, causal: bool | None = True, tokens: int = 64) -> None:
    """Plan a transformer whose connection adds this to the state, by a factor that starts at 0."""
    (folder / "own.py").write_text(OWN.replace("MIXED", mixed))
    chosen = {"kind": "transformer", "depth": 2, "width": 8, "norm": "layer", "connection": "own"}
    data = {"data": "python_topics", "task": "language", "training": {"epochs": 1}, "model": chosen}
    model = parse_settings(data, (read_plugin(folder / "own.py"),)).model
    assert network_cost(model, Purpose((tokens,), 11, "tokens", causal)).params


@pytest.mark.parametrize("mixed", ["h.roll(-1, 2)", "h.mean(2, keepdim=True)", "h.flip(2)"])
@pytest.mark.parametrize("tokens", [5, 1024])
def test_a_connection_that_looks_ahead_is_refused(tmp_path: Path, mixed: str, tokens: int) -> None:
    told = r"own\.py:6: Own\.forward: h' at a position depends on h at later ones in block 0"
    with pytest.raises(ConfigError, match=told):
        plan(tmp_path, mixed, tokens=tokens)


def test_a_memory_that_looks_ahead_is_refused_at_the_block_that_reads_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"later ones in block 1"):
        plan(tmp_path, "(x - h).flip(2) * (self.a.numel() if h is not x else 0)")


@pytest.mark.parametrize("mixed", ["x", "h.cumsum(2)", "torch.rand(h.shape, device=h.device)"])
def test_one_that_looks_at_no_later_position_is_planned(tmp_path: Path, mixed: str) -> None:
    plan(tmp_path, mixed)


def test_where_outputs_may_see_all_positions_every_connection_is_planned(tmp_path: Path) -> None:
    plan(tmp_path, "h.roll(-1, 2)", causal=None)
