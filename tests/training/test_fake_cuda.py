"""Steps and evaluations with all tensors on a GPU that does not exist: PyTorch checks which device each
operand is on, but computes nothing. It does not check backward passes, which need a real device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from kinds import KINDS
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resexp.config.parse import parse_settings
from resexp.data import examples
from resexp.data.opening import open_data
from resexp.training.evaluation import evaluate
from resexp.training.run import Run

CUDA = torch.device("cuda:0")
SMALL = {"kind": "synthetic", "train_size": 32, "test_size": 16, "crop": 2, "flip": True}
RESNET = {"kind": "resnet", "depth": 8, "width": 4}
TOKENS = {"width": 8, "heads": 2, "order": "pre", "norm": "layer"}
TRUNKS: dict[str, dict[str, Any]] = {
    "densenet": {"kind": "densenet", "depth": 7},
    "imagenet_resnet": {"kind": "imagenet_resnet", "depth": 18, "width": 8},
    "mlp": {"kind": "mlp", "depth": 4, "width": 8},
    "orthogonal start": {**RESNET, "init": "orthogonal"},
    "group norm": {**RESNET, "norm": "group"},
    "vit": {"kind": "vit", "depth": 2, "dropout": 0.1, "patch": 4, **TOKENS},
}


def moved(module: nn.Module, device: torch.device, **_: object) -> nn.Module:
    """What `Module.to` does. PyTorch's own cannot swap tensors that stand for others."""
    for each in module.modules():
        for name, p in each._parameters.items():
            each._parameters[name] = None if p is None else nn.Parameter(p.detach().to(device))
        for name, b in each._buffers.items():
            each._buffers[name] = None if b is None else b.to(device)
    return module


@pytest.fixture(params=[10**9, None], ids=["data on the GPU", "data on the host"])
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stands for a GPU with so many free bytes, and leaves out what computes with numbers."""
    monkeypatch.setattr(examples, "free_memory", lambda device: request.param)
    monkeypatch.setattr(nn.Module, "to", moved)
    monkeypatch.setattr(torch.autograd, "backward", lambda loss: None)
    monkeypatch.setattr(Run, "update", lambda run: None)
    monkeypatch.setattr(Tensor, "item", lambda tensor: 0.5)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def trained(**parts: Any) -> Run:
    """A run after two steps and an evaluation."""
    training = {"iterations": 2, "batch_size": 16, "precision": "float32"}
    settings = parse_settings({"data": SMALL, "training": training, **parts})
    run = Run(settings, open_data(settings.data, CUDA), CUDA)
    run.train_step()
    run.train_step()
    assert evaluate(run, run.data.test).loss is not None
    assert {p.device for p in run.network.parameters()} == {run.sums.device} == {CUDA}
    return run


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("connection", KINDS)
def test_every_connection_stays_on_the_device(connection: str) -> None:
    trained(model={**RESNET, "connection": connection})


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("trunk", TRUNKS.values(), ids=TRUNKS)
def test_trunks_stay_on_the_device(trunk: dict[str, Any]) -> None:
    trained(model=trunk)


@pytest.mark.usefixtures("fake")
def test_images_with_hidden_patches_stay_on_the_device() -> None:
    trunk = {"kind": "masked_autoencoder", "depth": 2, "patch": 4, **TOKENS}
    trained(model=trunk, task="masked_autoencoding")


@pytest.mark.usefixtures("fake")
def test_a_tensor_that_was_left_on_the_host_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x + torch.ones(x.shape))
    with pytest.raises(RuntimeError, match="device"):
        trained(model=RESNET)
