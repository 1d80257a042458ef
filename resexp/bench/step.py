"""Times the steps of one trial that runs alone: examples per second, the share of the highest speed in
practice (`ceiling.py`), and the seconds of each part of a step.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch

from resexp.bench.ceiling import ceiling_gflops
from resexp.bench.effort import Effort
from resexp.config.parse import changed
from resexp.config.settings import Settings
from resexp.data.cache import facts_of
from resexp.errors import ConfigError
from resexp.machine.clock import Stopwatch
from resexp.models.build import network_cost
from resexp.tasks.base import Task
from resexp.training.run import Run
from resexp.training.warm import warm_run

FLOPS_PER_MAC = 6
"""Operations of a step per multiply-accumulate of the forward pass: two in the forward pass and four in the
backward pass, where the gradients of a layer's input and of its weights take two each.
"""


@dataclass
class StepTimes:
    """The steps in one precision: for each round, examples per second, the ceiling (GFLOP/s) and the share of
    the ceiling that the steps reach (`mfu`). `phases` are the median seconds of each part of a step.
    """

    examples_per_second: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)
    mfu: list[float] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)


def timed_step(run: Run) -> dict[str, float]:
    """Take one training step as `Run.train_step` does. Returns the seconds of each of its parts."""
    watch = Stopwatch(run.device)
    inputs, target = run.next_batch()
    watch.lap("data")
    loss, output = run.forward_pass(inputs, target)
    watch.lap("forward")
    torch.autograd.backward(loss)
    watch.lap("backward")
    run.update()
    watch.lap("optimiser")
    run.account(loss, output, target)
    watch.lap("accounting")
    return watch.laps


def measure_steps(
    settings: Settings, precisions: Sequence[str], device: torch.device, effort: Effort
) -> dict[str, StepTimes]:
    """The steps and ceilings of all precisions. They are measured in turn, so that a change of the machine's
    speed affects all alike.
    """
    runs = {p: warm_run(changed(settings, {"training.precision": p}), device) for p in precisions}
    times = {p: StepTimes() for p in precisions}
    macs = example_macs(runs[precisions[0]])
    laps: dict[str, list[dict[str, float]]] = {p: [] for p in precisions}
    for _ in range(effort.rounds):
        for precision, run in runs.items():
            steps = [timed_step(run) for _ in range(max(2, effort.steps // effort.rounds))]
            rate = run.batch_size / statistics.median(sum(step.values()) for step in steps)
            limit = ceiling_gflops(precision, device)
            timing = times[precision]
            timing.examples_per_second.append(rate)
            timing.ceilings.append(limit)
            timing.mfu.append(rate * macs * FLOPS_PER_MAC / (limit * 1e9))
            laps[precision] += steps
    for precision, steps in laps.items():
        times[precision].phases = {name: statistics.median(step[name] for step in steps) for name in steps[0]}
    return times


def example_macs(run: Run) -> int:
    """Multiply-accumulates of one example's forward pass."""
    return network_cost(run.settings.model, run.purpose).macs


@dataclass(frozen=True)
class Line:
    """A least-squares line through the points (x, y). `r2` is 1 if all points lie on the line."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: float
    intercept: float
    r2: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line | None:
    """The line; None for fewer than three points, because two points always lie on a line."""
    if len(x) < 3:
        return None
    slope, intercept = np.polyfit(x, y, 1)
    r2 = float(np.corrcoef(x, y)[0, 1]) ** 2
    return Line(tuple(x), tuple(y), float(slope), float(intercept), r2)


def measure_depths(settings: Settings, device: torch.device, effort: Effort) -> Line | None:
    """Seconds per step as a line over depth, fitted to the fastest of a few rounds at each depth.

    None if fewer than three depths can be measured.
    """
    small = changed(settings, {"training.batch_size": effort.batch})
    runs = {
        depth: warm_run(changed(small, {"model.depth": depth}), device)
        for depth in depths_to_fit(small, effort)
    }
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(effort.rounds + 1):
        for depth, run in runs.items():
            best[depth] = min(best[depth], sum(timed_step(run).values()))
    return fit_line(list(best), list(best.values()))


def depths_to_fit(settings: Settings, effort: Effort) -> list[int]:
    """Possible depths of the network, spread evenly, up to `effort.reach` times the configured depth.

    A depth is also left out if it has more than `effort.reach` times the multiply-accumulates of the
    configured depth. This matters if layers cost more in deeper networks.
    """
    task: Task = settings.task.build()
    purpose, model = task.purpose(facts_of(settings.data)), settings.model

    def macs(depth: int) -> int:
        return network_cost(model.model_copy(update={"depth": depth}), purpose).macs

    most, depths = effort.reach * macs(model.depth), []
    for depth in range(1, round(effort.reach * model.depth) + 1):
        with suppress(ConfigError):  # this kind of network has no such depth
            if macs(depth) > most:
                break
            depths.append(depth)
    positions = np.linspace(0, len(depths) - 1, min(effort.depths, len(depths)))
    return [depths[round(position)] for position in positions]
