"""Makes all measurements of a benchmark. Those that are compared are made in turn, under the same conditions.

The DataLoader loop is the training loop that one would write without resexp: see `peer.py`.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from resexp.bench import sweep
from resexp.bench.ceiling import SIZES
from resexp.bench.effort import FULL, QUICK, Effort
from resexp.bench.peer import applies, peer_images_per_second
from resexp.bench.step import StepTimes, fit_line, measure_depths, measure_steps
from resexp.bench.trial import trial_seconds
from resexp.catalog import scan
from resexp.config.load import Experiment, load
from resexp.config.packaged import CONFIGS
from resexp.config.parse import changed
from resexp.config.settings import Settings
from resexp.data.base import Form
from resexp.data.cache import prepare
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer
from resexp.machine.clock import spread_of
from resexp.machine.devices import device_slots
from resexp.machine.environment import cores, environment
from resexp.machine.memory import keep_freed_memory
from resexp.machine.precision import forbid_tf32, multiplies_bfloat16, resolve_precision
from resexp.machine.threads import computing_with
from resexp.plan.make import make_plan
from resexp.training.entry import LEARNERS
from resexp.training.warm import warm_run

EXAMPLES: dict[Form, str] = {"images": "images", "text": "windows", "rows": "rows", "waveforms": "recordings"}
"""What examples are called, by the form of the data."""
DEFAULT = CONFIGS / "bench.yaml"


def bench(
    config: str | None,
    overrides: Sequence[str],
    device: str,
    quick: bool,
    *,
    tier: str = "full",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Measure the first trial of a configuration in this tier, as `resexp bench` does.

    If `config` is None, a packaged configuration is measured. If `config` is no file and contains an equals
    sign, it counts as the first override. `plugins` are files with parts of your own.

    Raises what `measure` raises.
    """
    if config and "=" in config and not Path(config).exists():
        overrides = [config, *overrides]
        config = None
    experiment = load(config or DEFAULT, overrides, tier=tier, plugins=plugins)
    return measure(experiment, device, quick, lambda text: print(f"measuring {text}", file=sys.stderr))


