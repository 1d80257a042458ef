"""Settings -> network, and the size that makes budgets equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resexp.connections.base import Connection, Site
from resexp.models.base import Design, Network, Purpose, Trunk
from resexp.models.cost import count_params, measure_cost
from resexp.plan import Cost

if TYPE_CHECKING:
    from resexp.settings import ModelConfig


def build_network(model: ModelConfig, purpose: Purpose, **sizes: int) -> Network:
    """The network of a configuration; `sizes` override options of its trunk or connection by name.

    Raises:
        ConfigError: the trunk has no such depth, or none for such examples.
    """
    own = model.connection.options().keys() & sizes.keys()

    def connect(site: Site) -> Connection:
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
    return trunk.build(design)


def network_cost(model: ModelConfig, purpose: Purpose, **sizes: int) -> Cost:
    """Its cost, without allocating it."""
    with torch.device("meta"):
        network = build_network(model, purpose, **sizes)
    return measure_cost(network, purpose)


def network_budget(model: ModelConfig, purpose: Purpose, measure: str, **sizes: int) -> int:
    """Its `params` or `macs`; counting parameters alone needs no forward pass."""
    if measure == "macs":
        return network_cost(model, purpose, **sizes).macs
    with torch.device("meta"):
        return count_params(build_network(model, purpose, **sizes))
