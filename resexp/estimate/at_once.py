"""How many trials at once a machine trains fastest: found by trying, and remembered.

Free of PyTorch: the trials that are tried run in processes of their own.
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
from resexp.execution.local import LocalLauncher
from resexp.machine.devices import device_name
from resexp.machine.environment import cores

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.data.cache import Checked
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial

SECONDS = 3.0
"""Of training, by which a number of trials is judged."""
GAIN = 1.05
"""What more trials at once must bring, or fewer stay: they need memory."""


@dataclass(frozen=True)
class Tried:
    """A trial's settings, as JSON, the plugins they name, its CPU threads, and its prepared data."""

    settings: str
    plugins: tuple[Plugin, ...]
    threads: int
    data: Checked | None = None


def best_slots(
    slots: Sequence[str],
    trials: Iterable[Trial],
    threads: int,
    measurer: Measurer,
    launcher: LocalLauncher,
    *,
    data: Mapping[str, Checked] | None = None,
) -> list[str]:
    """One device for each trial that should run at once, of the devices among `slots`, so that the dearest of
    the trials trains fastest in all. Each has a core to itself at least. Without a network, `slots` again.

    `data` are their prepared data by their ids; what is not among them is prepared where it is tried.
    """
    priced = [(trial.cost.macs, trial.id, trial.settings) for trial in trials if trial.cost]
    if not priced:
        return list(slots)
    _, id, dearest = max(priced, key=lambda each: each[0])
    places = list(dict.fromkeys(slots))
    most = max(1, cores() // threads // len(places))

    tried = Tried(json.dumps(dearest), measurer.plugins, threads, (data or {}).get(id))

    def total(number: int) -> float:
        return _rate(tried, number * places, launcher)

    settings = measurer.parse(dearest)
    machine = [*map(device_name, places), most, threads]
    told = [settings.training.precision, settings.training.batch_size, measurer.network_key(settings)]
    question = f"at once {json.dumps([machine, told])}"
    try:
        found = measurer.remembered.answer(question, lambda: {"number": best_number(most, total)})
    except TrialError:
        return list(slots)
    return found["number"] * places


def best_number(most: int, total: Callable[[int], float]) -> int:
    """Of 1, 2, 4, ... up to `most` the last that gains enough over the one before. `total(number)` is what so
    many do together; it raises TrialError where there is no room for them.
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


def _rate(tried: Tried, slots: Sequence[str], launcher: LocalLauncher) -> float:
    """Examples a second of one trial in each of `slots`, all of them together. Raises TrialError."""
    with launcher.beside(train_a_while, [(tried, slot) for slot in slots]) as trials:
        try:
            for each in trials:
                each.recv()  # it is warm
            for each in trials:
                each.send(None)
            return sum(float(each.recv()) for each in trials)
        except (EOFError, OSError):
            raise TrialError(f"{len(slots)} at once failed") from None


def train_a_while(talk: Connection, tried: Tried, slot: str) -> None:
    """In a process of its own: wait until all are warm, train for SECONDS, tell the examples a second.

    Ends with status 1 where that fails; whoever trains the trial for real says why.
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
            with suppress(Diverged):  # speed is asked for, not sense
                run.train_step()
            steps += 1
        watch.lap("training")
        talk.send(steps * run.batch_size / watch.laps["training"])
    except Exception:
        sys.exit(1)
