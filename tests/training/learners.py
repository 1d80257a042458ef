"""A trial's training run, taken step by step without a trial's folder."""

from __future__ import annotations

import io
from typing import Any, TypeVar

import torch

from resexp.data.opening import open_data
from resexp.training.learner import learner_of
from resexp.training.run import Run

R = TypeVar("R", bound=Run)


def new(kind: type[R], chosen: Any) -> R:
    """The run of these settings on the CPU, which must be of this kind."""
    device = torch.device("cpu")
    run = learner_of(chosen)(chosen, open_data(chosen.data, device), device)
    assert isinstance(run, kind)
    return run


def advanced(run: Run, steps: int) -> list[dict[str, Any]]:
    """Take so many steps. Returns the rows of the epochs that end, without their times."""
    rows = []
    for _ in range(steps):
        run.train_step()
        if run.epoch_ended():
            rows.append(run.close_epoch() | {"seconds": None})
    return rows


def saved(run: Run) -> Any:
    """The run's state, as a checkpoint gives it back."""
    buffer = io.BytesIO()
    torch.save(run.state(), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)
