"""Layers with a shortcut inside: convolutions that equal a plain one, but are trained with other weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class DiracConv(nn.Conv2d):
    """y = (diag(a) I + diag(b) W / ||W||) * x

    Dirac parameterisation: Zagoruyko and Komodakis 2017 (arXiv:1706.00388). * is a convolution, I the kernel
    of the identity, and ||W|| the norm of each output channel's weights. a and b have one learned number for
    each output channel. It starts at 1 in a and at 0.1 in b.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1, bias=bias)
        self.a = nn.Parameter(torch.ones(outputs))
        self.b = nn.Parameter(torch.full((outputs,), 0.1))
        self.register_buffer("identity", nn.init.dirac_(torch.empty_like(self.weight)), persistent=False)
        self.identity: Tensor

    def kernel(self) -> Tensor:
        """The weight of the plain convolution that this layer equals, (O outputs, I inputs, 3, 3)."""
        unit_OI33 = functional.normalize(self.weight.flatten(1)).view_as(self.weight)
        a_O111, b_O111 = self.a.view(-1, 1, 1, 1), self.b.view(-1, 1, 1, 1)
        return a_O111 * self.identity + b_O111 * unit_OI33

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.kernel(), self.bias, self.stride, self.padding)


class RepConv(nn.Conv2d):
    """y = BN(W x) + BN(W_1 x) + BN(x)

    RepVGG: Ding et al. 2021 (arXiv:2101.03697), section 3. W is a 3x3 layer, W_1 a 1x1 layer. The last term
    is there only if the shape stays the same. Each term has a batch norm of its own. In eval mode the sum
    equals one 3x3 layer.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.point = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        self.point_norm = nn.BatchNorm2d(outputs)
        self.skip_norm = nn.BatchNorm2d(inputs) if inputs == outputs and stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(super().forward(x)) + self.point_norm(self.point(x))
        return y if self.skip_norm is None else y + self.skip_norm(x)
