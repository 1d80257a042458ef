"""`--jobs auto`: finds by trial runs how many trials at once a machine trains fastest, and remembers the
answer.

This module does not import PyTorch: the trial runs have processes of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from resexp.config.parse import parse_settings
from resexp.errors import Diverged, TrialError
from resexp.execution.local import Local
from resexp.machine.devices import device_name
from resexp.machine.environment import cores

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.data.checked import Checked
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial

SECONDS = 3.0
"""Seconds for which each number of trials is trained, to measure its rate."""
GAIN = 1.05
"""More trials at once must be faster by this factor. Otherwise fewer run, because they need less memory."""


@dataclass(frozen=True)
class Tried:
    """What a trial run needs: settings as JSON, the plugins they name, CPU threads, and the prepared data."""

    settings: str
    plugins: tuple[Plugin, ...]
    threads: int
    data: Checked | None = None


def best_slots(
    slots: Sequence[str],
    trials: Iterable[Trial],
    threads: int,
    measurer: Measurer,
    launcher: Local,
    *,
    data: Mapping[str, Checked] | None = None,
) -> list[str]:
    """The devices on which trials should run at once, one entry for each trial, so that the dearest of
    `trials` trains fastest in total.

    Each trial gets at least one core for itself. The devices are those among `slots`; `slots` itself is
    returned if no trial has a network or if the trial runs fail. `data` maps ids of trials to their prepared
    data; data that are missing there are prepared in the trial run.
    """
    priced = [(trial.cost.macs, trial.id, trial.settings) for trial in trials if trial.cost]
    if not priced:
        return list(slots)
    _, id, dearest = max(priced, key=lambda each: each[0])
    devices = list(dict.fromkeys(slots))
    most = max(1, cores() // threads // len(devices))

    tried = Tried(json.dumps(dearest), measurer.plugins, threads, (data or {}).get(id))

    def total(number: int) -> float:
        return _rate(tried, number * devices, launcher)

    settings = measurer.parse(dearest)
    machine = [*map(device_name, devices), most, threads]
    network = [settings.training.precision, settings.training.batch_size, measurer.network_key(settings)]
    question = f"at once {json.dumps([machine, network])}"
    try:
        answer = measurer.remembered.answer(question, lambda: {"number": best_number(most, total)})
    except TrialError:
        return list(slots)
    return answer["number"] * devices


def best_number(most: int, total: Callable[[int], float]) -> int:
    """The last of the numbers 1, 2, 4, ... `most` that is faster by GAIN than the number before it.

    `total(number)` is the rate of that many trials together. It raises TrialError if there is no room for
    them.
    """
    numbers = sorted({*(2**i for i in range(most.bit_length())), most})
    best, best_rate = 1, total(1)
    for number in numbers[1:]:
        try:
            rate = total(number)
        except TrialError:
            break
        if rate < GAIN * best_rate:
            break
        best, best_rate = number, rate
    return best


def _rate(tried: Tried, slots: Sequence[str], launcher: Local) -> float:
    """Examples per second of one trial in each of `slots`, added up. Raises TrialError."""
    with launcher.beside(train_a_while, [(tried, slot) for slot in slots]) as trials:
        try:
            for each in trials:
                each.recv()  # wait until each trial has warmed up
            for each in trials:
                each.send(None)
            return sum(float(each.recv()) for each in trials)
        except (EOFError, OSError):
            raise TrialError(f"{len(slots)} at once failed") from None


def train_a_while(talk: Connection, tried: Tried, slot: str) -> None:
    """Runs in a process of its own: warm up, wait for the other trials, train for SECONDS, send examples per
    second.

    Exits with status 1 if that fails. The cause is not reported here, because the real run of the trial
    reports it.
    """
    import torch

    from resexp.config.parse import changed
    from resexp.machine.clock import Stopwatch
    from resexp.machine.memory import keep_freed_memory
    from resexp.training.warm import warm_run

    keep_freed_memory()
    torch.set_num_threads(tried.threads)
    try:
        settings = parse_settings(json.loads(tried.settings), tried.plugins)
        endless = changed(settings, {"training.epochs": None, "training.iterations": 10**6})
        run = warm_run(endless, torch.device(slot), tried.data)
        talk.send(None)
        talk.recv()
        watch, end, steps = Stopwatch(run.device), time.perf_counter() + SECONDS, 0
        while time.perf_counter() < end:
            with suppress(Diverged):  # only the speed matters here
                run.train_step()
            steps += 1
        watch.lap("training")
        talk.send(steps * run.batch_size / watch.laps["training"])
    except Exception:
        sys.exit(1)
