"""Initial weights. Each is drawn by a generator that depends on the seed and the weight's name alone.

Two variants with the same seed therefore share every weight that both have, however else they differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from resexp.connections.core import Skip
from resexp.connections.history import SkipInput
from resexp.errors import ConfigError
from resexp.models.attention import Attention, Projection
from resexp.models.base import Block, Network
from resexp.models.parts import LEAK, keeps_zero
from resexp.models.reparam import DiracConv, RepConv
from resexp.random import keyed_generator

Scheme = Callable[[Tensor, torch.Generator, float], Tensor]
"""Draws a weight in place, given the gain of the activation."""

GAINS = {
    "relu": math.sqrt(2),  # keeps the mean square of every signal: He et al. 2015 (arXiv:1502.01852)
    # The one gain at which small signals and their gradients keep their size through any depth, as the
    # delta-orthogonal start of Xiao et al. 2018 (arXiv:1806.05393) needs. PyTorch's 5/3 keeps larger signals,
    # but lets gradients explode.
    "tanh": 1.0,
    # The reciprocal of the slope at 0, because no gain keeps both signals and gradients. The mean square of
    # gradients shrinks 2.5 times from layer to layer. With PyTorch's gain of 1, it would shrink 18 times.
    "sigmoid": 4.0,
    # Keeps signals whose mean square is 1. Larger ones grow with depth, and smaller ones shrink.
    "gelu": 1.5335,
    # Keeps the mean square of every signal, as for relu: He et al. 2015, section 2.2.
    "leaky_relu": math.sqrt(2 / (1 + LEAK**2)),
}
"""The gain of each activation. Some schemes multiply their weights by it. Without this factor, their weights
would keep the size of signals in a network without activations.
"""
MIRRORED_GAINS = {"relu": 1.0, "tanh": 0.5, "sigmoid": 2.0, "gelu": 1.0, "leaky_relu": 1 / (1 + LEAK)}
"""The gains for `looks_linear`. In this scheme every unit has a mirror image, so the gain is the reciprocal
of the slope of act(x) - act(-x) at 0.
"""
NOISE = 0.1
"""The default of `model.init_noise`. `dirac` multiplies the weights of `he` by this number, and adds them to
the identity.
"""


def _he(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return weight.normal_(0, gain / math.sqrt(weight[0].numel()), generator=generator)


def _xavier(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return nn.init.xavier_normal_(weight, generator=generator)


def _default(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


def _orthogonal(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return nn.init.orthogonal_(weight, gain=gain, generator=generator)


def _dirac(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return nn.init.eye_(weight) if weight.ndim == 2 else nn.init.dirac_(weight)


def _normal(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    return nn.init.normal_(weight, std=0.02, generator=generator)


def _delta_orthogonal(weight: Tensor, generator: torch.Generator, gain: float) -> Tensor:
    weight.zero_()
    centre = weight
    for size in weight.shape[2:]:
        centre = centre.select(2, size // 2)
    nn.init.orthogonal_(centre, gain=gain, generator=generator)
    return weight


SCHEMES: dict[str, Scheme] = {
    "he": _he,  # He et al. 2015 (arXiv:1502.01852), equation 10: normal, std gain / sqrt(fan_in)
    # Glorot and Bengio 2010: normal, std sqrt(2 / (fan_in + fan_out)). Like `default`, `bert` and `gpt2`, it
    # does not depend on the activation. The projections to queries, keys and values are one matrix, and its
    # fan_out is that of all three, as in PyTorch's MultiheadAttention.
    "xavier": _xavier,
    "default": _default,  # PyTorch's: uniform within 1 / sqrt(fan_in), for weights and biases
    "orthogonal": _orthogonal,  # Saxe et al. 2013 (arXiv:1312.6120), times the gain
    # The identity where shapes allow it (Zagoruyko and Komodakis 2017, arXiv:1706.00388), to which
    # `initialise` adds noise. The identity needs no gain, because ReLU keeps what ReLU has let through.
    "dirac": _dirac,
    # Xiao et al. 2018 (arXiv:1806.05393), section 2.4: orthogonal at a kernel's centre, 0 around it, times
    # the gain, which is 1 for the paper's tanh
    "delta_orthogonal": _delta_orthogonal,
    "looks_linear": _delta_orthogonal,  # then replaced by `mirror`
    "fixup": _he,  # then changed by `shrink_branches`
    "bert": _normal,  # Devlin et al. 2018 (arXiv:1810.04805): normal, std 0.02
    "gpt2": _normal,  # Radford et al. 2019: normal, std 0.02, less in the last layer of a branch
}


@torch.no_grad()
def initialise(
    network: Network, scheme: str, seed: int, *, activation: str = "relu", noise: float = NOISE
) -> None:
    """Draw the weights of every convolution and linear map in place. Biases are 0, except with `default`.

    Embeddings are normal with std 1/sqrt(width), or 0.02 with `bert` and `gpt2`. Norms keep weight 1 and bias
    0. Connections keep what their constructors set, except the weights and biases of convolutions and linear
    maps.

    `dirac` adds `noise` times the weights that `he` draws from the same seed. Without noise, filters that no
    channel of the image reaches compute nothing and get no gradient. In a plain network nearly all filters
    are of this kind.

    Raises ConfigError as `refuse_start` does.
    """
    refuse_start(network, scheme)
    gain = GAINS[activation]
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            std = 0.02 if scheme in ("bert", "gpt2") else module.embedding_dim**-0.5
            module.weight.normal_(std=std, generator=keyed_generator(seed, name, "weight"))
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        SCHEMES[scheme](module.weight, keyed_generator(seed, name, "weight"), gain)
        if scheme == "dirac" and noise:
            drawn = _he(torch.empty_like(module.weight), keyed_generator(seed, name, "weight"), gain)
            module.weight.add_(drawn, alpha=noise)
        if module.bias is not None and scheme == "default":
            bound = 1 / math.sqrt(module.weight[0].numel())
            module.bias.uniform_(-bound, bound, generator=keyed_generator(seed, name, "bias"))
        elif module.bias is not None:
            module.bias.zero_()
        if isinstance(module, Projection):
            module.rescale()
    if scheme == "looks_linear":
        mirror(network, seed, MIRRORED_GAINS[activation])
    elif scheme == "fixup":
        shrink_branches(network)
    elif scheme == "gpt2":
        shrink_last_layers(network)


def refuse_start(network: Network, scheme: str) -> None:
    """Raises ConfigError if the scheme is not defined for networks like this one. The network may be on
    PyTorch's meta device.
    """
    if scheme in ("looks_linear", "fixup") and any(isinstance(m, Attention) for m in network.modules()):
        wrong = f"{scheme} is made for branches of convolutions or linear maps, not for attention"
        raise ConfigError.of("", "model.init", wrong, "give gpt2, bert, default, xavier or he")
    if scheme == "fixup" and (stuck := next(filter(_stays_zero, network.in_order()), None)):
        wrong = (
            f"with {type(stuck.connection).__name__}, a branch whose last layer starts at 0 would never learn"
        )
        raise ConfigError.of("", "model.init", wrong, "give he, or another connection or initial")
    inside = any(isinstance(m, DiracConv | RepConv) for m in network.modules())
    if scheme in ("looks_linear", "fixup", "gpt2") and inside:
        wrong = f"{scheme} sets what a layer computes by its weights, but these layers have shortcuts inside"
        raise ConfigError.of("", "model.init", wrong, "give he, or model.block: basic")
    if scheme == "looks_linear":
        for name, layer, rows, columns in _mirrored(network):
            outputs, inputs = layer.weight.shape[:2]
            if outputs % rows or inputs % columns:
                wrong = f"looks_linear mirrors halves, but {name} maps {inputs} channels to {outputs}"
                raise ConfigError.of("", "model.init", wrong, "choose an even width")


def _stays_zero(block: Block) -> bool:
    """Whether the branch would never learn if its last layer and the head started at 0, as with `fixup`.

    Channels that are appended to the state reach nothing but later branches and the head.
    """
    appends = isinstance(block.connection, Skip | SkipInput)
    return (appends or keeps_zero(block.connection)) and len(_layers_of(block)) > 1


def _layers_of(block: Block) -> list[nn.Conv2d | nn.Linear]:
    """The layers of a block's branch, in their order."""
    return [m for m in block.branch.children() if isinstance(m, nn.Conv2d | nn.Linear)]


