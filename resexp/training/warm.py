"""A run that has taken its first steps, for timing the next ones."""

from __future__ import annotations

import torch

from resexp.config.settings import Settings
from resexp.data.checked import Checked
from resexp.data.opening import open_data
from resexp.training.run import Run

WARM_UP = 2
"""Steps that are not timed, because the libraries choose their kernels during these steps."""


def warm_run(settings: Settings, device: torch.device, checked: Checked | None = None) -> Run:
    """A run of these settings that has taken WARM_UP steps. `checked` are its data, if they are prepared."""
    run = Run(settings, open_data(settings.data, device, settings.seed, checked), device)
    for _ in range(WARM_UP):
        run.train_step()
    return run
