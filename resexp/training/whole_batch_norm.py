"""Batch norm over batches that several processes share. PyTorch's own SyncBatchNorm refuses CPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from resexp.errors import TrialError

if TYPE_CHECKING:
    from resexp.training.member import Member


class Sum(torch.autograd.Function):
    """The sum of a tensor over all processes. Its gradient is the sum of the gradients in all processes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, member: Member) -> Tensor:
        ctx.member = member
        return member.add_up(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.member.add_up(gradients[0].clone()), None


class WholeBatchNorm(nn.BatchNorm2d):
    """Normalises inputs (B, C, ...) by the mean and variance over the whole batch.

    Each process has a share of the batch, and `member` adds up sums over all processes. Without a member, and
    in evaluation, this is PyTorch's batch norm of this process's share. Therefore a probe can measure a copy
    of the network without the other processes.
    """

    member: Member | None = None

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected inputs with channels, got {input.ndim} dimensions")

    def forward(self, x: Tensor) -> Tensor:
        if self.member is None or not self.training:
            alone: Tensor = super().forward(x)
            return alone
        others = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        own = wide.new_tensor([x.numel() / x.shape[1]])
        sums = Sum.apply(torch.cat([wide.sum(others), own]), self.member)
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = wide - mean.view(shape)
        variance = Sum.apply(centred.square().sum(others), self.member) / count
        self._remember(mean.detach(), variance.detach() * (count / (count - 1)))
        y: Tensor = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as PyTorch's batch norm does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        rate = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(variance.to(self.running_var.dtype), rate)


def normalise_whole_batches(network: nn.Module) -> None:
    """Replace every batch norm of the network by a WholeBatchNorm with the same parameters, which the
    optimiser already holds.

    Raises TrialError for a plugin's own kind of batch norm, because nothing here can replace it.
    """
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if not isinstance(module, _BatchNorm):
            continue
        if type(module) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            kind = type(module).__name__
            raise TrialError(f"{name} is a {kind}, which cannot normalise over several processes")
        network.set_submodule(name, like(module))


def like(module: _BatchNorm) -> WholeBatchNorm:
    """A norm with the parameters and buffers of `module`."""
    new = WholeBatchNorm(
        module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats
    )
    new.weight, new.bias = module.weight, module.bias
    new.running_mean, new.running_var = module.running_mean, module.running_var
    new.num_batches_tracked = module.num_batches_tracked
    return new.train(module.training)


@contextmanager
def acting(network: nn.Module, member: Member) -> Iterator[None]:
    """Within this context, the network's norms add up over all processes. Outside of it they do not,
    because a network that only one process evaluates would wait for the other processes.
    """
    norms = [module for module in network.modules() if isinstance(module, WholeBatchNorm)]
    for norm in norms:
        norm.member = member
    try:
        yield
    finally:
        for norm in norms:
            norm.member = None
