"""Blocks of attention and MLPs, shared by the trunks that work on tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from resexp.connections.base import Connection, Site
from resexp.connections.core import Plain
from resexp.errors import ConfigError, Problem
from resexp.models.attention import AlongTokens, Attention, Projection, Recipe, Scale, TokenMap
from resexp.models.base import Block, Design
from resexp.models.parts import keeps_zero, make_activation
from resexp.models.shortcut import ShortcutFactory
from resexp.options import ShortcutKind

Steps = list[tuple[str, nn.Module]]


@dataclass(frozen=True)
class NormPlaces:
    """Where layer norms are: before a sub-layer's layers, behind them, after the merge, before the head."""

    before: bool = False
    behind: bool = False
    after_merge: bool = False

    @property
    def before_head(self) -> bool:
        return not self.after_merge


PLACEMENTS = {
    "post": NormPlaces(after_merge=True),  # Vaswani et al. 2017 (arXiv:1706.03762)
    "pre": NormPlaces(before=True),  # Xiong et al. 2020 (arXiv:2002.04745)
    "peri": NormPlaces(before=True, behind=True),  # Kim et al. 2025 (arXiv:2502.02732)
    "deep_norm": NormPlaces(after_merge=True),  # Wang et al. 2022 (arXiv:2203.00555)
}


