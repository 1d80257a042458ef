"""Trains one trial, from its folder to its result. `execution.worker` calls `train`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import torch

from resexp.config.parse import parse_settings
from resexp.data.cache import prepare_for
from resexp.data.opening import open_data
from resexp.errors import Diverged, TrialError
from resexp.machine.arithmetic import MODEL
from resexp.machine.devices import device_name
from resexp.machine.memory import keep_freed_memory
from resexp.machine.precision import LIMITS, forbid_tf32, use_deterministic
from resexp.plan.status import Status
from resexp.training.blind import blind_errors
from resexp.training.learner import Learner, learner_of
from resexp.training.loop import TrainingLoop, saved_bytes
from resexp.training.unsteady import unsteady

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from resexp.config.settings import Settings
    from resexp.data.opening import Data
    from resexp.store.attempt import Attempt
    from resexp.training.processes import Others


def train(attempt: Attempt) -> None:
    """Train the trial of an attempt until it is done or diverges, and write what it measures and its result.

    If `attempt.stopping` becomes true, training ends after the present step, with a checkpoint and without a
    result.
    """
    settings = parse_settings(attempt.trial.settings, attempt.plugins())
    keep_freed_memory()
    forbid_tf32()
    use_deterministic(settings.training.deterministic)
    if settings.training.processes == 1:
        _train(attempt, settings, None)
    else:
        _train_together(attempt, settings)


def _train_together(attempt: Attempt, settings: Settings) -> None:
    """Train with other processes, which only take steps. Only this one evaluates, probes and writes files."""
    from resexp.training.member import Member
    from resexp.training.processes import together
    from resexp.training.shared import follow

    if attempt.device != "cpu":
        raise TrialError(f"several processes train on CPUs only, and this device is {attempt.device}")

    def other(member: Member, first: Connection) -> int | None:
        torch.set_num_threads(attempt.threads)
        return follow(member, first, settings, _data(attempt, settings))

    with together(settings.training.processes, other, attempt.fail) as others:
        _train(attempt, settings, others)


def _train(attempt: Attempt, settings: Settings, others: Others | None) -> None:
    device = torch.device(attempt.device)
    torch.set_num_threads(attempt.threads)
    clock = time.monotonic()
    data = _data(attempt, settings)

    def new() -> TrainingLoop:
        return TrainingLoop(_learner(settings, data, device, others), attempt, clock)

    facts = data.facts  # counted while reading, because planning cannot know which files are unreadable
    known: dict[str, Any] = {"examples": facts.examples(), "redrawn": facts.redrawn}
    environment = fingerprint(device, attempt.threads)
    loop: TrainingLoop = attempt.begin(environment, lambda saved: new().restored(saved)) or new()
    known["chance"] = loop.run.chance()
    if others is not None:
        others.send(saved_bytes(loop.run.state()))
    try:
        ended = loop.advance()
    except Diverged as error:
        loop.tell_failures()
        result = loop.result({})
        if others is not None:
            result["peak_memory_bytes"] = None  # the memory of the other processes is not known
        attempt.commit({"status": Status.DIVERGED, "cause": str(error), **known, **result})
        return
    if ended:
        loop.tell_failures()
        known |= {"unmeasured": missing} if (missing := loop.unmeasured()) else {}
        known |= {"baselines": loop.run.task.baselines(data.train, data.test, len(facts.classes))}
        known |= {"blind": blind} if (blind := blind_errors(loop.run)) else {}
        known |= {"samples": generated_texts(loop.run)}
        known |= {"confused": counts} if (counts := confused(loop.run)) else {}
        attempt.notes += [f"{attempt.trial.name}: {told}" for told in unsteady(loop.run)]
        result = loop.result(loop.row)
        if others is not None:
            result["peak_memory_bytes"] = _total([result["peak_memory_bytes"], *(others.results() or [None])])
        attempt.commit({"status": Status.DONE, "cause": None, **known, **result})


def _data(attempt: Attempt, settings: Settings) -> Data:
    # `attempt.data` is None if the machine that started the run could not prepare this worker's data.
    checked = attempt.data or prepare_for(attempt.run, settings.data, attempt.trial.data)
    return open_data(settings.data, torch.device(attempt.device), settings.seed, checked)


def _learner(settings: Settings, data: Data, device: torch.device, others: Others | None) -> Learner:
    if others is None:
        return learner_of(settings)(settings, data, device)
    from resexp.training.shared import SharedRun

    return SharedRun(settings, data, device, others.member)


def _total(numbers: Sequence[int | None]) -> int | None:
    """The sum, or None if a number is unknown."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def generated_texts(run: Learner) -> list[str]:
    """The texts that the trained network generates, in eval mode and in the arithmetic of evaluation."""
    run.forward.eval()
    with run.autocast():
        return run.task.samples(run.forward, run.data.test, run.data.facts.classes, run.settings.seed)


def confused(run: Learner) -> dict[str, dict[str, int]]:
    """How many test examples of each class got each answer of the trained network: see `Task.confused`."""
    run.forward.eval()
    with run.autocast():
        return run.task.confused(run.forward, run.data.test, run.data.facts)


def fingerprint(device: torch.device, threads: int) -> dict[str, Any]:
    """What must be the same for a half-done trial to continue bit for bit: see `machine/arithmetic.py`."""
    on_cpu = device.type == "cpu"
    name = device_name(str(device))
    processor = torch.backends.cpu.get_cpu_capability() if on_cpu else name
    found = {"device": device.type, "processor": processor, "torch": torch.__version__, "threads": threads}
    if on_cpu:
        found |= {limit: os.environ[limit] for limit in LIMITS if os.environ.get(limit)}
        found |= {MODEL: name} if name else {}
    return found
