"""Long skips: how the decoder of a U-Net receives the encoder's state of the same size.

h is the decoder's state where a level begins, and m the encoder's state where that level ended. P is a 1x1
map if their channels differ, otherwise the identity.
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
        """The decoder's state combined with the encoder's. If m is 0, h' is h, or h beside zero channels."""


class NoLongSkip(LongSkip):
    """h' = h

    A plain encoder-decoder without long skips.
    """

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        return h


class Add(LongSkip):
    """h' = h + P m

    Long et al. 2015 (FCN, arXiv:1411.4038), section 4.2, combine predictions of several sizes in this way.
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

    A simplification of Oktay et al. 2018 (Attention U-Net, arXiv:1804.03999). Their g is one number per
    pixel, computed from h and m by two layers, and g m is concatenated. Here g is one number per channel and
    pixel, computed from h alone, and g P m is added. b starts at 0.
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
