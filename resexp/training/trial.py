"""Trains one trial, from its folder to its result. `execution.worker` calls `train`."""

from __future__ import annotations

import io
import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from resexp.config.parse import parse_settings
from resexp.data.cache import prepare_for
from resexp.data.opening import open_data
from resexp.errors import Diverged, TrialError
from resexp.machine.memory import keep_freed_memory, peak_memory
from resexp.plan.status import Status
from resexp.training.learner import Learner, learner_of
from resexp.training.probing import probe_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from resexp.config.settings import Settings
    from resexp.data.opening import Data
    from resexp.store.attempt import Attempt
    from resexp.training.processes import Others

SAVE_SECONDS = 30.0
"""The longest time within an epoch without a checkpoint."""

SAVE_SHARE = 0.02
"""The largest share of a trial's time that checkpoints at the ends of epochs may take. If epochs are so short
that this would take more, some epochs end without a checkpoint.
"""


def train(attempt: Attempt) -> None:
    """Train the trial of an attempt until it is done or diverges, and write what it measures and its result.

    If `attempt.stopping` becomes true, training ends after the present step, with a checkpoint and without a
    result.
    """
    settings = parse_settings(attempt.trial.settings, attempt.plugins())
    keep_freed_memory()
    torch.use_deterministic_algorithms(settings.training.deterministic)
    if settings.training.processes == 1:
        _train(attempt, settings, None)
    else:
        _train_together(attempt, settings)


def _train_together(attempt: Attempt, settings: Settings) -> None:
    """Train with other processes, which only take steps. Evaluations, probes and files are this one's."""
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
    known: dict[str, Any] = {
        "examples": {"train": facts.train, "test": facts.test},
        "chance": facts.chance(),
        "redrawn": facts.redrawn,
    }
    environment = fingerprint(device, attempt.threads)
    loop: TrainingLoop = attempt.begin(environment, lambda saved: new().restored(saved)) or new()
    if others is not None:
        others.send(saved_bytes(loop.run.state()))
    try:
        ended = loop.advance()
    except Diverged as error:
        loop.tell_failures()
        result = loop.result({})
        if others is not None:
            result["peak_memory_bytes"] = None  # of this process alone it is known, but not of the others
        attempt.commit({"status": Status.DIVERGED, "cause": str(error), **known, **result})
        return
    if ended:
        loop.tell_failures()
        known |= {"unmeasured": missing} if (missing := loop.unmeasured()) else {}
        known |= {"baselines": loop.run.task.baselines(data.train, data.test, len(facts.classes))}
        known |= {"samples": made_up(loop.run)}
        if counts := confused(loop.run):
            known |= {"confused": counts}
        result = loop.result(loop.row)
        if others is not None:
            result["peak_memory_bytes"] = _total([result["peak_memory_bytes"], *(others.results() or [None])])
        attempt.commit({"status": Status.DONE, "cause": None, "probed": True, **known, **result})


def _data(attempt: Attempt, settings: Settings) -> Data:
    # Where the machine that started the run could not prepare the data for this one, the worker does it.
    checked = attempt.data or prepare_for(attempt.run, settings.data, attempt.trial.data)
    return open_data(settings.data, torch.device(attempt.device), settings.seed, checked)


def _learner(settings: Settings, data: Data, device: torch.device, others: Others | None) -> Learner:
    if others is None:
        return learner_of(settings.model)(settings, data, device)
    from resexp.training.shared import SharedRun

    return SharedRun(settings, data, device, others.member)


def _total(numbers: Sequence[int | None]) -> int | None:
    """The sum, or None if a number is unknown."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def saved_bytes(state: dict[str, Any]) -> memoryview:
    """A state as `torch.save` writes it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getbuffer()


def made_up(run: Learner) -> list[str]:
    """The texts that the trained network generates, in eval mode and in the arithmetic of evaluation."""
    run.forward.eval()
    with run.autocast():
        return run.task.samples(run.forward, run.data.test, run.data.facts.classes, run.settings.seed)


def confused(run: Learner) -> dict[str, dict[str, int]]:
    """Which classes the trained network takes for which: see `Task.confused`."""
    run.forward.eval()
    with run.autocast():
        return run.task.confused(run.forward, run.data.test, run.data.facts)


