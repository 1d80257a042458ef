"""What probes measure of a policy."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from resexp.training.subject import Subject

if TYPE_CHECKING:
    from resexp.training.playing.run import PlayingRun


def with_value(policy: Subject, run: PlayingRun) -> Subject:
    """The `policy` of a run, whose gradients are clipped together with those of the network for values."""

    def gradients(size: int) -> list[nn.Parameter]:
        value = copy.deepcopy(run.value).train()
        value.zero_grad(set_to_none=True)
        seen, returns = run.experience["seen"][:size], run.experience["returns"][:size]
        torch.autograd.backward(run.player.value_loss(value(seen)[:, 0], returns))
        return list(value.parameters())

    return replace(policy, clipped_too=gradients)
