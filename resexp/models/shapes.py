"""Checks that a user's connections return states of the right shape, and overwrite no state that is still
read, while their network is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from torch import Tensor

from resexp.connections.base import Branch, Connection, ShortcutConnection
from resexp.errors import ConfigError
from resexp.models.base import Chain, Network, h_of

TENSOR = "return a tensor"
STATE = "return the tensor h', or a tuple (h', *memory)"
ADVICE = {
    "meta tensors": "a plan has no values yet, so choose by torch.where, and take no number out of a tensor",
    "alloc": "a plan counts billions of examples without memory, so make new tensors by h.new_zeros or the "
    "like, loop over no examples, and define `enter` if the state is a tuple",
}
"""What to do about errors that come from PyTorch's meta device, by a part of their text."""
SHORTCUT = "; in a ShortcutConnection, self.shortcut(h) is h in the shape of f(h)"


def check_states(network: Network, where: str) -> None:
    """Make every connection of the network check what it returns. Errors name the file and line `where`.

    Do not train this network: the checks stay in it, and would slow it.
    """
    blocks = network.in_order()
    for index, block in enumerate(blocks):
        place = _Place(where, index, block.connection)
        block.branch.register_forward_hook(place.note_branch)
        block.connection.register_forward_hook(place.check_state)
        block.register_forward_hook(place.check_overwritten)
        block.connection.forward = place.forward  # type: ignore[assignment, method-assign]  # of this instance
        if index == len(blocks) - 1 and isinstance(network, Chain):
            network.register_forward_pre_hook(place.note_input)
            network.head.register_forward_pre_hook(place.check_left)


class _Place:
    """Checks the states of one block. During a pass, it notes the shapes that it needs for these checks."""

    def __init__(self, where: str, index: int, connection: Connection) -> None:
        self.where = where
        self.index = index
        self.connection = connection
        self.equation = connection.forward
        self.batch = 1
        self.branch: tuple[int, ...] | None = None
        self.kept: dict[str, tuple[Tensor, int]] = {}

    def note_input(self, network: Any, arguments: Any) -> None:
        self.batch = arguments[0].shape[0]

    def note_branch(self, branch: Any, arguments: Any, result: Tensor) -> None:
        self.branch = tuple(result.shape)

    def forward(self, state: Any, f: Branch) -> Any:
        """h', computed by the connection itself. If that fails, the error also names the shapes involved."""
        before = _versions(state)
        try:
            result = self.equation(state, f)
        except (RuntimeError, MemoryError, TypeError) as error:
            rows = h_of(state).shape[0]
            shapes = f"h is {written(h_of(state).shape, rows)}"
            if isinstance(state, tuple):
                shapes += f", first in a tuple of {len(state)},"
            if self.branch:
                shapes += f" and f(h) is {written(self.branch, rows)}"
                differ = self.branch != tuple(h_of(state).shape)
                shapes += SHORTCUT if differ and not isinstance(self.connection, ShortcutConnection) else ""
            advice = next((words for part, words in ADVICE.items() if part in str(error)), "")
            told = f"{advice} ({error})" if advice else f"{error}"
            error.args = (f"in block {self.index}, where {shapes}: {told}",)
            raise
        self.refuse_changed(before, "give the result another name, without an operation in place")
        self.kept = before | _versions(result, "h'")
        return result

    def check_state(self, connection: Any, arguments: Any, result: Any) -> None:
        """Raises ConfigError unless the result is h', or a tuple (h', *memory), of the right shape.

        If the connection did not call its branch, the positions of h' are not checked.
        """
        state = result[0] if isinstance(result, tuple) and result else result
        if not isinstance(state, Tensor):
            where = " first in a tuple" if isinstance(result, tuple) else ""
            self.refuse("forward", f"a {type(state).__name__}{where}", STATE)
        rows = h_of(arguments[0]).shape[0]
        right = (rows, self.connection.out, *(state.shape if self.branch is None else self.branch)[2:])
        if tuple(state.shape) != right:
            advice = f"return {written(right, rows)}, or set self.out, the channels of h', in __init__"
            self.refuse("forward", f"h' of the shape {written(state.shape, rows)}", advice)

    def check_left(self, head: Any, arguments: Any) -> None:
        """Raises ConfigError unless `leave` has given the head a tensor of the right shape."""
        left = arguments[0]
        if not isinstance(left, Tensor):
            self.refuse("leave", f"a {type(left).__name__}", TENSOR)
        right = (self.batch, self.connection.out, *left.shape[2:])
        if tuple(left.shape) != right:
            advice = f"return {written(right, self.batch)}"
            self.refuse("leave", f"the shape {written(left.shape, self.batch)}", advice)

    def check_overwritten(self, block: Any, arguments: Any, result: Any) -> None:
        """Raises ConfigError if the activation after the block has overwritten the old h or the memory,
        because the connection returned the same tensor as h'.
        """
        self.kept.pop("h'", None)
        wrong = (
            "returns as h' a tensor that is kept, too, and the activation after the block would overwrite it"
        )
        self.refuse_changed(self.kept, "keep a copy of it, h'.clone()", wrong)

    def refuse_changed(self, kept: dict[str, tuple[Tensor, int]], right: str, wrong: str = "") -> None:
        """Raises ConfigError if one of the tensors, each given with its version, has been changed since."""
        for name, (tensor, version) in kept.items():
            if tensor._version != version:
                key = f"{type(self.connection).__name__}.forward"
                told = wrong or f"changes {name} in place in block {self.index}, which others still read"
                raise ConfigError.of(self.where, key, told, right)

    def refuse(self, method: str, given: str, right: str) -> NoReturn:
        key = f"{type(self.connection).__name__}.{method}"
        raise ConfigError.of(self.where, key, f"returns {given} in block {self.index}", right)


def _versions(state: Any, first: str = "h") -> dict[str, tuple[Tensor, int]]:
    """The tensors of a state by their names, each with a number that grows when it is changed in place."""
    every = state if isinstance(state, tuple) else (state,)
    names = [first, *(f"memory[{number}]" for number in range(len(every) - 1))]
    return {
        name: (part, part._version)
        for name, part in zip(names, every, strict=False)
        if isinstance(part, Tensor)
    }


def written(shape: Sequence[int], batch: int) -> str:
    """A shape with B for the batch, because a network is measured with billions of examples."""
    return f"({', '.join(_size(size, batch) for size in shape)})"


def _size(size: int, batch: int) -> str:
    times, rest = divmod(size, batch)
    return str(size) if rest or not times else "B" if times == 1 else f"{times}B"
