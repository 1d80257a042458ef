"""Long skips: how the decoder of a U-Net takes in what the encoder had at the same size.

h is the decoder's state where a level begins, m the encoder's state where that level ended, P a 1x1 map where
their channels differ and else the identity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

Mix = Callable[[int, int], nn.Module]


class LongSkip(nn.Module, ABC):
    """One equation h' = forward(h, m), with h (B, inputs, H, W), m (B, kept, H, W), h' (B, out, H, W).

    `mix(inputs, outputs)` builds a 1x1 map without bias.
    """

    def __init__(self, inputs: int, kept: int, mix: Mix) -> None:
        super().__init__()
        self.out = inputs

    @abstractmethod
    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        """The decoder's state with what the encoder kept; h where m is 0."""


class NoLongSkip(LongSkip):
    """h' = h

    The plain encoder-decoder.
    """

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        return h


class Add(LongSkip):
    """h' = h + P m

    As Long et al. 2015 (FCN, arXiv:1411.4038), section 4.2, fuse predictions of several sizes.
    """

    def __init__(self, inputs: int, kept: int, mix: Mix) -> None:
        super().__init__(inputs, kept, mix)
        self.map = nn.Identity() if kept == inputs else mix(kept, inputs)

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        mapped: Tensor = self.map(m)
        return h + mapped


class Concat(LongSkip):
    """h' = [h, m]

    Ronneberger et al. 2015 (U-Net, arXiv:1505.04597), section 2.
    """

    def __init__(self, inputs: int, kept: int, mix: Mix) -> None:
        super().__init__(inputs, kept, mix)
        self.out = inputs + kept

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        return torch.cat([h, m], dim=1)


class Gate(LongSkip):
    """h' = h + g P m,  g = sigmoid(W h + b)

    After Oktay et al. 2018 (Attention U-Net, arXiv:1804.03999), simplified: there g is one number a pixel,
    made of h and m by two layers, and g m is concatenated; here it is one number a channel and pixel, made
    of h alone, and g m is added. b starts at 0.
    """

    def __init__(self, inputs: int, kept: int, mix: Mix) -> None:
        super().__init__(inputs, kept, mix)
        self.map = nn.Identity() if kept == inputs else mix(kept, inputs)
        self.gate = mix(inputs, inputs)
        self.bias = nn.Parameter(torch.zeros(inputs))

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        g = torch.sigmoid(self.gate(h) + self.bias.view(1, -1, 1, 1))
        mapped: Tensor = self.map(m)
        return h + g * mapped


KINDS: dict[str, type[LongSkip]] = {
    "none": NoLongSkip,
    "add": Add,
    "concat": Concat,
    "gate": Gate,
}
