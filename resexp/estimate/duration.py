"""How long a sweep will take, by a few timed steps of two networks, and how many trials fit into memory."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from resexp.catalog.plugins import blaming
from resexp.config.fields import plugins_of
from resexp.machine.environment import processor
from resexp.plan.trial import Cost

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial

TIMED_MACS = 3e9
"""Work of one timed step, which bounds what an estimate may cost."""
TIMED, ENOUGH = 3, 10**9
"""Steps, of which the shortest counts, and the nanoseconds after which there are no more."""
MOST_TIMED_DEPTH = 1_300
MOST_TIMED = Cost(params=50_000_000, macs=5 * 10**9, activation_bytes=1 << 28)
"""A network with more of any is not timed: its steps would take longer, and more memory, than a plan may.
A timed batch has no more activations, either, beyond two images."""
EVALUATION = 1.15
"""Share added for evaluation, probes and checkpoints."""

PROCESS_BYTES = 400 << 20
"""Of a process with its libraries, before it has a network."""
WEIGHT_BYTES = 16
"""A parameter, its gradient, and up to two numbers of the optimizer's, in float32."""
STEP_SHARE, EVALUATION_SHARE = 1.5, 2.5
"""What a step takes over what backward keeps, and an evaluation over what its widest operation holds: of a
ResNet-50 at 224 pixels 1.3 and 2.4 to 2.9 were measured.
"""
MEMORY_SHARE = 0.9
"""Of the machine's memory for trials."""


@dataclass(frozen=True)
class Room:
    """How many trials fit into memory at once, and what a reader should know of it, if anything."""

    slots: tuple[str, ...]
    note: str | None = None


def room(slots: Sequence[str], trials: Sequence[Trial], memory: int | None, *, asked: bool) -> Room:
    """The slots that `trials` should have on a machine with so many bytes of memory: with `asked`, because
    the user named their number, all of them; otherwise as many as the largest trials fit into, one at least.
    """
    need = sorted(map(trial_bytes, trials), reverse=True)[: len(slots)]
    if memory is None or not need or slots[0] != "cpu" or sum(need) <= MEMORY_SHARE * memory:
        return Room(tuple(slots))
    fit = max(1, sum(total <= MEMORY_SHARE * memory for total in accumulate(need)))
    kept = slots if asked else slots[:fit]
    largest = f"the largest trial takes about {need[0] / 2**30:.1f} GiB and there are {memory / 2**30:.1f}"
    if asked or need[0] > MEMORY_SHARE * memory:
        return Room(tuple(kept), f"Memory may not suffice for {len(kept)} at once: {largest}.")
    return Room(tuple(kept), f"Memory, not cores, decides that {len(kept)} run at once: {largest}.")


def trial_bytes(trial: Trial) -> int:
    """What a trial holds at most, roughly: in a step or in an evaluation, whichever takes more. A data set is
    mapped, and counts to no trial.
    """
    cost = trial.cost
    if cost is None:
        return PROCESS_BYTES
    step = STEP_SHARE * trial.settings["training"]["batch_size"] * cost.activation_bytes
    evaluation = EVALUATION_SHARE * cost.evaluated_at_once * cost.evaluation_bytes
    return int(PROCESS_BYTES + WEIGHT_BYTES * cost.params + max(step, evaluation))


def can_be_timed(trial: Trial) -> bool:
    """Whether a few steps of the trial's network, if it has one, are soon done."""
    cost, most = trial.cost, MOST_TIMED
    return cost is not None and (
        trial.depth <= MOST_TIMED_DEPTH
        and cost.params <= most.params
        and cost.macs <= most.macs
        and cost.activation_bytes <= most.activation_bytes
    )


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
    assert trial.cost is not None
    room = MOST_TIMED.activation_bytes / max(1, trial.cost.activation_bytes)
    batch = int(min(max(2, min(TIMED_MACS / image_macs(trial), room)), settings.training.batch_size))
    network = measurer.network_key(settings)
    question = f"step {processor()} {settings.training.precision} {batch} {network}"
    with blaming(plugins_of(settings)):
        answer = measurer.remembered.answer(question, partial(timed_step, settings, measurer, batch))
    return answer["nanoseconds"] / 1e9 / batch


def timed_step(settings: Settings, measurer: Measurer, batch: int) -> dict[str, int]:
    """The shortest of a few steps on made-up images, after a first one. What counts is the processor's time:
    it is remembered, and what else the machine did meanwhile should not be.
    """
    import torch

    from resexp.machine.memory import keep_freed_memory
    from resexp.models.build import build_network
    from resexp.models.init import initialise

    keep_freed_memory()
    torch.set_num_threads(1)
    purpose = measurer.purpose(settings)
    network = build_network(settings.model, purpose)
    initialise(network, "he", settings.seed)  # whatever the trial's own is: it takes no part in the time
    network = network.to(memory_format=torch.channels_last)
    inputs = purpose.made_up(batch, "cpu")
    elapsed = []
    for _ in range(1 + TIMED):
        start = time.process_time_ns()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.training.precision == "bfloat16"):
            output = network(inputs)
        output.float().square().mean().backward()
        elapsed.append(time.process_time_ns() - start)
        if sum(elapsed) > ENOUGH:
            break
    return {"nanoseconds": min(elapsed[1:] or elapsed)}
