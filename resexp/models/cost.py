"""Measures what a network costs, by running it on PyTorch's meta device, which computes shapes alone."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from resexp.connections.base import Connection
from resexp.errors import ConfigError
from resexp.models.attention import Attention
from resexp.models.base import Purpose
from resexp.plan.trial import Cost

BATCHES = (2**34, 2**20)
"""Batch sizes to measure with. The first is so large that tensors which are kept once for all examples, such
as weights and statistics, add less than a byte per example. The second is used if the first overflows.
"""
MOST_OPERATIONS = 12_000
"""The most operations that one pass may have. Counting more takes longer than users wait for a plan. A ResNet
of depth 1202 has 4,213.
"""
MOST_MATCHED = 4_500
"""The most operations that one pass may have if the network's size is matched, since that takes about eight
passes.
"""
MOST_PARAMS = 10**11
"""The most parameters. With gradients and momentum, these take more than a terabyte."""


def count_params(network: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def measure_cost(network: nn.Module, purpose: Purpose, most: int | None = None) -> Cost:
    """The cost of a network. Bytes are those of float32, and all numbers but the first are per example.

    The four numbers are: trainable parameters; multiply-accumulates of convolutions and matrix products,
    which are half of PyTorch's FLOP count; bytes that autograd keeps for the backward pass; and bytes of the
    inputs and outputs of the one operation for which these are largest.

    `network` must be on the meta device and in training mode. Connections that drop their branch at random
    are counted with their branch. One pass may have `most` operations, or MOST_OPERATIONS if that is None.

    Raises:
        ConfigError: the network is too large for any machine, or has too many operations to count them in
            reasonable time; a group or layer norm would normalise too few values; or a batch norm is applied
            several times.
    """
    params = count_params(network)
    if params > MOST_PARAMS:
        raise too_large(f"the network has {params:,} parameters", f"at most {MOST_PARAMS:,} are possible")
    applied: set[nn.Module] = set()
    for module in network.modules():
        if isinstance(module, Connection):
            module.training = False
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            module.register_forward_pre_hook(_refuse_few_values)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.forward = KeepInput.apply  # type: ignore[method-assign]  # of this instance only
            module.register_forward_pre_hook(partial(_refuse_second_use, applied))
        if isinstance(module, Attention) and not module.dropout:
            module.attend = fused_attention  # type: ignore[assignment]  # which has more options
    for batch in BATCHES:
        applied.clear()
        try:
            sizes = _passed(network, purpose.made_up(batch, "meta"), most or MOST_OPERATIONS)
        except RuntimeError as error:
            if "overflow" not in str(error):
                # The error names the batch B, because its size here means nothing to a user.
                error.args = (str(error).replace(str(batch), "B"),)
                raise
        else:
            return Cost(params, *(size // batch for size in sizes))
    raise too_large("one example takes more than a terabyte", "choose smaller examples or a smaller width")


def _refuse_few_values(norm: nn.GroupNorm | nn.LayerNorm, inputs: tuple[Tensor, ...]) -> None:
    """Raises ConfigError if the norm normalises one value by itself, because it makes 0 of it, or if each of
    several groups has two values, because they become 1 and -1, which tell almost nothing and have almost no
    gradient.
    """
    if isinstance(norm, nn.LayerNorm):
        if math.prod(norm.normalized_shape) == 1:
            wrong = "a layer norm of one channel makes 0 of it"
            raise ConfigError.of("", "model.norm", wrong, "give none, or a larger width")
        return
    _, channels, *sides = inputs[0].shape
    values = channels // norm.num_groups * math.prod(sides)
    if values == 1 or (values == 2 and norm.num_groups > 1):
        result = "0 of it" if values == 1 else "1 and -1 of them"
        count = "one value" if values == 1 else "two values"
        wrong = f"each of {norm.num_groups} groups has {count} per example, and the norm makes {result}"
        right = "give layer or batch, a larger width, or larger images"
        raise ConfigError.of("", "model.norm", wrong, right)


def _refuse_second_use(applied: set[nn.Module], norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Raises ConfigError if the batch norm has been applied before in this pass. It normalises each input by
    the input's own statistics in training, but all of them by one mixture of these in evaluation. Training
    and test errors would be those of another network than the one that was trained.
    """
    if norm in applied:
        wrong = (
            "the network applies one batch norm several times in a pass, and in evaluation one mixture of "
            "statistics would stand for all of them"
        )
        raise ConfigError.of("", "model.norm", wrong, "give group, layer or none")
    applied.add(norm)


def too_large(wrong: str, right: str) -> ConfigError:
    return ConfigError.of("", "model", wrong, right)


def _passed(network: nn.Module, inputs: Tensor, most: int) -> tuple[int, int, int]:
    """Pass made-up inputs through the network.

    Returns its multiply-accumulates, the bytes kept for the backward pass, and the bytes of the inputs and
    outputs of the operation for which these are largest.
    """
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # keeps the tensors, so that no storage's address is used twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        alive.append(tensor)
        return tensor

    with FlopCount(most) as count, saved_tensors_hooks(keep, lambda tensor: tensor):
        network(inputs)
    return count.flops // 2, sum(kept.values()), count.widest


def fewest_normalised(network: nn.Module, purpose: Purpose, batch: int) -> int:
    """The fewest values per channel that a batch norm gets from a batch of this size: examples times
    positions. 0 if the network has no batch norm. If a plugin calls PyTorch's function in place of a batch
    norm, only a single value is noticed, because the function refuses it.

    `network` must be on the meta device and in training mode.
    """
    found: list[int] = []

    def count(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].numel() // inputs[0].shape[1])

    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.forward = KeepInput.apply  # type: ignore[method-assign]  # because it refuses one value
            module.register_forward_pre_hook(count)
    try:
        network(purpose.made_up(batch, "meta"))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        return 1
    return min(found, default=0)


class KeepInput(torch.autograd.Function):
    """Replaces a batch norm, which is slow on the meta device, and keeps the input as a batch norm does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.empty_like(x)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, *, dropout_p: float, is_causal: bool) -> Tensor:
    """Attention as it is computed in training, where it keeps no matrix of T x T weights. On the meta device
    PyTorch would choose the algorithm that does. CPUs have no other for dropout of these weights.
    """
    attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, dropout_p, is_causal)[0]
    return attended


class FlopCount(TorchDispatchMode):
    """Counts FLOPs by PyTorch's formulas.

    PyTorch's own `FlopCounterMode` also counts for every module, which takes longer than the pass. `widest`
    is the largest number of bytes that one operation's inputs and outputs have. `most` is how many operations
    there may be. An operation on a list counts once more for every ten of its tensors, because it takes
    longer.
    """

    def __init__(self, most: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch does not annotate it
        self.most = most
        self.flops = self.widest = self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1 + sum(len(each) for each in args if isinstance(each, list)) // 10
        if self.operations > self.most:
            wrong = f"one pass through the network takes more than {self.most:,} operations"
            raise too_large(wrong, "choose a smaller depth, or a connection that keeps no history")
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.flops += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        held = sum(each.nbytes for each in (*args, out) if isinstance(each, Tensor))
        self.widest = max(self.widest, held)
        return out
