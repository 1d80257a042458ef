"""Says where settings have another effect than they suggest, because there are few steps or examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from resexp.training.entry import LEARNERS, learner_name
from resexp.training.schedules import SMOOTHING

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig, ProbeConfig, Settings, TrainingConfig
    from resexp.data.base import Facts

LEFT_OUT = 0.1
"""A note says how many examples fill no batch of an epoch if they are more than this share of all."""


def notes(settings: Iterable[Settings], facts: Callable[[DataConfig], Facts]) -> list[str]:
    """A sentence for each thing that a reader of the configuration would not expect, each once.

    Only networks that learn from examples by batches are looked at: in play, and in a game of two networks,
    epochs are made otherwise.
    """
    ordinary = (each for each in settings if learner_name(each) == LEARNERS["Trunk"])
    distinct = dict.fromkeys((each.data, each.training, each.probes) for each in ordinary)
    found = (_notes(training, probes, facts(data).train) for data, training, probes in distinct)
    return list(dict.fromkeys(note for notes in found for note in notes))


def _notes(training: TrainingConfig, probes: Sequence[ProbeConfig], examples: int) -> Iterator[str]:
    batch = min(training.batch_size, examples)
    left = examples % batch
    total = training.iterations or (training.epochs or 0) * (examples // batch)
    if left > LEFT_OUT * examples:
        yield (
            f"training.batch_size: batches of {batch:,} leave out {left:,} of {examples:,} training examples "
            "in each epoch, others each time"
        )
    warmup, low = training.schedule.warmup, training.schedule.low_rate
    if warmup and round(warmup * total) < 2:
        yield f"training.schedule.warmup: {warmup:g} of {total:,} steps is less than 2, so nothing warms up"
    if low and SMOOTHING ** (total - 1) >= low.until_train_error:
        yield f"training.schedule.low_rate: {_least(low.until_train_error)}, and training has {total:,}"
    for probe in probes:
        if probe.batch_size > examples:
            asked = f"probes: {probe.name} has batch_size {probe.batch_size:,}"
            yield f"{asked}, and measures all {examples:,} training examples"


def _least(bound: float) -> str:
    """How long a low rate lasts if the network makes no mistake from the first step on."""
    if bound == 0:
        return "it never ends, because no error is below 0"
    steps = math.floor(math.log(bound) / math.log(SMOOTHING)) + 1
    return f"it lasts {steps:,} steps or more, because the error is smoothed over about 50 batches"
