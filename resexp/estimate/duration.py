"""Estimates how long a sweep will take, from a few timed steps of two networks, and how many trials fit into
memory at once.
"""

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
from resexp.execution.running import work_of
from resexp.machine.environment import processor
from resexp.plan.trial import Cost
from resexp.text import counted

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial

TIMED_MACS = 3e9
"""The batch of a timed step is made so small that it needs at most this many multiply-accumulates, but it has
at least two examples if the trial's batches have.
"""
TIMED, ENOUGH = 3, 10**9
"""TIMED: the number of timed steps, of which the shortest counts. ENOUGH: the nanoseconds after which no
further step is begun.
"""
MOST_TIMED_DEPTH = 1_300
MOST_TIMED = Cost(params=50_000_000, macs=5 * 10**9, activation_bytes=1 << 28)
"""A network that exceeds one of these limits is not timed, because a step would take too much time or memory.
The batch of a timed step is also made so small that its activations do not exceed `activation_bytes`, unless
two examples already exceed it.
"""
EVALUATION = 1.15
"""The time of a trial relative to that of its steps alone: evaluation, short probes and checkpoints are
added. An experiment that measures more than it trains takes longer, 45 times in the gallery's worst case.
"""

PROCESS_BYTES = 400 << 20
"""Memory of a process that has loaded its libraries but no network."""
WEIGHT_BYTES = 16
"""Bytes per parameter: the parameter, its gradient, and up to two numbers of the optimiser, in float32."""
STEP_SHARE, EVALUATION_SHARE = 1.5, 2.5
"""The memory of a step relative to the bytes kept for its backward pass, and the memory of an evaluation
relative to that of its largest operation. We measured 1.3 and 2.4 to 2.9 for a ResNet-50 at 224 pixels.
"""
MEMORY_SHARE = 0.9
"""The share of the machine's memory that trials may use."""


@dataclass(frozen=True)
class Room:
    """The devices of the trials that fit into memory at once. `note` is a sentence on this for the user."""

    slots: tuple[str, ...]
    note: str | None = None


def room(slots: Sequence[str], trials: Sequence[Trial], memory: int | None, *, asked: bool) -> Room:
    """The slots on which `trials` should run, with `memory` bytes. A slot is the device of one trial at a
    time.

    If the user `asked` for a number of trials at once, all slots are kept. Otherwise, slots are dropped until
    there are cores for the processes of each trial, and the largest trials fit into memory together. At least
    one slot is kept.
    """
    most = max((trial.processes for trial in trials), default=1)
    kept = list(slots) if asked else for_processes(slots, most)
    fitting = memory_room(kept, trials, memory, asked=asked)
    if most == 1 or asked:
        return fitting
    cores = (
        f"A trial has up to {most} processes, and there are cores for {len(slots)} processes, so at most "
        f"{counted(len(kept), 'trial')} can run at once."
    )
    return Room(fitting.slots, " ".join(filter(None, [cores, fitting.note])))


