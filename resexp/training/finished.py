"""Probes of finished trials, on the weights of their last checkpoint."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch

from resexp.config.settings import ProbeConfig, Settings
from resexp.data.cache import Checked
from resexp.data.opening import open_data
from resexp.plan.compatible import check
from resexp.training.probing import measured
from resexp.training.run import Run


def measure(
    settings: Settings,
    checkpoint: bytes,
    probes: Sequence[ProbeConfig],
    device: str,
    threads: int,
    *,
    checked: Checked | None = None,
) -> list[dict[str, Any]]:
    """The rows of the probes on a trial of these settings, given the bytes of its last checkpoint."""
    torch.set_num_threads(threads)
    place = torch.device(device)
    data = open_data(settings.data, place, settings.seed, checked)
    check(settings.model_copy(update={"probes": tuple(probes)}), data.facts)
    run = Run(settings, data, place)
    run.restore(torch.load(io.BytesIO(checkpoint), map_location=place, weights_only=True)["run"])
    return [row for config in probes for row in measured(run, config, 1.0)]
