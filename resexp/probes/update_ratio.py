"""How fast layers learn along the depth."""

from __future__ import annotations

from collections.abc import Iterator

from resexp.models.spectral import trained_weight
from resexp.probes.base import Probe, Quantity, Reading, Snapshot


class UpdateRatio(Probe):
    """||dW|| / ||W|| of each weight layer, where dW is the optimiser's update on the probe batch.

    After Drozdzal et al. 2016 (arXiv:1608.04117), figure 4. Gradients are clipped as in training. A layer
    whose weights are all 0 has no ratio. With spectral norm, W is the weight before its division. With
    stochastic depth, dW is 0 in the blocks that the run's next step drops.
    """

    of_a_step = True
    quantities = (Quantity("update_ratio", scale="log", over="layer"),)

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        layers = list(snapshot.network.weight_layers())
        before = [trained_weight(layer).detach().clone() for _, layer in layers]
        snapshot.step()
        for index, ((name, layer), old) in enumerate(zip(layers, before, strict=True)):
            size = old.norm().item()
            if size > 0:
                change = (trained_weight(layer).detach() - old).norm().item()
                yield Reading("update_ratio", name, index, change / size)
