"""Spectral norm: weights that are divided by their largest singular value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from resexp.models.base import Network
from resexp.random import key_of


def divide_by_spectral_norm(network: Network, seed: int) -> None:
    """Divide the weight W of every convolution and linear map by its largest singular value, from now on.

    Miyato et al. 2018 (arXiv:1802.05957). A weight (outputs, inputs, ...) is taken as a matrix (outputs, -1).
    The singular value is estimated by power iteration, with one step per forward pass in training mode. The
    start of the iteration depends on the seed and the weight's name alone. Call this after `initialise`.
    """
    layers = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    for name, layer in layers.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key_of(seed, name, "spectral norm"))
            parametrizations.spectral_norm(layer)


def trained_weight(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The weight that training changes. With spectral norm, this is the weight before its division."""
    if not parametrize.is_parametrized(layer, "weight"):
        return layer.weight
    return layer.get_parameter("parametrizations.weight.original")
