"""What is told of users' connections whose answers depend on more than the example that is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from learners import advanced, new

from resexp.catalog.plugins import read_plugin
from resexp.config.parse import parse_settings
from resexp.training.run import Run
from resexp.training.unsteady import unsteady

OWN = '''\
import torch
from torch.utils.checkpoint import checkpoint

from resexp.connections.base import ShortcutConnection


class Own(ShortcutConnection):
    """h' = S h + f(h)"""

    seen = 0

    def forward(self, h, f):
        y = EQUATION
        return self.shortcut(h) + y

    def counted(self, y):
        self.seen += 1
        return y * self.seen
'''
TEXT = {"kind": "text_file", "context": 16}
TRANSFORMER = {"kind": "transformer", "depth": 4, "width": 16, "heads": 2, "order": "pre", "norm": "layer"}
RESNET = {"kind": "resnet", "depth": 8, "width": 4}


def told(
    folder: Path, equation: str, model: Any = RESNET, data: Any = None, task: Any = "classification"
) -> str:
    """What is told after four steps with a connection whose branch's output y is that of the equation."""
    (folder / "own.py").write_text(OWN.replace("EQUATION", equation))
    data = data or {"kind": "digits", "train_size": 40}
    training = {"epochs": 1, "batch_size": 10}
    chosen = {"data": data, "task": task, "model": {**model, "connection": "own"}, "training": training}
    run = new(Run, parse_settings(chosen, (read_plugin(folder / "own.py"),)))
    advanced(run, min(run.total, 4))
    return " ".join(unsteady(run))


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        ("f(h)", ""),
        ("f(h).double().float()", ""),
        ("f(h) * (2 if self.training else 1)", ""),
        ("f(h) + torch.randn_like(h.new_empty(1)) * 9", "test errors depend on chance"),
        ("self.counted(f(h))", "or on what the network was given before"),
        ("(lambda y: y - y.mean(0))(f(h))", "depend on which examples are tested together"),
        ("f(h) if self.training or len(h) > 32 else f(h).view(-1)", "could not be checked"),
        ("checkpoint(f, h, use_reentrant=False)", "was updated 8 times in 4 steps"),
    ],
)
def test_what_errors_depend_on_is_told(tmp_path: Path, equation: str, words: str) -> None:
    found = told(tmp_path, equation)
    assert words in found if words else not found


@pytest.mark.parametrize(
    ("model", "data", "task"),
    [
        (TRANSFORMER, TEXT, "language"),
        ({**TRANSFORMER, "mask": "none"}, TEXT, "masked_language"),
        ({**TRANSFORMER, "kind": "masked_autoencoder"}, None, "masked_autoencoding"),  # draws by batch
        (
            {"kind": "unet", "depth": 14, "width": 4},
            {"kind": "digit_scenes", "train": 20, "test": 9},
            "segmentation",
        ),
    ],
)
def test_an_ordinary_connection_is_steady_in_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any, data: Any, task: str
) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    (tmp_path / "text").write_text("".join(chr(97 + i * i % 19) for i in range(800)))
    data = {**data, "root": str(tmp_path / "text")} if data == TEXT else data
    assert not told(tmp_path, "f(h)", model, data, task)