def token_blocks(design: Design, recipe: Recipe) -> tuple[list[Block], int]:
    """The blocks of `design.depth` layers, and the number of channels of the last state.

    A layer is attention and, if `mlp` is true, an MLP. These are its sub-layers. Every `span` sub-layers are
    one block, so a layer with an MLP is two blocks if `span` is 1.

    Raises:
        ConfigError: the norm, order, heads, span or connection do not fit tokens. The error says what fits.
    """
    check_design(design, recipe)
    kinds = ("attention", "mlp") * design.depth if recipe.mlp else ("attention",) * design.depth
    span = recipe.span or 1
    if len(kinds) % span:
        wrong = f"{span} does not divide the {len(kinds)} sub-layers of depth {design.depth}"
        raise ConfigError.of("", "model.span", wrong, "give a divisor, or 0 for no shortcuts")
    make = design.connection if recipe.span else Plain
    blocks: list[Block] = []
    channels = recipe.width
    for index in range(len(kinds) // span):
        shortcut = TokenShortcut(design, recipe, channels)
        site = Site(index, len(kinds) // span, channels, recipe.width, 1, shortcut, TokenMap)
        connection = make(site)
        _check_connection(connection, recipe)
        own = kinds[index * span : (index + 1) * span]
        branch = AlongTokens(OrderedDict(sublayers(own, channels, connection.branch, design, recipe)))
        channels = connection.out
        after = PLACEMENTS[design.order].after_merge
        norm = norm_steps(design, channels, "norm", recipe.bias) if after else []
        blocks.append(Block(connection, branch, AlongTokens(OrderedDict(norm))))
    return blocks, channels


def _check_connection(connection: Connection, recipe: Recipe) -> None:
    """Raises ConfigError if the connection does not fit the recipe."""
    name = type(connection).__name__
    if recipe.causal and connection.mixes_positions:
        wrong = f"{name} looks at all tokens, and with this mask no token sees later ones"
        raise ConfigError.of("", "model.connection", wrong, "give mask: none, or another connection")
    if recipe.zero_outputs and keeps_zero(connection):
        wrong = f"with {name}, layers whose outputs start at 0 would never learn"
        right = "give false, or another connection or initial"
        raise ConfigError.of("", "model.zero_outputs", wrong, right)


@dataclass(frozen=True)
class TokenShortcut:
    """Builds the shortcut S of a site, followed by dropout if its rate is not 0."""

    design: Design
    recipe: Recipe
    inputs: int

    def __call__(self, kind: ShortcutKind, outputs: int | None = None) -> nn.Module:
        width, rate = self.recipe.width, self.recipe.rate("skip")
        factory = ShortcutFactory(lambda i, o, _: TokenMap(i, o), self._norm, self.inputs, width, 1)
        shortcut = factory(kind, outputs)
        return nn.Sequential(shortcut, nn.Dropout(rate)) if rate else shortcut

    def _norm(self, channels: int) -> nn.Module:
        return AlongTokens(OrderedDict(norm_steps(self.design, channels, "norm", self.recipe.bias)))


def sublayers(
    kinds: tuple[str, ...], inputs: int, outputs: int, design: Design, recipe: Recipe
) -> Iterator[tuple[str, nn.Module]]:
    """The named steps of one branch from `inputs` channels to `outputs`. If it has several sub-layers, each
    name has the sub-layer's number.
    """
    placement = PLACEMENTS[design.order]
    layers = design.depth
    a, gain = 1.0, 1.0
    if design.order == "deep_norm":  # the paper's table 2, for an encoder or a decoder alone
        a, gain = (2 * layers) ** 0.25, (8 * layers) ** -0.25
    for number, kind in enumerate(kinds, 1):
        mark = str(number) if len(kinds) > 1 else ""
        last = number == len(kinds)
        width = outputs if last else recipe.width
        # If every sub-layer began at 0, the layers of a block of several would never get a gradient.
        last_gain = 0.0 if recipe.zero_outputs and last else gain
        if placement.before:
            yield from norm_steps(design, inputs, f"norm{mark}", recipe.bias)
        if kind == "attention":
            yield f"attention{mark}", Attention(inputs, width, recipe, gain, last_gain)
        else:
            hidden = max(1, round(recipe.mlp_ratio * recipe.width))
            yield f"expand{mark}", Projection(inputs, hidden, gain, bias=recipe.bias)
            yield f"act{mark}", make_activation(design.activation, in_place=True)
            yield from dropout(recipe.rate("mlp"), f"drop_hidden{mark}")
            yield f"shrink{mark}", Projection(hidden, width, last_gain, bias=recipe.bias)
        # In a block of several sub-layers, only the last one is followed by the merge and the norm after it.
        if placement.behind or (placement.after_merge and not last):
            yield from norm_steps(design, width, f"norm_behind{mark}", recipe.bias)
        yield from dropout(recipe.rate("branch"), f"drop{mark}")
        inputs = width
    if a != 1.0:  # LN(a h + f) = LN(h + f / a), a form to which any connection can be applied
        yield "scale", Scale(1 / a)


def norm_steps(design: Design, channels: int, name: str, bias: bool) -> Steps:
    """A layer norm, which normalises every token by itself; [] if the design has no norm."""
    return [(name, nn.LayerNorm(channels, bias=bias))] if design.norm == "layer" else []


def dropout(rate: float, name: str) -> Steps:
    """Dropout at this rate; [] if the rate is 0."""
    return [(name, nn.Dropout(rate))] if rate else []


def head_steps(design: Design, channels: int, bias: bool = True) -> Steps:
    """The norm at the head's start; [] in orders in which a norm follows the last merge."""
    return norm_steps(design, channels, "norm", bias) if PLACEMENTS[design.order].before_head else []


def check_design(design: Design, recipe: Recipe) -> None:
    """Raises ConfigError if a transformer cannot have this design. The error lists every reason."""
    problems = []
    if design.order not in PLACEMENTS:
        wrong = f"{design.order} is not an order of transformers"
        problems.append(Problem("", "model.order", wrong, f"give one of {', '.join(PLACEMENTS)}"))
    if design.norm not in ("layer", "none"):
        wrong = f"{design.norm} would mix tokens, and a transformer normalises each by itself"
        problems.append(Problem("", "model.norm", wrong, "give layer or none"))
    if design.order == "deep_norm" and design.norm == "none":
        wrong = "deep_norm divides branches for the norm behind the sum, and without it the sum is another"
        problems.append(Problem("", "model.norm", wrong, "give layer, or another order"))
    if recipe.heads > recipe.width:
        wrong = f"{recipe.heads} heads share {recipe.width} channels"
        problems.append(Problem("", "model.heads", wrong, "give at most as many heads as channels"))
    if problems:
        raise ConfigError(problems)
