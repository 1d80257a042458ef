"""Every kind of connection, for tests of what all of them do in a trunk."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from resexp.catalog import scan

KINDS = list(scan.parts("connection"))


def connection_of(kind: str) -> Any:
    """The class of a kind of connection."""
    return scan.part_class(scan.parts("connection")[kind])


def undropped(kind: str) -> Any:
    """Like `connection_of`, but no branch is ever dropped, because a dropped branch has no gradient."""
    return partial(connection_of(kind), p_last=1.0) if kind == "stochastic_depth" else connection_of(kind)


@torch.no_grad()
def stir(net: nn.Module, by: float = 0.1) -> None:
    """Moves every parameter away from where it starts, which may be a place at which gradients are 0."""
    for p in net.parameters():
        p.add_(torch.randn_like(p), alpha=by)
