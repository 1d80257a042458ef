"""The interface of connections. A connection says how a block joins its shortcut and its branch.

Letters of equations, here and in the files beside this one: h is the state before a block, h' the state after
it, f the block's branch (its layers), and S its shortcut (the path past them). A trunk is a kind of network,
such as resnet or transformer, into which connections are put.

Letters of shapes: B images or sequences, C channels, P positions. For images, P stands for the two axes H
and W. For sequences, it stands for the one axis of their T tokens. Plain vectors have no such axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from resexp.options import ShortcutKind

Map = Callable[[Tensor], Tensor]
"""A function of one tensor, such as a PyTorch module."""
Branch = Map
"""The branch f: from h with `Site.inputs` channels to f(h) with `Connection.branch` channels."""


class MakesShortcut(Protocol):
    """Builds the shortcut S of one site: a map from `Site.inputs` to `outputs` channels, with `Site.stride`.

    If `outputs` is left out, it is `Site.width`. If the number of channels stays the same and the stride is
    1, S is the identity, except for `projection_everywhere`.
    """

    def __call__(self, kind: ShortcutKind, outputs: int | None = None) -> Map: ...


@dataclass(frozen=True)
class Site:
    """One block's place in its trunk: all that a connection may know of the block when it is built.

    The state h that enters the block has the shape (B, inputs, H, W) in a trunk for images, (B, inputs, T)
    in a trunk for tokens, and (B, inputs) in one for vectors.

    index: position of this block among all blocks of the trunk. Block 0 follows the stem.
    depth: number of blocks in the trunk, whatever their widths. These are not weight layers: a ResNet of
        depth 20 has 9 blocks, and a transformer has two blocks (attention and MLP) for each of its layers
        unless its `span` says otherwise. In boosting, blocks are rounds.
    inputs: number of channels of h. In the first block, these are the stem's.
    width: number of channels that the trunk plans for the state after this block. f(h) and h' have this many
        channels unless the connection sets `branch` or `out`.
    stride: the block's step in pixels along H and W. If it is 2, f(h) and h' are half as high and half as
        wide as h, rounded up. In trunks for tokens and vectors it is 1. `m_net` has images of height 1, and
        strides of 4 along W alone.
    shortcut: `shortcut(kind, outputs)` builds S; see `MakesShortcut`. Projections end with the trunk's norm.
    mix: `mix(inputs, outputs)` builds a linear map of the channels that is the same at every position, with
        stride 1, without bias and norm: a 1x1 convolution in a trunk for images.
    """

    index: int
    depth: int
    inputs: int
    width: int
    stride: int
    shortcut: MakesShortcut
    mix: Callable[[int, int], Map]


class Connection(nn.Module, ABC):
    """One equation h' = forward(h, f): the new state from the state h and the branch f.

    The state is a tensor h, or a tuple (h, *memory). An activation after the block and the network's head see
    only h. A state of n streams is one tensor whose first axis has n B elements, those of the first stream
    first.

    `branch` is the number of channels that f must return here, and `out` the number that h' has. Both are
    `Site.width` unless a subclass sets them. A connection may call f once or not at all, and never knows
    what f is.

    Set `mixes_positions` to True if the connection itself, not f, makes h' at one position depend on h at
    other positions. Causal models refuse such a connection. Set `whole_batch` to True if, while training, h'
    of one example depends on other examples of its batch, or on a random draw that they share. Batch norms do
    not count. Several processes that share a batch cannot train such a connection, and they train a plugin's
    connection only if it sets `whole_batch` to False.
    """

    mixes_positions: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = False

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.branch = site.width
        self.out = site.width

    @abstractmethod
    def forward(self, h: Any, f: Branch) -> Any:
        """The new state h'."""

    def enter(self, x: Tensor) -> Any:
        """The state before the first block, from the stem's output x."""
        return x

    def leave(self, h: Any) -> Tensor:
        """The input of the network's head, from the state after the last block."""
        first: Tensor = h[0] if isinstance(h, tuple) else h
        return first


class ShortcutConnection(Connection):
    """A connection with a shortcut S from h to `Site.width` channels, and with the option `shortcut`.

    A subclass without a constructor has only this option. A subclass with options of its own also takes
    `**shortcut: ShortcutKind`, and passes it on to this constructor.
    """

    def __init__(self, site: Site, *, shortcut: ShortcutKind = "pad") -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut)


def along_channels(a_C: Tensor, h_BCP: Tensor) -> Tensor:
    """The vector a as (1, C, 1, ...), with a 1 for each axis of P, so that it multiplies h's channels."""
    return a_C.view(1, -1, *(1,) * (h_BCP.ndim - 2))
