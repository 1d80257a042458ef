"""How long a sweep will take: a few timed steps of its cheapest and its dearest network."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from resexp.environment import processor

if TYPE_CHECKING:
    from resexp.measure import Measurer
    from resexp.plan import Trial
    from resexp.settings import Settings

TIMED_MACS = 3e9
"""Work of one timed step, which bounds what an estimate may cost."""
TIMED = 3
"""Steps, of which the shortest counts."""
EVALUATION = 1.15
"""Share added for evaluation, probes and checkpoints."""


def sweep_seconds(trials: Sequence[Trial], measurer: Measurer, slots: int) -> float:
    """Wall seconds until `trials` are done, `slots` at a time, on a machine with nothing else to do: between
    the two timed networks the time a step takes is a straight line in multiply-accumulates. Timed on one CPU
    thread.
    """
    ranked = sorted(trials, key=image_macs)
    low, high = ranked[0], ranked[-1]
    low_seconds, high_seconds = seconds_per_image(low, measurer), seconds_per_image(high, measurer)
    slope = (high_seconds - low_seconds) / max(1, image_macs(high) - image_macs(low))
    images: dict[str, int] = {}
    total = 0.0
    for trial in trials:
        key = json.dumps([trial.settings["data"], trial.settings["training"]])
        if key not in images:
            images[key] = images_seen(measurer.parse(trial.settings), measurer)
        per_image = low_seconds + slope * (image_macs(trial) - image_macs(low))
        total += max(per_image, 0.0) * images[key]
    return EVALUATION * total / min(slots, len(trials))


def image_macs(trial: Trial) -> int:
    assert trial.cost is not None
    return trial.cost.macs


def images_seen(settings: Settings, measurer: Measurer) -> int:
    """Training images a trial goes through, repeats counted."""
    training = settings.training
    if training.iterations is not None:
        return training.iterations * training.batch_size
    return (training.epochs or 0) * measurer.facts(settings).train


def seconds_per_image(trial: Trial, measurer: Measurer) -> float:
    """Forward and backward of one image, of a step that is timed once on this kind of processor."""
    settings = measurer.parse(trial.settings)
    batch = int(min(max(2, TIMED_MACS / image_macs(trial)), settings.training.batch_size))
    network = measurer.network_key(settings)
    question = f"step {processor()} {settings.training.precision} {batch} {network}"
    answer = measurer.remembered.answer(question, partial(timed_step, settings, measurer, batch))
    return answer["nanoseconds"] / 1e9 / batch


def timed_step(settings: Settings, measurer: Measurer, batch: int) -> dict[str, int]:
    """The shortest of a few steps on made-up images, after a first one. What counts is the processor's time:
    it is remembered, and what else the machine did meanwhile should not be.
    """
    import torch

    from resexp.models.build import build_network
    from resexp.models.init import initialise
    from resexp.training.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    purpose = measurer.purpose(settings)
    network = build_network(settings.model, purpose)
    initialise(network, settings.model.init, settings.seed)
    network = network.to(memory_format=torch.channels_last)
    inputs = purpose.made_up(batch, "cpu")
    elapsed = []
    for _ in range(1 + TIMED):
        start = time.process_time_ns()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.training.precision == "bfloat16"):
            output = network(inputs)
        output.float().square().mean().backward()
        elapsed.append(time.process_time_ns() - start)
    return {"nanoseconds": min(elapsed[1:])}
