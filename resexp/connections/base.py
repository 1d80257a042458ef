"""What a connection is, and where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

Branch = Callable[[Tensor], Tensor]
"""The branch f: h with `Site.inputs` channels -> f(h) with `Connection.branch` channels."""


class MakesShortcut(Protocol):
    """Builds S: the identity where shapes agree, else the named change of channels and stride."""

    def __call__(self, kind: str, outputs: int, layout: str = "both") -> nn.Module: ...


@dataclass(frozen=True)
class Site:
    """Where a connection stands in its trunk; all it may know of it.

    The state h is (B, inputs, H, W), (B, inputs) or, of T tokens, (B, inputs, T) by trunk; `width` is
    the number of channels the trunk plans after this block; `mix(inputs, outputs)` builds a 1x1 map.
    """

    index: int
    depth: int
    inputs: int
    width: int
    stride: int
    shortcut: MakesShortcut
    mix: Callable[[int, int], nn.Module]


class Connection(nn.Module, ABC):
    """One equation h' = forward(h, f).

    The state is a tensor h, or a tuple (h, *memory) whose first element is what an activation after the
    merge, and the head, apply to. Many streams are one tensor of streams x B images, the first stream first.

    `branch` is the number of channels f must return here and `out` the number h' has; a subclass may
    set both. A connection may call f once or not at all, and never knows what f is. One whose h' at a
    position depends on h at others says so in `mixes_positions`: no causal mask bears it.
    """

    mixes_positions: ClassVar[bool] = False

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.branch = site.width
        self.out = site.width

    @abstractmethod
    def forward(self, h: Any, f: Branch) -> Any:
        """The new state h' from the state h and the branch f."""

    def enter(self, x: Tensor) -> Any:
        """The stem's output as a state; connections whose state is more than h differ."""
        return x

    def leave(self, h: Any) -> Tensor:
        """The last state as the head's input."""
        return h[0] if isinstance(h, tuple) else h  # type: ignore[no-any-return]


def along_channels(a: Tensor, h: Tensor) -> Tensor:
    """The vector a (C,) in a shape that multiplies the channels of h (B, C, ...)."""
    return a.view(1, -1, *(1,) * (h.ndim - 2))
