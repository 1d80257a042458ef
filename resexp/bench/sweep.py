"""Times whole sweeps, run by the code that runs every experiment: supervisor, workers, training, store."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resexp.bench.effort import Effort
from resexp.config.fields import plugins_of
from resexp.config.parse import changed
from resexp.config.settings import Settings
from resexp.data.cache import facts_of
from resexp.errors import TrialError
from resexp.execution.display import Display
from resexp.execution.local import Local
from resexp.execution.options import Options
from resexp.execution.supervisor import supervise
from resexp.plan.trial import Trial
from resexp.store import ExperimentFolder, State, TrialFolder, create, read
from resexp.training.entry import PRELOAD, TRAINER

EPOCH = 4
"""The number of steps of an epoch in these sweeps. The clock is read at the ends of epochs, and the first
epoch is not counted.
"""
_names = itertools.count()


@dataclass
class Events(Display):
    """A display that shows nothing and notes when trials start and end, in seconds of one clock."""

    started_at: dict[str, float] = field(default_factory=dict)
    finished_at: dict[str, float] = field(default_factory=dict)

    def started(self, trial: Trial, number: int) -> None:
        self.started_at[trial.id] = time.monotonic()

    def finished(self, trial: Trial, state: State) -> None:
        self.finished_at[trial.id] = time.monotonic()


@dataclass(frozen=True)
class Ended:
    """A sweep that has ended.

    `images_per_second` are the rates of its trials after their first epochs. `startup_seconds` are the
    seconds until each trial is ready for its first step, in the order in which trials started. `seconds` is
    the wall time of the whole sweep. A slot is a place for one trial at a time. `tail_idle` is the share of
    the slots' time in which slots were idle because no trial was left to start. `peak_memory_bytes` is the
    most memory that a trial held.
    """

    images_per_second: list[float]
    startup_seconds: list[float]
    seconds: float
    tail_idle: float
    peak_memory_bytes: int


def run_sweep(settings: Sequence[Settings], slots: Sequence[str], folder: Path) -> Ended:
    """Train one trial for each of the settings, all in a new experiment below `folder`.

    Raises:
        TrialError: a trial failed or diverged.
    """
    trials = [as_trial(number, each) for number, each in enumerate(settings)]
    name = f"sweep{next(_names)}"
    events = Events()
    plugins = tuple({plugin for each in settings for plugin in plugins_of(each)})
    with create(folder, name, config_text="", trials=trials, environment={}, plugins=plugins) as opened:
        launcher = Local([PRELOAD])
        summary = supervise(opened, launcher, Options(TRAINER), slots=slots, display=events)
        folders = [TrialFolder(ExperimentFolder(opened.path).trial(trial).path) for trial in trials]
    records = read(folder / name)
    if summary.exit_status:
        causes = ", ".join(records.trials["cause"].dropna()) or "it was stopped"
        raise TrialError(f"a trial of the benchmark ended badly: {causes}")
    rates = []
    for trial, each in zip(trials, settings, strict=True):
        rows = records.metrics[records.metrics["id"] == trial.id].sort_values("step")
        first, last = rows.iloc[0], rows.iloc[-1]
        if last["step"] > first["step"]:
            images = (last["step"] - first["step"]) * each.training.batch_size
            rates.append(float(images / (last["seconds"] - first["seconds"])))
    order = sorted(range(len(trials)), key=lambda i: events.started_at[trials[i].id])
    begin, last_start = min(events.started_at.values()), max(events.started_at.values())
    end = max(events.finished_at.values())
    last_ends = [ended for ended in events.finished_at.values() if ended > last_start]  # one for each slot
    seconds = end - begin
    return Ended(
        images_per_second=rates,
        startup_seconds=[startup_seconds(folders[i]) for i in order],
        seconds=seconds,
        tail_idle=sum(end - ended for ended in last_ends) / (len(slots) * seconds),
        peak_memory_bytes=int(records.trials["peak_memory_bytes"].max()),
    )


def startup_seconds(folder: TrialFolder) -> float:
    """Seconds from the claim of a trial, just before its process is forked, until it has its data and network
    and opens its row files.

    They are the difference between the times at which two files were last written. One is the file of probe
    rows. Only trials without probes never write to it after they open it, so this is right only for them.
    """
    return folder.probes.stat().st_mtime - folder.attempt.stat().st_mtime


def as_trial(number: int, settings: Settings) -> Trial:
    """The trial of these settings. Its seed is `number`, because two equal trials are refused."""
    kind = settings.model.connection.kind
    dump = {**settings.model_dump(mode="json"), "seed": number}
    plugins = {plugin.sha256: plugin.file.name for plugin in plugins_of(settings)}
    name, depth = f"trial{number}", settings.model.depth
    return Trial(f"{number:012x}", name, kind, kind, depth, number, dump, plugins=plugins)


def short_trial(settings: Settings, epochs: int, batch: int, seed: int = 0) -> Settings:
    """The settings with fewer images, one evaluation and no probes. Of these changes, only that of the batch
    size affects the cost of a step.
    """
    facts = facts_of(settings.data)
    return changed(
        settings,
        {
            "training.iterations": None,
            "training.epochs": epochs,
            "training.batch_size": batch,
            "training.train_every": epochs,
            "training.test_every": epochs,
            "data.train_size": min(facts.train, max(EPOCH * batch, len(facts.classes))),
            "data.test_size": min(facts.test, max(64, len(facts.classes))),
            "probes": (),
            "seed": seed,
        },
    )


def throughput(settings: Settings, slots: Sequence[str], effort: Effort, folder: Path) -> Ended:
    """A sweep with as many equal trials as there are slots."""
    epochs, batch = 1 + effort.steps // EPOCH, settings.training.batch_size
    return run_sweep(
        [short_trial(settings, epochs, batch, seed) for seed in range(len(slots))], slots, folder
    )


def uneven(settings: Settings, slots: Sequence[str], effort: Effort, folder: Path) -> Ended:
    """A sweep of more trials than slots, with very different lengths, to measure how long slots are idle."""
    lengths = range(1, 3 * len(slots) + 2)
    return run_sweep([short_trial(settings, length, effort.batch) for length in lengths], slots, folder)


def growing(
    settings: Settings, slots: Sequence[str], effort: Effort, folder: Path
) -> tuple[list[int], list[float]]:
    """Some numbers of equal trials, and the seconds that a sweep of each number takes."""
    counts = [len(slots) * factor for factor in (1, 2, 4)]
    one = short_trial(settings, 2, effort.batch)
    return counts, [run_sweep([one] * count, slots, folder).seconds for count in counts]


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder, because the current folder may be read-only or deleted."""
    return tempfile.TemporaryDirectory(prefix="resexp-bench-")