def _mirrored(network: Network) -> Iterator[tuple[str, nn.Conv2d | nn.Linear, int, int]]:
    """Yield the layers that count as depth, with their names, and how many mirror images their outputs and
    inputs have in `looks_linear`.
    """
    layers = list(network.weight_layers())
    for i, (name, layer) in enumerate(layers):
        yield name, layer, 1 if i == len(layers) - 1 else 2, 1 if i == 0 else 2


def mirror(network: Network, seed: int, gain: float) -> None:
    """Looks-linear start: weights [[W, -W], [-W, W]], with W as in `delta_orthogonal`.

    Balduzzi et al. 2017 (arXiv:1702.08591), section 4. The first layer is [W; -W], the last [W, -W]. A plain
    network with ReLUs is then linear at first, because relu(x) - relu(-x) = x. One with tanh or sigmoid is
    nearly linear for small signals. With shortcuts or concatenation, halves are no mirror images, so that
    such networks are not linear.
    """
    for name, layer, rows, columns in _mirrored(network):
        outputs, inputs = layer.weight.shape[:2]
        half = layer.weight.new_empty(outputs // rows, inputs // columns, *layer.weight.shape[2:])
        half = _delta_orthogonal(half, keyed_generator(seed, name, "weight"), gain)
        row = torch.cat([half, -half][:columns], dim=1)
        layer.weight.copy_(torch.cat([row, -row][:rows]))


def shrink_last_layers(network: Network) -> None:
    """GPT-2: the last layer in each of L branches is scaled by 1/sqrt(L)."""
    for block in network.in_order():
        *_, last = [m for m in block.branch.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        last.weight.mul_(len(network.blocks) ** -0.5)


def shrink_branches(network: Network) -> None:
    """Fixup: Zhang et al. 2019 (arXiv:1901.09321), section 3. In each of L branches of m layers, the last
    layer is 0 and the others are scaled by L^(-1 / (2m - 2)). The head is 0.

    If a branch has only one layer, as on a U-Net's way up, this layer stays as it is, because the block has
    no other output.
    """
    *_, (_, head) = network.weight_layers()
    head.weight.zero_()
    for block in network.in_order():
        *others, last = _layers_of(block)
        if others:
            last.weight.zero_()
        for layer in others:
            layer.weight.mul_(len(network.blocks) ** (-1 / (2 * len(others))))
