"""Learning-rate schedules. Each gives a factor for every step. `Run.rate` multiplies the optimiser's rate by
this factor.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, SupportsFloat

from resexp.errors import TrialError
from resexp.options import Fraction, IdleWith, PositiveFloat

SMOOTHING = 0.98
"""The weight of earlier batches in the smoothed training error, which averages over about 50 batches. A low
starting rate ends when this error is small.
"""


class Schedule(ABC):
    """The factor on the optimiser's learning rate at each step of a training run.

    A warm-up multiplies the factors of its steps by numbers that rise to 1. If `after_warmup` is true, the
    schedule begins only when the warm-up has ended, and is stretched over the steps that are left.
    """

    after_warmup: bool = False

    @abstractmethod
    def factor(self, step: int, total: int) -> float:
        """The factor of step `step` (0-based) of `total` steps."""


class Constant(Schedule):
    """The rate never changes."""

    def factor(self, step: int, total: int) -> float:
        return 1.0


class Step(Schedule):
    """The rate is multiplied by `gamma` at each milestone. Milestones are fractions of training.

    In He et al. 2015 (arXiv:1512.03385), section 4.2, gamma is 0.1 and the milestones are 1/2 and 3/4 of
    64,000 iterations.
    """

    def __init__(self, *, milestones: tuple[Fraction, ...] = (0.5, 0.75), gamma: PositiveFloat = 0.1) -> None:
        self.milestones = milestones
        self.gamma = gamma

    def factor(self, step: int, total: int) -> float:
        passed = sum(step >= round(milestone * total) for milestone in self.milestones)
        return float(self.gamma**passed)


class Cosine(Schedule):
    """Half a cosine from 1 to `floor` (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts).

    With `after_warmup` it begins when the warm-up has ended. Otherwise it falls during the warm-up too.
    """

    idle_with: ClassVar[IdleWith] = (("after_warmup", {"warmup": 0}),)

    def __init__(self, *, floor: Fraction = 0.0, after_warmup: bool = False) -> None:
        self.floor = floor
        self.after_warmup = after_warmup

    def factor(self, step: int, total: int) -> float:
        return anneal(1.0, self.floor, step / total)


class OneCycle(Schedule):
    """Half a cosine up from 1 / `start` to 1, then half a cosine down to 1 / (`start` * `end`).

    Smith and Topin 2018 (arXiv:1708.07120), in the form of PyTorch's OneCycleLR. `rise` is the fraction of
    training during which the rate rises. The optimiser's rate is the peak.
    """

    def __init__(
        self, *, rise: Fraction = 0.3, start: PositiveFloat = 25.0, end: PositiveFloat = 10_000.0
    ) -> None:
        self.rise = rise
        self.start = start
        self.end = end

    def factor(self, step: int, total: int) -> float:
        peak = self.rise * total - 1
        last = total - 1
        if step <= peak:
            return anneal(1 / self.start, 1.0, step / peak) if peak > 0 else 1.0
        return anneal(1.0, 1 / (self.start * self.end), (step - peak) / max(last - peak, 1))


def anneal(first: float, last: float, progress: float) -> float:
    """Half a cosine from `first` at progress 0 to `last` at progress 1."""
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def warmed(schedule: Schedule, step: int, total: int, warmup: float) -> float:
    """The schedule's factor at `step`, with a linear warm-up over the fraction `warmup` of training.

    Raises TrialError unless the schedule gives a finite number.
    """
    steps = round(warmup * total)
    start = steps if schedule.after_warmup else 0
    given: object = schedule.factor(max(0, step - start), max(1, total - start))
    factor = float(given) if isinstance(given, SupportsFloat) else math.nan
    if not math.isfinite(factor):
        wrong = f"{type(schedule).__name__}.factor gave {given!r} at step {step} of {total}"
        raise TrialError(f"{wrong}; return a finite number at every step")
    return factor * (step + 1) / steps if step < steps else factor
