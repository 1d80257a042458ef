"""The small pieces that trunks share: norms, activations, branches, and the list of blocks itself."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from resexp.connections.base import Connection, ShortcutConnection, Site
from resexp.connections.core import Plain, Scaled
from resexp.connections.scaling import LayerScale
from resexp.errors import ConfigError
from resexp.models.base import Block, Design
from resexp.models.shortcut import ShortcutFactory

Value = TypeVar("Value")

LEAK = 0.2
"""The slope of `leaky_relu` below 0, as in DCGAN (Radford et al. 2015, arXiv:1511.06434)."""


@dataclass(frozen=True)
class Layers:
    """How a trunk builds its layers.

    From input channels, output channels and a stride, `map` builds a 1x1 map without bias, and `branch` the
    branch of a block. From a number of channels, `norm` builds a norm. With `shared_start`, the norm and
    activation at a branch's start are applied before the state splits into shortcut and branch, in the first
    block and in all blocks whose shortcut is a projection. `shrink` is as in `ShortcutFactory`.
    """

    map: Callable[[int, int, int], nn.Module]
    norm: Callable[[int], nn.Module]
    branch: Callable[[int, int, int], nn.Module]
    shared_start: bool = False
    shrink: Callable[[int], nn.Module] | None = None


def make_norm(kind: str, channels: int) -> nn.Module:
    """The norm with this name in `model.norm`, for a state with this many channels.

    `layer` normalises over all channels and pixels together. `group` has gcd(channels, 32) groups of
    channels. Wu and He 2018 have 32 groups.
    """
    if kind == "none":
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(1 if kind == "layer" else math.gcd(channels, 32), channels)


def make_activation(kind: str, in_place: bool = False) -> nn.Module:
    """The activation with this name in `model.activation`.

    Set `in_place` only if nothing else reads the input: ReLU then overwrites it, which saves memory.
    """
    if kind == "relu":
        return nn.ReLU(inplace=in_place)
    if kind == "leaky_relu":
        return nn.LeakyReLU(LEAK, inplace=in_place)
    return {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}[kind]()


@dataclass(frozen=True)
class Order:
    """Where norm and activation stand: in every unit of a branch, in the stem, and before the head.

    A unit is a weight layer with its norm and activation. The last `after_merge` steps of a branch's last
    unit are not in the branch but follow the merge of branch and shortcut. With `once`, a branch has one
    norm, before its first layer, and activations only between its layers.
    """

    unit: tuple[str, str, str]
    after_merge: int
    stem: tuple[str, ...]
    before_head: tuple[str, ...]
    once: bool = False


# He et al. 2016 (arXiv:1603.05027), figure 4, (a) to (e).
ORDERS: dict[str, Order] = {
    "post": Order(("layer", "norm", "act"), 1, ("norm", "act"), ()),
    "bn_after_add": Order(("layer", "norm", "act"), 2, ("norm", "act"), ()),
    "relu_before_add": Order(("layer", "norm", "act"), 0, ("norm", "act"), ()),
    "relu_only_pre": Order(("act", "layer", "norm"), 0, ("norm",), ("act",)),
    "pre": Order(("norm", "act", "layer"), 0, (), ("norm", "act")),
    # Tang and Lin 2018 (arXiv:1710.10361), by the authors' code. A shortcut carries states without a norm.
    "norm_only_pre": Order(("norm", "layer", "act"), 0, ("act",), ("norm",)),
    # SimBa: Lee et al. 2024 (arXiv:2410.09754), section 4.
    "norm_once": Order(("norm", "layer", "act"), 0, (), ("norm",), once=True),
}


def order_of(design: Design) -> Order:
    """The design's order. Raises ConfigError for the orders that only transformers have."""
    if design.order not in ORDERS:
        wrong = f"{design.order} is an order of transformers"
        raise ConfigError.of("", "model.order", wrong, f"give one of {', '.join(ORDERS)}")
    return ORDERS[design.order]


def ordered_branch(
    layers: Sequence[tuple[nn.Module, int, int]], design: Design, norm: Callable[[int], nn.Module]
) -> nn.Sequential:
    """Weight layers, given as (layer, inputs, outputs), with norm and activation in the design's order."""
    order = order_of(design)
    steps: list[tuple[str, nn.Module]] = []
    overwritable = False  # the branch's first input is the state itself, which the shortcut also reads
    for number, (layer, inputs, outputs) in enumerate(layers, 1):
        width = inputs
        for step in order.unit:
            if order.once and ((step == "norm" and number > 1) or (step == "act" and number == len(layers))):
                continue
            module = layer
            if step == "layer":
                width = outputs
            else:
                module = norm(width) if step == "norm" else make_activation(design.activation, overwritable)
            overwritable = overwritable or not isinstance(module, nn.Identity)
            steps.append((f"{step}{number}", module))
    return nn.Sequential(OrderedDict(steps[: len(steps) - order.after_merge]))


def steps_of(
    names: Iterable[str],
    design: Design,
    norm: Callable[[int], nn.Module],
    channels: int,
    in_place: bool = True,
) -> list[tuple[str, nn.Module]]:
    """The named norms and activations, for a state of `channels`."""
    make = {"norm": lambda: norm(channels), "act": lambda: make_activation(design.activation, in_place)}
    return [(name, make[name]()) for name in names]


