"""How long a sweep will take: a few timed steps of its cheapest and its dearest network."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from resexp.measure import Measurer
from resexp.models.build import build_network
from resexp.models.init import initialise
from resexp.plan import Trial

TIMED_MACS = 3e9
"""Work of one timed step, which bounds what an estimate may cost."""
EVALUATION = 1.15
"""Share added for evaluation, probes and checkpoints."""


def sweep_seconds(trials: Sequence[Trial], measurer: Measurer, slots: int) -> float:
    """Wall seconds until `trials` are done, `slots` at a time: between the two timed networks the time a
    step takes is a straight line in multiply-accumulates. Timed on one CPU thread.
    """
    ranked = sorted(trials, key=image_macs)
    low, high = ranked[0], ranked[-1]
    low_seconds, high_seconds = seconds_per_image(low, measurer), seconds_per_image(high, measurer)
    slope = (high_seconds - low_seconds) / max(1, image_macs(high) - image_macs(low))
    total = 0.0
    for trial in trials:
        per_image = low_seconds + slope * (image_macs(trial) - image_macs(low))
        total += max(per_image, 0.0) * images_seen(trial, measurer)
    return EVALUATION * total / min(slots, len(trials))


def image_macs(trial: Trial) -> int:
    assert trial.cost is not None
    return trial.cost.macs


def images_seen(trial: Trial, measurer: Measurer) -> int:
    """Training images a trial goes through, repeats counted."""
    settings = measurer.parse(trial.settings)
    training = settings.training
    if training.iterations is not None:
        return training.iterations * training.batch_size
    return (training.epochs or 0) * measurer.facts(settings).train


def seconds_per_image(trial: Trial, measurer: Measurer) -> float:
    """Forward and backward of one image, by the second of two steps on made-up images."""
    settings = measurer.parse(trial.settings)
    batch = int(min(max(2, TIMED_MACS / image_macs(trial)), settings.training.batch_size))
    torch.set_num_threads(1)
    purpose = measurer.purpose(settings)
    network = build_network(settings.model, purpose)
    initialise(network, settings.model.init, settings.seed)
    network = network.to(memory_format=torch.channels_last)
    inputs = purpose.made_up(batch, "cpu")
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.training.precision == "bfloat16"):
            output = network(inputs)
        output.float().square().mean().backward()
        seconds = time.perf_counter() - start
    return seconds / batch
