"""A connection of the user's own that returns something else than it must is refused when it is planned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from resexp import api
from resexp.cli.app import app
from resexp.errors import ConfigError

OWN = '''\
import torch

from resexp.connections.base import Connection


class Own(Connection):
    """h' = f(h)"""

    def enter(self, x):
        return x

    def leave(self, h):
        return h

    def forward(self, h, f):
        return f(h)
'''
CONFIG = """\
name: own
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4, connection: own}
training: {epochs: 1, batch_size: 32}
"""


def plan(folder: Path, before: str = "", after: str = "") -> None:
    """Plan a network of OWN with a text replaced."""
    assert before in OWN
    (folder / "own.py").write_text(OWN.replace(before, after) if before else OWN)
    (folder / "own.yaml").write_text(CONFIG)
    api.trials(api.load(folder / "own.yaml", plugins=[folder / "own.py"]), "cpu")


def test_a_connection_that_returns_what_it_must_is_planned(tmp_path: Path) -> None:
    plan(tmp_path)
    wider = (
        "self.out = site.width * 2\n\n    def forward(self, h, f):\n        return torch.cat([f(h)] * 2, 1)"
    )
    constructor = "    def __init__(self, site):\n        super().__init__(site)\n        "
    plan(tmp_path, OWN[OWN.index("    def forward") :], f"{constructor}{wider}\n")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("f(h)\n", "f(h)[:, :1]\n", r"Own\.forward: returns h' of the shape \(B, 1, 8, 8\) in block 0"),
        ("f(h)\n", "f(h)[:, :1]\n", r"return \(B, 4, 8, 8\), or set self\.out"),
        ("f(h)\n", "f(h)[..., :1]\n", r"\(B, 4, 8, 1\) in block 0; return \(B, 4, 8, 8\)"),
        (
            "f(h)\n",
            "torch.cat([f(h)] * 2)\n",
            r"of the shape \(2B, 4, 8, 8\) in block 0; return \(B, 4, 8, 8\)",
        ),
        ("f(h)\n", "None\n", r"returns a NoneType in block 0; return the tensor h', or a tuple"),
        ("f(h)\n", "None, f(h)\n", r"returns a NoneType first in a tuple in block 0"),
        ("f(h)\n", "h + f(h)\n", r"in block 1, where h is \(B, 4, 8, 8\) and f\(h\) is \(B, 8, 4, 4\); in a"),
        (
            "f(h)\n",
            "h + f(h)\n",
            r"\(B, 8, 4, 4\); in a ShortcutConnection, self\.shortcut\(h\) is h in the shape",
        ),
        (
            "return x\n",
            "return torch.cat([x, x])\n",
            r"Own\.leave: returns the shape \(2B, 16, 2, 2\) in block 2",
        ),
        (
            "return h\n",
            "return h[:, :3]\n",
            r"leave: returns the shape \(B, 3, 2, 2\).*; return \(B, 16, 2, 2\)",
        ),
        ("return h\n", "return None\n", r"leave: returns a NoneType in block 2; return a tensor"),
    ],
)
def test_a_connection_of_another_shape_is_refused_with_the_right_shape(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        plan(tmp_path, before, after)
    assert "own.py:" in str(refused.value)
    assert str(2**34) not in str(refused.value), "no user knows the batch that networks are measured with"


def test_no_shortcut_is_recommended_where_the_shapes_agree(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"in block 0, where h is \(B, 4, 8, 8\) and f\(h\) is \(B, 4, 8, 8\): "
    ):
        plan(tmp_path, "return f(h)\n", "return f(h) + h[:, :3]\n")


def test_a_line_that_fails_at_several_points_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("f(h)\n", "h + f(h)\n"))
    (tmp_path / "own.yaml").write_text(CONFIG + "sweep:\n  model.depth: [8, 14, 20]\n")
    with pytest.raises(ConfigError, match=r"it also fails at 2 other points of the sweep$") as refused:
        api.trials(api.load(tmp_path / "own.yaml", plugins=[tmp_path / "own.py"]), "cpu")
    assert len(refused.value.problems) == 1


REMEMBERING = OWN.replace("return x\n", "return x, x\n").replace("return h\n", "return h[0]\n")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("h.mul_(2)\n        return f(h)", r"changes h in place in block 0, which others still read"),
        ("y = f(h)\n        h += 1\n        return y", r"give the result another name"),
        (
            "return h if h.shape[1] == self.out else f(h)",
            r"would overwrite it; keep a copy of it, h'\.clone\(\)",
        ),
        ("return f(h) if h.mean() > 0 else 2 * f(h)", r"own\.py:16: .*in block 0.*choose by torch\.where"),
        ("return f(h) * h.mean().item()", r"own\.py:16: .*take no number out of a tensor \(Tensor\.item"),
        (
            "return f(h) * torch.ones(len(h), device='cpu')[:, None]",
            r"own\.py:16: .*make new tensors by h\.new_",
        ),
        ("h, *memory = h\n        return f(h), h", r"own\.py:16: .*define `enter` if the state is a tuple"),
        ("return f(h), h.new_zeros(1)", r"in block 1, where h is .* first in a tuple of 2"),
    ],
)
def test_what_a_plan_or_training_cannot_do_is_refused_with_advice(
    tmp_path: Path, body: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(tmp_path, "return f(h)", body)


def test_what_a_connection_prints_is_no_result(tmp_path: Path) -> None:
    printing = "print('seen', len(h.shape))\n        return f(h)"
    (tmp_path / "own.py").write_text(OWN.replace("return f(h)", printing))
    (tmp_path / "own.yaml").write_text(CONFIG)
    plan = ["plan", str(tmp_path / "own.yaml"), "--plugin", str(tmp_path / "own.py"), "--format", "json"]
    done = CliRunner().invoke(app, plan)
    assert json.loads(done.stdout)["experiment"] == "own"
    assert "seen 4" in done.stderr


def test_a_memory_that_the_activation_would_overwrite_is_refused(tmp_path: Path) -> None:
    body = "    def forward(self, state, f):\n        new = f(state[0])\n        return new, NEW\n"
    forward = OWN[OWN.index("    def forward") :]
    for kept, order, refused in [
        ("new", "post", True),
        ("new.clone()", "post", False),
        ("new", "pre", False),
    ]:
        (tmp_path / "own.py").write_text(REMEMBERING.replace(forward, body.replace("NEW", kept)))
        (tmp_path / "own.yaml").write_text(
            CONFIG.replace("depth: 8", f"depth: 8, norm: none, order: {order}")
        )
        experiment = api.load(tmp_path / "own.yaml", plugins=[tmp_path / "own.py"])
        if refused:
            with pytest.raises(
                ConfigError, match=r"own\.py:6: Own\.forward: returns as h' a tensor that is kept"
            ):
                api.trials(experiment, "cpu")
        else:
            api.trials(experiment, "cpu")
