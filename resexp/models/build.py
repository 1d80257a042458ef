"""Builds networks from settings, and measures what they cost.

A caller, such as a notebook, may have switched gradients off. The functions that are wrapped in
`torch.inference_mode(False)` switch them on: without them, nothing would be kept for the backward pass.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

from resexp.connections.base import Connection, Site
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose, Trunk
from resexp.models.cost import MOST_MATCHED, count_params, fewest_normalised, measure_cost, too_large
from resexp.models.init import initialise, refuse_start
from resexp.models.later import refuse_later
from resexp.models.own_start import Writes, refuse_own_start
from resexp.models.shapes import check_states
from resexp.models.unlearned import refuse_unlearned
from resexp.plan.trial import Cost
from resexp.random import kept_generators, key_of, seed_generators

if TYPE_CHECKING:
    from resexp.config.settings import ModelConfig

SIMPLER = {
    "pad_end": ("pad",),
    "projection": ("pad",),
    "projection_everywhere": ("pad",),
    "pool": ("pad", "projection"),
}
"""Kinds of shortcuts, each with those that stand for it if they make the same network."""


def build_network(model: ModelConfig, purpose: Purpose, **sizes: int) -> Network:
    """The network of a configuration. `sizes` has values for options of its trunk or connection, by name.
    They replace those of the configuration.

    Raises:
        ConfigError: the trunk cannot have this depth, or cannot take such examples.
    """
    own = model.connection.options().keys() & sizes.keys()
    sites: list[Site] = []

    def connect(site: Site) -> Connection:
        sites.append(site)
        connection: Connection = model.connection.build(site, **{name: sizes[name] for name in own})
        return connection

    trunk: Trunk = model.build(**{name: sizes[name] for name in model.options().keys() & sizes.keys()})
    design = Design(
        model.depth,
        purpose.shape,
        purpose.classes,
        connect,
        model.order,
        model.norm,
        model.activation,
        purpose.causal,
    )
    network = trunk.build(design)
    network.sites = tuple(sites)
    return network


@torch.inference_mode(False)
def started_network(model: ModelConfig, purpose: Purpose, seed: int) -> Network:
    """The network of a configuration, with the initial weights that `seed` draws. Raises ConfigError."""
    with kept_generators():
        seed_generators(key_of(seed, "constructors"))  # for what a plugin's constructor draws
        network = build_network(model, purpose)
    initialise(network, model.init, seed, activation=model.activation, noise=model.init_noise)
    return network


@torch.inference_mode(False)
def network_cost(model: ModelConfig, purpose: Purpose) -> Cost:
    """The network's cost, measured without allocating its weights.

    Raises ConfigError if the initialisation is not defined for it, if another kind of shortcut makes the same
    network, if a plugin's connection sets weights that are drawn anew or does not return a state as it must,
    or if a plugin's connection or network has a parameter that would never learn.
    """
    part = model.connection.info
    where = f"{part.file}:{part.line}"
    with Writes() if part.plugin else nullcontext() as writes:
        network = outlined(model, purpose)
    refuse_start(network, model.init)
    if writes:
        refuse_own_start(network, writes, where)
        check_states(network, where)
        if purpose.causal and network.sites:
            refuse_later(network.sites, model.connection.build, purpose.shape[0], where)
    elif not model.info.plugin:
        _refuse_shortcut(model, purpose, network)
    cost = measure_cost(network, purpose)
    for own in (part, model.info):
        if own.plugin:  # after what measuring refuses, which says more
            refuse_unlearned(outlined(model, purpose), purpose, own)
    return cost


def _refuse_shortcut(model: ModelConfig, purpose: Purpose, network: Network) -> None:
    """Raises ConfigError if a simpler kind of shortcut makes the same `network`, as where no block changes
    the size of its state.
    """
    kind = getattr(model.connection, "shortcut", "pad")
    for simpler in SIMPLER.get(kind, ()):
        other = model.connection.model_copy(update={"shortcut": simpler})
        if str(outlined(model.model_copy(update={"connection": other}), purpose)) == str(network):
            wrong = f"{kind} makes the same network as {simpler}, with these sizes of blocks"
            raise ConfigError.of("", "model.connection.shortcut", wrong, f"give {simpler}")


@torch.inference_mode(False)
def network_normalises(model: ModelConfig, purpose: Purpose, batch: int) -> int:
    """The fewest values per channel that a batch norm of the network gets; 0 if it has no batch norm."""
    return fewest_normalised(outlined(model, purpose), purpose, batch)


def outlined(model: ModelConfig, purpose: Purpose, **sizes: int) -> Network:
    """The network of `build_network` on PyTorch's meta device, where weights take no memory. Raises
    ConfigError if the size of a weight overflows.
    """
    try:
        with torch.device("meta"):
            return build_network(model, purpose, **sizes)
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise too_large(
            "a weight of the network has more bytes than can be counted", "choose a smaller width"
        ) from None


@torch.inference_mode(False)
def network_budget(model: ModelConfig, purpose: Purpose, measure: str, **sizes: int) -> int:
    """The network's `params` or `macs`. To count only the parameters, no forward pass is needed."""
    network = outlined(model, purpose, **sizes)
    return measure_cost(network, purpose, MOST_MATCHED).macs if measure == "macs" else count_params(network)
