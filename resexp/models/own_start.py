"""Refuses a user's connection whose constructor sets weights that `initialise` then draws anew."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from resexp.errors import ConfigError
from resexp.models.base import Network

DRAWN_ONCE = ["aten::uniform_"]
"""How PyTorch's own constructors write the weights and biases of convolutions and linear maps."""


class Writes(TorchDispatchMode):
    """Notes the operations that write into tensors while a network is built on PyTorch's meta device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch does not annotate it
        self._written: dict[int, list[str]] = {}
        self._alive: list[Tensor] = []  # keeps the tensors, so that no storage's address is used twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.is_mutable and args and isinstance(args[0], Tensor):
            self._alive.append(args[0])
            self._written.setdefault(_storage(args[0]), []).append(func._schema.name)
        return func(*args, **(kwargs or {}))

    def into(self, tensor: Tensor) -> list[str]:
        """The names of the operations that have written into the tensor, in their order."""
        return self._written.get(_storage(tensor), [])


def refuse_own_start(network: Network, writes: Writes, where: str) -> None:
    """Raises ConfigError if a connection's constructor has set the weight or bias of a convolution or linear
    map, because `initialise` draws these anew. The error names the file and line `where`.

    Four functions of `torch.nn.init` do nothing on the meta device, so their use is not noticed: `dirac_`,
    `orthogonal_`, `sparse_` and `trunc_normal_`.
    """
    for block in network.in_order():
        for name, module in block.connection.named_modules():
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            for which, tensor in module.named_parameters(recurse=False):
                if writes.into(tensor) != DRAWN_ONCE:
                    key = f"{type(block.connection).__name__}.__init__"
                    wrong = (
                        f"sets the first values of {name}.{which}, and model.init draws those of every "
                        f"{type(module).__name__} anew"
                    )
                    right = "use a torch.nn.Parameter with torch.nn.functional, which keeps its first values"
                    raise ConfigError.of(where, key, wrong, right)


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
