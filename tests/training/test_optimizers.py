"""Optimisers against PyTorch's own, and parameters whose gradients come and go."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from resexp.config.settings import models
from resexp.training.optimizers import Adamw, Optimizer, Sgd


def test_a_parameter_may_get_its_first_gradient_after_others() -> None:
    """As in stochastic depth, where a branch that is not computed has no gradient."""
    early, late = nn.Parameter(torch.tensor([2.0, -1.0])), nn.Parameter(torch.tensor([1.0, 3.0]))
    ours = Sgd(lr=0.1, momentum=0.9, weight_decay=0.01).make([early, late])
    copies = [nn.Parameter(p.detach().clone()) for p in (early, late)]
    plain = torch.optim.SGD(copies, lr=0.1, momentum=0.9, weight_decay=0.01, fused=False, foreach=False)
    for grads in ([1.0, None], [0.5, 2.0], [None, 1.0]):
        for p, copy, grad in zip((early, late), copies, grads, strict=True):
            p.grad = None if grad is None else torch.full_like(p, grad)
            copy.grad = None if grad is None else torch.full_like(copy, grad)
        ours.step()
        plain.step()
        torch.testing.assert_close([early, late], copies)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (Sgd, torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1}),
        (Sgd, torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "nesterov": True}),
        (Sgd, torch.optim.SGD, {"lr": 0.05, "momentum": 0.0, "weight_decay": 0.0}),
        (Adamw, torch.optim.AdamW, {"lr": 0.02, "betas": (0.7, 0.8), "weight_decay": 0.2}),
    ],
)
def test_every_option_reaches_torchs_optimiser(
    ours: type[Optimizer], theirs: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    beta1, beta2 = options.get("betas", (None, None))
    own = {key: value for key, value in options.items() if key != "betas"}
    recipe = ours(**own, **({"beta1": beta1, "beta2": beta2} if beta1 else {}))
    p, q = (nn.Parameter(torch.tensor([2.0, -1.0])) for _ in range(2))
    optimizers = recipe.make([p]), theirs([q], **options)
    for gradient in (1.0, -3.0, 0.5):
        for weight, optimizer in zip((p, q), optimizers, strict=True):
            weight.grad = torch.tensor([gradient, gradient**2])
            optimizer.step()
        torch.testing.assert_close(p, q)


def test_nesterov_without_momentum_is_plain_descent() -> None:
    """PyTorch refuses it, but a sweep over momentum that begins at 0 may set nesterov for all values."""
    p, q = (nn.Parameter(torch.tensor([2.0, -1.0])) for _ in range(2))
    both = Sgd(momentum=0.0, nesterov=True).make([p]), Sgd(momentum=0.0).make([q])
    for weight, optimizer in zip((p, q), both, strict=True):
        weight.grad = torch.tensor([0.5, 0.25])
        optimizer.step()
    assert torch.equal(p, q)


def test_weight_decay_on_matrices_alone_spares_vectors_and_numbers() -> None:
    shapes = ((), (3,), (2, 3), (2, 3, 1, 1))
    for decay_on, decayed in (("all", 4), ("matrices", 2)):
        parameters = [nn.Parameter(torch.ones(shape)) for shape in shapes]
        optimizer = Adamw(lr=0.1, weight_decay=0.5, decay_on=decay_on).make(parameters)  # type: ignore[arg-type]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        optimizer.step()
        values = [p.flatten()[0].item() for p in parameters]
        assert values == pytest.approx([1.0] * (4 - decayed) + [0.95] * decayed)


def test_weight_decay_on_matrices_alone_needs_no_vectors() -> None:
    for shape in ((2, 2), (2,)):
        p = nn.Parameter(torch.ones(shape))
        assert len(Adamw(decay_on="matrices").make([p]).param_groups) == 1


@pytest.mark.parametrize("beta", ["beta1", "beta2"])
def test_a_mean_that_never_changes_is_refused_before_training(beta: str) -> None:
    part = models("optimizer")["adamw"]
    with pytest.raises(ValidationError, match="less than 1"):
        part.model_validate({"kind": "adamw", beta: 1.0})
    part.model_validate({"kind": "adamw", beta: 0.0}).build().make([nn.Parameter(torch.ones(1))])
