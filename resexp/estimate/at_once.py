"""Decides for `--jobs auto` how many trials to train at once: the number with which a machine trains fastest.

It is found by short test runs, and remembered. This module does not import PyTorch, because the test runs
have processes of their own.
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
from resexp.estimate.duration import for_processes
from resexp.execution.local import Local
from resexp.machine.devices import device_name
from resexp.machine.environment import cores

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.data.checked import Checked
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial

SECONDS = 3.0
"""Seconds of a test run."""
GAIN = 1.05
"""A larger number of trials at once must be faster in total by this factor, because it needs more memory."""


@dataclass(frozen=True)
class Tried:
    """What a test run needs: a trial's settings as JSON, their plugins, the number of CPU threads, and the
    prepared data.
    """

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
    """The device of each trial that should run at once.

    Test runs of the trial with the largest network decide. Each trial takes `threads` cores, and there are
    never more trials than the cores suffice for. The devices are those that occur in `slots`. If no trial has
    a network, or if the test runs fail, `slots` itself is returned. If a trial has several processes, there
    are no test runs, and the result is what `for_processes` returns. `data` has the prepared data of trials,
    by their ids; data that are missing there are prepared in the test run.
    """
    trials = list(trials)
    if (processes := max((trial.processes for trial in trials), default=1)) > 1:
        return for_processes(slots, processes)
    networks = [(trial.cost.macs, trial.id, trial.settings) for trial in trials if trial.cost]
    if not networks:
        return list(slots)
    _, id, largest = max(networks, key=lambda each: each[0])
    devices = list(dict.fromkeys(slots))
    most = max(1, cores() // threads // len(devices))

    tried = Tried(json.dumps(largest), measurer.plugins, threads, (data or {}).get(id))

    def total(number: int) -> float:
        return _rate(tried, number * devices, launcher)

    settings = measurer.parse(largest)
    machine = [*map(device_name, devices), most, threads]
    network = [settings.training.precision, settings.training.batch_size, measurer.network_key(settings)]
    question = f"at once {json.dumps([machine, network])}"
    try:
        answer = measurer.remembered.answer(question, lambda: {"number": best_number(most, total)})
    except TrialError:
        return list(slots)
    return answer["number"] * devices


def best_number(most: int, total: Callable[[int], float]) -> int:
    """The number of trials to train at once. 1, 2, 4, ... and `most` are tried in this order, until a number
    fails, or is not faster than the number before it by the factor GAIN. Then the number before it is chosen.
    If this never happens, it is `most`.

    `total(number)` is the rate of that many trials together. It raises TrialError if they fail. If a single
    trial fails, this error is raised.
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
    """Examples per second of one trial on each of `slots`, added up. Raises TrialError if one fails."""
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
    """One test run, in a process of its own: warm up, say so, wait for an answer, train for SECONDS, and send
    the examples per second.

    If that fails, the process exits with status 1. It does not say why: when the trial is really trained, it
    will fail in the same way, and the cause will be recorded.
    """
    import torch

    from resexp.config.parse import changed
    from resexp.machine.clock import Stopwatch
    from resexp.machine.memory import keep_freed_memory
    from resexp.machine.precision import forbid_tf32
    from resexp.training.warm import warm_run

    keep_freed_memory()
    forbid_tf32()
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