def make_after(design: Design, norm: Callable[[int], nn.Module], channels: int) -> nn.Module:
    """The norm and activation that follow the merge: those that the order takes out of the branch."""
    order = order_of(design)
    steps = steps_of(order.unit[3 - order.after_merge :], design, norm, channels)
    if len(steps) == 1:
        return steps[0][1]
    return nn.Sequential(OrderedDict(steps)) if steps else nn.Identity()


def make_block(
    design: Design, layers: Layers, inputs: int, width: int, *, stride: int, index: int, depth: int
) -> Block:
    """Block `index` of `depth` blocks, from `inputs` channels to the planned `width`; see `Site`."""
    started = layers.shared_start and "norm" in start_of(design)
    # A norm before the split already normalises the projection's input, so none follows the projection.
    norm = (lambda channels: nn.Identity()) if started else layers.norm
    shortcut = ShortcutFactory(layers.map, norm, inputs, width, stride, layers.shrink)
    site = Site(index, depth, inputs, width, stride, shortcut, lambda i, o: layers.map(i, o, 1))
    connection = design.connection(site)
    branch = layers.branch(inputs, connection.branch, stride)
    before = None
    if layers.shared_start and splits_late(connection, index):
        steps = list(branch.named_children())
        count = len(start_of(design))
        before, branch = (nn.Sequential(OrderedDict(part)) for part in (steps[:count], steps[count:]))
    return Block(connection, branch, make_after(design, layers.norm, connection.out), before)


def start_of(design: Design) -> tuple[str, ...]:
    """The steps of a branch before its first layer, in the design's order."""
    unit = order_of(design).unit
    return unit[: unit.index("layer")]


def splits_late(connection: Connection, index: int) -> bool:
    """Whether block `index` shares the start of its branch with its shortcut: see `Layers`.

    Raises:
        ConfigError: the connection has no single shortcut.
    """
    if isinstance(connection, Plain):
        return False
    if not isinstance(connection, ShortcutConnection) or type(connection).enter is not Connection.enter:
        wrong = f"{type(connection).__name__} has no single shortcut to share a branch's start with"
        right = "choose residual, another connection of h alone, or pre_activation: branch"
        raise ConfigError.of("", "model.connection", wrong, right)
    shortcut = connection.shortcut
    return index == 0 or (isinstance(shortcut, nn.Module) and any(True for _ in shortcut.parameters()))


def keeps_zero(connection: Connection) -> bool:
    """Whether a branch whose last layer starts at 0 would never learn: either nothing else passes the block,
    or the branch's factor starts at 0, too, so that neither of the two gets a gradient.
    """
    return isinstance(connection, Plain) or (
        isinstance(connection, Scaled | LayerScale) and connection.initial == 0
    )


def stack(
    design: Design, layers: Layers, inputs: int, stages: Iterable[tuple[int, int, int]]
) -> tuple[list[Block], int]:
    """All blocks in their order, and the number of channels of the last state.

    `stages` has for each stage its number of blocks, its width and its first block's stride. `inputs` is the
    number of channels of the stem's output.
    """
    plan = [(width, stride if i == 0 else 1) for count, width, stride in stages for i in range(count)]
    blocks = []
    for index, (width, stride) in enumerate(plan):
        blocks.append(make_block(design, layers, inputs, width, stride=stride, index=index, depth=len(plan)))
        inputs = blocks[-1].connection.out
    return blocks, inputs


def first_steps(
    design: Design, norm: Callable[[int], nn.Module], channels: int
) -> list[tuple[str, nn.Module]]:
    """The norm and activation that follow the stem's layer."""
    return steps_of(order_of(design).stem, design, norm, channels)


def final_steps(
    design: Design, norm: Callable[[int], nn.Module], channels: int
) -> list[tuple[str, nn.Module]]:
    """The norm and activation before the head, in orders in which branches begin with them; otherwise []."""
    return steps_of(order_of(design).before_head, design, norm, channels, in_place=False)


def repeats(trunk: str, depth: int, unit: int, others: int, where: str = "") -> int:
    """The n >= 1 for which a depth is unit * n + others. Raises ConfigError with this rule if there is none.
    `where` says when the rule holds, such as "with basic blocks".
    """
    n, rest = divmod(depth - others, unit)
    if n < 1 or rest:
        rule = f"{unit if unit > 1 else ''}n+{others} {where}".rstrip()
        raise wrong_depth(trunk, depth, rule, lambda d: d > others and (d - others) % unit == 0)
    return n


def at_depth(table: Mapping[int, Value], depth: int, trunk: str) -> Value:
    """What the table of a trunk has for a depth. Raises ConfigError if the trunk has no such depth."""
    if depth not in table:
        raise wrong_depth(trunk, depth, ", ".join(map(str, table)), table.__contains__)
    return table[depth]


def wrong_depth(trunk: str, depth: int, rule: str, allowed: Callable[[int], bool]) -> ConfigError:
    """The error for a depth that this trunk cannot have. It names the nearest possible depths."""
    below = next((d for d in range(depth - 1, 0, -1) if allowed(d)), None)
    above = next((d for d in range(depth + 1, depth + 128) if allowed(d)), None)
    near = " or ".join(str(d) for d in (below, above) if d is not None)
    wrong = f"{trunk} has no depth {depth}, its depths are {rule}"
    return ConfigError.of("", "model.depth", wrong, f"near it: {near}")
