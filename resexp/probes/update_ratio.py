"""How fast layers learn along the depth."""

from __future__ import annotations

from collections.abc import Iterator

from resexp.probes.base import Probe, Reading, Snapshot


class UpdateRatio(Probe):
    """||dW|| / ||W|| of each weight layer, where dW is the optimiser's update on the probe batch.

    After Drozdzal et al. 2016 (arXiv:1608.04117), figure 4. A layer whose weights are all 0 has no ratio.
    """

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        layers = list(snapshot.network.weight_layers())
        before = [layer.weight.detach().clone() for _, layer in layers]
        snapshot.step()
        for index, ((name, layer), old) in enumerate(zip(layers, before, strict=True)):
            size = old.norm().item()
            if size > 0:
                change = (layer.weight.detach() - old).norm().item()
                yield Reading("update_ratio", name, index, change / size)