def measure(experiment: Experiment, device: str, quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure the first trial of an experiment on a device. `tell` is called with the name of each thing
    before it is measured.

    The result is JSON data: rates in examples per second, times in seconds, shares and ratios as fractions,
    and None for values that could not be measured. `trial.examples` is the word for examples, as "images".

    Raises:
        ConfigError, DataError: the trial cannot be built, or `first_trial` refuses it.
        TrialError: a trial or the DataLoader loop failed.
    """
    effort = QUICK if quick else FULL
    slots = device_slots(device)
    where = torch.device(slots[0])
    if where.type not in SIZES:
        wrong = f"benchmarks are for CPUs and CUDA only, and this would run on {slots[0]}"
        raise ConfigError.of("command line", "--device", wrong, "give cpu")
    measurer = Measurer(slots[0], experiment.plugins)
    settings = first_trial(experiment, measurer)
    prepare(settings.data)
    keep_freed_memory()
    forbid_tf32()
    with computing_with(1):
        tell("steps of one trial, and the matrix product's ceiling")
        wall, busy = time.perf_counter(), time.process_time()
        steps = measure_steps(settings, precisions(slots[0]), where, effort)
        granted = (time.process_time() - busy) / (time.perf_counter() - wall) if where.type == "cpu" else None
        auto = resolve_precision("auto", slots[0])
        tell("the parts of a trial: evaluation, probes, checkpoints")
        pieces = trial_seconds(
            warm_run(changed(settings, {"training.precision": auto}), where), steps[auto].phases
        )
        tell("seconds per step at several depths")
        depths = measure_depths(settings, where, effort)
    gc.collect()
    with sweep.scratch() as folder:
        swept = sweeps(settings, slots, effort, Path(folder), tell, peer=applies(measurer.purpose(settings)))
        tell("many short trials: how long they take to start, and how long slots are idle at the end")
        uneven = sweep.uneven(settings, slots, effort, Path(folder))
        counts, seconds = sweep.growing(settings, slots, effort, Path(folder))
    whole = sum(pieces.values())
    return {
        "schema_version": 1,
        "quick": quick,
        "trial": {
            **subject(experiment, settings),
            "examples": EXAMPLES[measurer.facts(settings).form],
            "device": str(where),
            "at_once": len(slots),
            "auto": auto,
        },
        **from_steps(steps),
        "breakdown": {name: value / whole for name, value in pieces.items()},
        "probe_overhead": pieces["probes"] / whole,
        "durability_overhead": pieces["checkpoint"] / whole,
        **swept,
        "trial_startup_seconds": spread_of(uneven.startup_seconds[len(slots) :]),
        "tail_idle_fraction": uneven.tail_idle,
        "scaling": {
            "depth": asdict(depths) if depths else None,
            "trials": asdict(line) if (line := fit_line(counts, seconds)) else None,
        },
        "cpu_share": granted,
        "machine": environment(),
    }


def precisions(device: str) -> tuple[str, ...]:
    """The precisions to measure. bfloat16 is left out if it is emulated, because it would take most of the
    time.
    """
    return ("float32", "bfloat16") if multiplies_bfloat16(device) else ("float32",)


def first_trial(experiment: Experiment, measurer: Measurer) -> Settings:
    """The settings of an experiment's first trial as planning makes them, but in float32 and with batches no
    larger than the training set. Raises ConfigError if the trial cannot be planned, if it does not train
    exactly one network, or if it has several processes.
    """
    first = experiment.points[0].settings
    if LEARNERS.get(first.task.info.base):
        wrong = f"{first.task.kind} trains two networks, and a benchmark times the steps of one"
        raise ConfigError.of(str(experiment.path), "task", wrong, "give another task")
    if scan.part_class(first.model.info).network is None:
        known = scan.parts("model").items()
        networks = [kind for kind, part in known if scan.part_class(part).network is not None]
        wrong = f"{first.model.kind} has no network, so there are no steps to time"
        raise ConfigError.of(str(experiment.path), "model.kind", wrong, f"give one of {', '.join(networks)}")
    if first.training.processes > 1:
        wrong = f"has {first.training.processes} processes, and a benchmark times the steps of one process"
        raise ConfigError.of(str(experiment.path), "training.processes", wrong, "give 1")
    (trial,) = make_plan(replace(experiment, points=experiment.points[:1]), measurer)
    settings = measurer.parse(trial.settings)
    batch = min(settings.training.batch_size, measurer.facts(settings).train)
    return changed(settings, {"training.precision": "float32", "training.batch_size": batch})


def subject(experiment: Experiment, settings: Settings) -> dict[str, Any]:
    """The facts that say which trial was measured."""
    return {
        "experiment": experiment.name,
        "task": settings.task.kind,
        "model": settings.model.kind,
        "connection": settings.model.connection.kind,
        "depth": settings.model.depth,
        "batch_size": settings.training.batch_size,
    }


def from_steps(steps: dict[str, StepTimes]) -> dict[str, Any]:
    """The results for one trial running alone, by precision."""
    return {
        "ceiling_gflops": {p: spread_of(s.ceilings) for p, s in steps.items()},
        "images_per_second": {p: spread_of(s.examples_per_second) for p, s in steps.items()},
        "mfu": {p: spread_of(s.mfu) for p, s in steps.items()},
        "phase_seconds": {p: s.phases for p, s in steps.items()},
    }


def sweeps(
    settings: Settings,
    slots: Sequence[str],
    effort: Effort,
    folder: Path,
    tell: Callable[[str], None],
    *,
    peer: bool,
) -> dict[str, Any]:
    """The rates of sweeps in each precision and, if `peer` is true, of the DataLoader loop.

    With more than one round, several numbers of workers of the loop are tried first, and the fastest is used.
    """

    def loop(workers: int) -> float:
        return peer_images_per_second(settings, workers, effort.steps, slots[0])

    tried: dict[int, float] = {}
    if peer and effort.rounds > 1:
        tell("the DataLoader loop's best number of workers")
        tried = {workers: loop(workers) for workers in sorted({0, 1, 2, cores()})}
    best = max(tried, key=lambda workers: tried[workers], default=0)
    rates: dict[str, list[float]] = {p: [] for p in precisions(slots[0])}
    peers: list[float] = []
    memory: dict[str, int] = {}
    for number in range(effort.rounds):
        loops = " and the DataLoader loop in turn" if peer else ""
        tell(f"sweeps{loops}, {number + 1} of {effort.rounds}")
        for precision, reached in rates.items():
            trial = changed(settings, {"training.precision": precision})
            ended = sweep.throughput(trial, slots, effort, folder)
            reached.append(sum(ended.images_per_second))
            memory[precision] = max(memory.get(precision, 0), ended.peak_memory_bytes)
        if peer:
            peers.append(loop(best))
    swept = {
        "sweep_images_per_second": {p: spread_of(values) for p, values in rates.items()},
        "peak_memory_bytes": memory,
    }
    if not peer:
        return {**swept, "peer": None, "ratio_to_peer": None}
    rival = {
        "workers": best,
        "images_per_second": spread_of(peers),
        "tried": {str(workers): rate for workers, rate in tried.items()},
    }
    ratios = {
        name: spread_of([ours / theirs for ours, theirs in zip(rates[p], peers, strict=True)])
        for name, p in (("float32", "float32"), ("auto", resolve_precision("auto", slots[0])))
    }
    return {**swept, "peer": rival, "ratio_to_peer": ratios}