def for_processes(slots: Sequence[str], processes: int) -> list[str]:
    """The first slots, one for each trial that can run at once. Each slot has the cores for one process, and
    each trial needs cores for `processes` of them.
    """
    return list(slots[: max(1, len(slots) // processes)])


def memory_room(slots: Sequence[str], trials: Sequence[Trial], memory: int | None, *, asked: bool) -> Room:
    """Like `room`, but only memory is considered."""
    need = sorted(map(trial_bytes, trials), reverse=True)[: len(slots)]
    if memory is None or not need or slots[0] != "cpu" or sum(need) <= MEMORY_SHARE * memory:
        return Room(tuple(slots))
    fit = max(1, sum(total <= MEMORY_SHARE * memory for total in accumulate(need)))
    kept = slots if asked else slots[:fit]
    largest = f"the largest trial takes about {need[0] / 2**30:.1f} GiB and there are {memory / 2**30:.1f}"
    if asked or need[0] > MEMORY_SHARE * memory:
        return Room(tuple(kept), f"Memory may not suffice for {len(kept)} at once: {largest}.")
    return Room(tuple(kept), f"Memory, not cores, limits the run to {len(kept)} at once: {largest}.")


def trial_bytes(trial: Trial) -> int:
    """A rough upper bound of a trial's memory: in a step or in an evaluation, whichever takes more.

    Data sets are memory-mapped and shared, so they are not counted. If a trial has several processes, each
    has its own weights and a share of the batch.
    """
    cost, processes = trial.cost, trial.processes
    if cost is None:
        return PROCESS_BYTES
    step = STEP_SHARE * trial.settings["training"]["batch_size"] * cost.activation_bytes
    evaluation = EVALUATION_SHARE * cost.evaluated_at_once * cost.evaluation_bytes
    return int(processes * (PROCESS_BYTES + WEIGHT_BYTES * cost.params) + max(step, evaluation))


def can_be_timed(trial: Trial) -> bool:
    """Whether the trial has a network, one process trains it, and a step is short enough to be timed."""
    cost, most = trial.cost, MOST_TIMED
    return cost is not None and (
        trial.processes == 1
        and trial.depth <= MOST_TIMED_DEPTH
        and cost.params <= most.params
        and cost.macs <= most.macs
        and cost.activation_bytes <= most.activation_bytes
    )


def sweep_seconds(trials: Sequence[Trial], measurer: Measurer, slots: int) -> float:
    """Seconds until `trials` are done, `slots` of them at a time, on a machine that does nothing else.

    The smallest and the largest network are timed on one CPU thread. Between them, we assume that the time of
    a step grows linearly with its multiply-accumulates.
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


def seconds_by_done(left: Sequence[Trial], done: Sequence[tuple[Trial, float]], slots: int) -> float:
    """Seconds until `left` are done, `slots` of them at a time, if they are trained as fast as the trials in
    `done`, which has at least one trial with its seconds.

    A trial takes the mean time of the finished ones of its variant and depth. If there are none, its time is
    in proportion to its work, as for all finished trials together.
    """
    alike: dict[tuple[str, int], list[float]] = {}
    for trial, seconds in done:
        alike.setdefault((trial.variant, trial.depth), []).append(seconds)
    pace = sum(seconds for _, seconds in done) / sum(work_of(trial) for trial, _ in done)
    total = 0.0
    for trial in left:
        known = alike.get((trial.variant, trial.depth))
        total += sum(known) / len(known) if known else pace * work_of(trial)
    return total / max(1, min(slots, len(left)))


def image_macs(trial: Trial) -> int:
    """The multiply-accumulates of one example in the trial's network."""
    assert trial.cost is not None
    return trial.cost.macs


def images_seen(settings: Settings, measurer: Measurer) -> int:
    """How many training images a trial processes, counting repeats."""
    training = settings.training
    if training.iterations is not None:
        return training.iterations * training.batch_size
    return (training.epochs or 0) * measurer.facts(settings).train


def seconds_per_image(trial: Trial, measurer: Measurer) -> float:
    """Seconds of the forward and backward pass of one example on one CPU thread. The answer is remembered for
    this kind of processor.
    """
    settings = measurer.parse(trial.settings)
    assert trial.cost is not None
    room = MOST_TIMED.activation_bytes / max(1, trial.cost.activation_bytes)
    batch = int(min(max(2, min(TIMED_MACS / image_macs(trial), room)), settings.training.batch_size))
    network = measurer.network_key(settings)
    question = f"step {processor()} {settings.training.precision} {batch} {network}"
    with blaming(plugins_of(settings)):
        answer = measurer.remembered.answer(question, partial(shortest_step, settings, measurer, batch))
    return answer["nanoseconds"] / 1e9 / batch


def shortest_step(settings: Settings, measurer: Measurer, batch: int) -> dict[str, int]:
    """Processor time of the shortest of a few steps on made-up examples, as {"nanoseconds": ...}. The first
    step does not count, unless it is the only one.

    It is not wall time, because the answer is remembered and must not depend on what else the machine did.
    """
    import torch

    from resexp.machine.memory import keep_freed_memory
    from resexp.models.build import build_network
    from resexp.models.init import initialise

    keep_freed_memory()
    torch.set_num_threads(1)
    purpose = measurer.purpose(settings)
    network = build_network(settings.model, purpose)
    initialise(network, "he", settings.seed)  # the time of a step does not depend on the initialisation
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
