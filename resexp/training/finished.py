"""Measures finished trials with further probes, on the weights of their last checkpoint."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from resexp.catalog.plugins import Plugin
from resexp.config.settings import ProbeConfig, Settings
from resexp.data.checked import Checked
from resexp.data.opening import open_data
from resexp.errors import DataError, StoreError
from resexp.machine.precision import forbid_tf32
from resexp.machine.threads import computing_with
from resexp.plan import numerics
from resexp.plan.compatible import check_fit
from resexp.plan.trial import Trial
from resexp.training.learner import learner_of
from resexp.training.probing import measured, reason

if TYPE_CHECKING:
    from resexp.training.run import Run

NETWORK = ("data", "task", "model", "discriminator", "resexp")
"""The beginnings of the dotted keys that decide what a trial's trained networks compute."""
INIT = ("model.init", "discriminator.init", "model.zero_outputs")
"""Beginnings of keys that decide nothing, because training has replaced the initial weights."""


def check_unchanged(trial: Trial, plugins: Sequence[Plugin], fingerprint: str, folder: Path) -> None:
    """Raises DataError if a trial's data have changed since it was trained, and StoreError if today's code
    would compute another network from its weights. `fingerprint` describes the data as they are now.
    """
    if trial.data and trial.data != fingerprint:
        raise DataError(
            f"{folder}: its data have changed since it was trained, and would give other numbers; restore "
            "them, or run the experiment again"
        )
    trained, now = (
        {place: n for place, n in each.items() if place.startswith(NETWORK) and not place.startswith(INIT)}
        for each in (trial.numerics, numerics.versions(trial.settings, tuple(plugins)))
    )
    if changed := numerics.changed_parts(trained, now):
        raise StoreError(
            f"{folder}: was trained when {', '.join(changed)} gave other numbers; run the experiment again "
            "to retrain it"
        )


def trained_run(settings: Settings, checkpoint: bytes, device: str, checked: Checked | None) -> Run:
    """The run of a trial with these settings, as its last checkpoint left it."""
    torch_device = torch.device(device)
    data = open_data(settings.data, torch_device, settings.seed, checked)
    check_fit(settings, data.facts)
    run = cast("Run", learner_of(settings)(settings, data, torch_device))
    run.restore(torch.load(io.BytesIO(checkpoint), map_location=torch_device, weights_only=True)["run"])
    return run


def measure(
    settings: Settings,
    checkpoint: bytes,
    probes: Sequence[ProbeConfig],
    device: str,
    threads: int,
    *,
    checked: Checked | None = None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows that the probes measure, and a dictionary from each failed probe's name to the reason.

    `settings` are those of the trial that is measured, and `checkpoint` is the bytes of its last checkpoint.
    If a plugin's probe fails, its error is raised, because the user can correct it.
    """
    forbid_tf32()
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    with computing_with(threads):
        run = trained_run(settings.model_copy(update={"probes": tuple(probes)}), checkpoint, device, checked)
        for config in probes:
            try:
                rows += list(measured(run, config, 1.0))
            except Exception as error:
                if config.info.plugin:
                    raise
                failed[config.name] = reason(error)
    return rows, failed
