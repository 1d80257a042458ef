"""Optimisers: parameters whose gradients come and go."""

from __future__ import annotations

import torch
from torch import nn

from resexp.training.optimizers import Sgd


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
