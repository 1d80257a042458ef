"""What tests of several processes run in a worker, whose server has loaded PyTorch and computed nothing."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resexp.config.parse import parse_settings
from resexp.data.opening import open_data
from resexp.models.masked_autoencoder import Autoencoder
from resexp.store import Attempt
from resexp.training import processes, shared
from resexp.training.member import Member
from resexp.training.processes import together
from resexp.training.run import Run
from resexp.training.shared import SharedRun
from resexp.training.trial import train
from resexp.training.whole_batch_norm import acting, like

CPU = torch.device("cpu")


def no_failure(kind: str, cause: str) -> None:
    raise AssertionError((kind, cause))


def same_mask(network: Autoencoder, batch: int, tokens: int, device: torch.device) -> Tensor:
    """Every second token is visible, instead of a draw for each image."""
    return torch.arange(0, tokens, 2).expand(batch, -1)


def in_double(run: Run) -> Run:
    """The run in float64, from its first step."""
    run.network.double()
    run.optimizer = run.recipe.make(run.network.parameters())
    single = run.next_batch

    def next_batch() -> tuple[Tensor, Tensor]:
        inputs, target = single()
        return tuple(x.double() if x.is_floating_point() else x for x in (inputs, target))  # type: ignore[return-value]

    run.next_batch = next_batch  # type: ignore[method-assign]
    return run


def trained(run: Run) -> dict[str, Any]:
    """The loss and the mistakes of every step, and what the network has become."""
    curve = []
    while run.step < run.total:
        before = run.sums.clone()
        run.train_step()
        curve.append(((run.sums - before) / torch.tensor([1, run.units])).tolist())
        if run.epoch_ended():
            run.end_epoch()
    network = {name: value.double().tolist() for name, value in run.network.state_dict().items()}
    return {"curve": curve, "network": network, "low_rate": run.low_rate}


def curve(talk: Connection, text: str, count: int) -> None:
    """Train in float64 with so many processes, and send what the first one has."""
    Autoencoder.visible = same_mask  # type: ignore[method-assign]
    torch.set_num_threads(1)
    settings = parse_settings(json.loads(text))

    def new(make: Callable[..., Run], *member: Member) -> Run:
        return in_double(make(settings, open_data(settings.data, CPU), CPU, *member))

    if count == 1:
        talk.send(trained(new(Run)))
        return
    with together(count, lambda member, _: trained(new(SharedRun, member)), no_failure) as others:
        talk.send(trained(new(SharedRun, others.member)))


def normalised(norm: nn.Module, x: Tensor, pull: Tensor) -> tuple[Tensor, Tensor]:
    """The norm's output, and the gradient of its inputs where `pull` is the gradient of its output."""
    x = x.clone().requires_grad_()
    y = norm(x)
    torch.autograd.backward((y * pull).sum())
    assert x.grad is not None
    return y.detach(), x.grad


def norms(talk: Connection, momentum: float | None, affine: bool) -> None:
    """Normalise two batches by batch norm, and by three processes together; send both results."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, pull = torch.randn(2, 2, 8, 3, 4, 5, dtype=torch.float64)
    x = 3 * x + 100
    original = nn.BatchNorm2d(3, momentum=momentum, affine=affine).double()
    if affine:
        nn.init.normal_(original.weight)
        nn.init.normal_(original.bias)

    def told(norm: nn.BatchNorm2d, share: slice) -> dict[str, list[Any]]:
        results = [normalised(norm, a[share], b[share]) for a, b in zip(x, pull, strict=True)]
        grads = [p.grad for p in norm.parameters() if p.grad is not None]
        return {
            "outputs": [y.tolist() for y, _ in results],
            "inputs": [grad.tolist() for _, grad in results],
            "weights": [grad.tolist() for grad in grads],
            "buffers": [buffer.tolist() for buffer in norm.buffers()],
            "evaluated": [norm.eval()(x[0]).tolist()],
        }

    def shared_norm(member: Member, _: object = None) -> dict[str, list[Any]]:
        norm = like(copy.deepcopy(original)).double()
        with acting(norm, member):
            return told(norm, member.share(8))

    with together(3, shared_norm, no_failure) as others:
        parts = [shared_norm(others.member), *(others.results() or [])]
    talk.send((told(copy.deepcopy(original), slice(None)), parts))


def trial(attempt: Attempt) -> None:
    """Train, but let one of the processes fail in the first attempt, as `first_attempts` says."""
    if attempt.number == 1:
        first_attempts(attempt.trial.name, attempt)
    train(attempt)


def first_attempts(name: str, attempt: Attempt) -> None:
    """The trial's name says what becomes of which process, such as `kill-1`, in its first attempt."""
    what, _, number = name.partition("-")
    step = SharedRun.train_step

    def failing(run: SharedRun) -> None:
        if run.step == 3 and str(run.member.number) == number:
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "stop":
                attempt.stopping = True
            if what == "raise":
                raise ValueError("a fault of a plugin")
            if what == "memory":
                raise MemoryError
        step(run)

    shared.SharedRun.train_step = failing  # type: ignore[method-assign]


def busy(talk: Connection, folder: str) -> None:
    """Lose another process while the first one waits for something else than the other processes."""
    processes.NOTICE = processes.LOOK = 0.1

    def follow(member: Member, first: Connection) -> None:
        raise ValueError("why it ended")

    def fail(kind: str, cause: str) -> None:
        Path(folder, "cause").write_text(f"{kind}: {cause}")

    with together(2, follow, fail):
        time.sleep(600)


def orphan(talk: Connection) -> None:
    """Kill the first process outside any group that the server would end. Sends the other one's number."""
    if not (first := os.fork()):
        os.setsid()
        with together(2, lambda *_: time.sleep(600), no_failure):
            talk.send(multiprocessing.active_children()[0].pid)
            time.sleep(600)
    talk.close()
    time.sleep(0.5)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    time.sleep(600)