class TrainingLoop:
    """Trains an attempt: steps, rows of metrics, probes and checkpoints, in an order that can be resumed.

    Every checkpoint is saved before the probes of its step run, so that a resumed run writes each row once.
    """

    def __init__(self, run: Learner, attempt: Attempt, started: float) -> None:
        self.run = run
        self.attempt = attempt
        self.started = started
        self.earlier_seconds = 0.0
        self.saved = started
        self.save_cost = 0.0
        self.row: dict[str, Any] = {}
        self.failed_probes: list[str] = []

    def advance(self) -> bool:
        """Train to the end, or until the attempt must stop. Returns whether everything is done, including the
        probes after the last step.
        """
        run, attempt = self.run, self.attempt
        while not attempt.stopping:
            attempt.probe(probe_rows(run, self.failed_probes))
            if run.step == run.total:
                return True
            run.train_step()
            if run.epoch_ended():
                self.row = run.close_epoch()
                attempt.metric({key: self.row[key] for key in self.row if key != "most_answered"})
            if self.save_due():
                self.save()
            attempt.progress(
                epoch=run.epoch,
                epochs=run.epochs,
                step=run.step,
                steps=run.total,
                error=self.row.get("test_error"),
                loss=self.row.get("loss"),
            )
        self.save()
        return False

    def save_due(self) -> bool:
        """Whether to save now: at the end of an epoch if SAVE_SHARE allows it, SAVE_SECONDS after the last
        save, and at the end of training.
        """
        elapsed = time.monotonic() - self.saved
        affordable = elapsed >= self.save_cost / SAVE_SHARE
        ended = self.run.epoch_ended() and affordable
        return ended or elapsed > SAVE_SECONDS or self.run.step == self.run.total

    def save(self) -> None:
        start = time.monotonic()
        state = {"run": self.run.state(), "row": self.row, "seconds": self.seconds()}
        saved = saved_bytes({**state, "failed_probes": self.failed_probes})
        self.attempt.save_checkpoint(saved, self.run.step)
        self.saved = time.monotonic()
        self.save_cost = self.saved - start

    def restored(self, data: bytes) -> TrainingLoop:
        """This loop, continued from a checkpoint's bytes.

        Raises Diverged if a loss in the last evaluation was not finite. Older versions went on after that.
        """
        state = torch.load(io.BytesIO(data), map_location=self.run.device, weights_only=True)
        for name, loss in state["row"].items():
            if name.endswith("_loss") and loss is not None and not math.isfinite(loss):
                raise Diverged(f"the {name.replace('_', ' ')} was {loss}")
        self.run.restore(state["run"])
        self.row = state["row"]
        self.earlier_seconds = state["seconds"]
        self.failed_probes = list(state.get("failed_probes", ()))  # older versions did not keep them
        return self

    def tell_failures(self) -> None:
        """Add to the attempt's notes which probes failed, because their numbers are missing."""
        name = self.attempt.trial.name
        self.attempt.notes.extend(f"{name}: {failure}" for failure in self.failed_probes)

    def unmeasured(self) -> list[str]:
        """The kinds of the probes that failed at every moment, so that they have no number."""
        moments = Counter(config.kind for config in self.run.settings.probes for _ in config.at)
        failed = Counter(failure.partition(" failed at ")[0] for failure in self.failed_probes)
        return [kind for kind, count in moments.items() if failed[kind] == count]

    def seconds(self) -> float:
        """Wall time over all attempts of this trial, including evaluation and probes."""
        return self.earlier_seconds + time.monotonic() - self.started

    def result(self, row: dict[str, Any]) -> dict[str, Any]:
        """The result, from the last row of metrics and the clocks. What was not measured is None."""
        run = self.run
        step_seconds = run.seconds / run.step if run.step else None
        return {
            **{
                f"{part}_{what}": row.get(f"{part}_{what}")
                for part in ("train", "validation", "test")
                for what in ("error", "loss")
            },
            "test_measures": row.get("test_measures"),
            "most_answered": row.get("most_answered", {}),
            "seconds": self.seconds(),
            "step_seconds": step_seconds,
            "images_per_second": run.batch_size / step_seconds if step_seconds else None,
            "peak_memory_bytes": peak_memory(run.device),
            "epochs": run.epoch,
            "steps": run.step,
        }


def fingerprint(device: torch.device, threads: int) -> dict[str, Any]:
    """What must be the same for a half-done trial to continue bit for bit."""
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        processor = torch.backends.cpu.get_cpu_capability()
    return {"device": device.type, "processor": processor, "torch": torch.__version__, "threads": threads}
