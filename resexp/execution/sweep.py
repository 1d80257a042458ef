"""The trials under way: started, watched, and recorded when they end."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resexp.execution.display import Display, RunningTrial, View
from resexp.execution.endings import cause_of, oom_kills
from resexp.execution.launcher import LOST, Job, Launcher
from resexp.plan.trial import Trial
from resexp.store import State, StoredExperiment

TICK = 0.2
"""The most seconds between two checks of the workers."""

GRACE = 4.0
"""Seconds that workers have to save their state and exit when they are asked to. `Launcher.close` then kills
those that are left.
"""

ALIKE = 3
"""The sweep stops if the first ALIKE trials to end have all failed in the same way."""

TRIES = 3
"""The most attempts at a trial in one run, if its folder is deleted during each. Attempts whose worker is
lost are repeated too, and do not count.
"""

LOSSES = 20
"""The sweep stops if LOSSES workers are lost and no trial ends in between. A worker is lost if it cannot be
started, or if it ends because the process that forks workers (`server.py`) has ended.
"""


@dataclass(frozen=True)
class Options:
    """How to run trials.

    trainer: `module:function`; the worker calls this function with the Attempt.
    threads: for computations of one trial on the CPU.
    stall_timeout: seconds without progress after which a trial is killed.
    keep_going: whether to go on if the first trials all fail in the same way.
    allow_environment_change: whether a checkpoint of other versions or another machine may be continued.
    data: prepared data by the trial's id, which workers find in `Attempt.data`.
    only: the ids of the trials to run; None: all.
    """

    trainer: str
    threads: int = 1
    stall_timeout: float = 600.0
    keep_going: bool = False
    allow_environment_change: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    only: Collection[str] | None = None


def by_cost(trials: Iterable[Trial]) -> list[Trial]:
    """The trials, the most expensive first. With cheap ones last, all workers end at about the same time."""
    return sorted(trials, key=lambda trial: (work_of(trial), trial.depth), reverse=True)


def work_of(trial: Trial) -> float:
    """A number that grows with a trial's training time, for comparison with other trials: the network's
    multiply-accumulates times iterations, or times epochs and training examples.
    """
    training = trial.settings.get("training", {})
    images = trial.settings.get("data", {}).get("train_size") or 1
    amount = training.get("iterations") or (training.get("epochs") or 1) * images
    return float(amount * (trial.cost.macs if trial.cost else 1))


@dataclass
class RunningWorker:
    """A worker and what is known of it. Times are in seconds.

    number: of its attempt; oom_kills: how often the kernel had killed a process for memory when it began;
    started: when it began or, once it has reported progress, when it first did; first_step: the step of that
    first report; idle: time since it last made progress; stalled: whether it was killed for that.
    """

    trial: Trial
    number: int
    device: str
    handle: Any
    oom_kills: int
    started: float = field(default_factory=time.monotonic)
    progress: Mapping[str, Any] = field(default_factory=dict)
    first_step: int | None = None
    idle: float = 0.0
    stalled: bool = False


class Sweep:
    """The trials of one run: those that wait, those that run now, and how many have ended.

    The time of `watch` grows with the number of running trials, not with the number of those that have ended.
    """

    def __init__(
        self, experiment: StoredExperiment, launcher: Launcher, options: Options, display: Display
    ) -> None:
        self.experiment = experiment
        self.launcher = launcher
        self.options = options
        self.display = display
        only = options.only
        self.trials = [trial for trial in experiment.trials if only is None or trial.id in only]
        self.queue: deque[Trial] = deque()
        self.running: list[RunningWorker] = []
        self.counts: Counter[str] = Counter()
        self.first: list[State] = []
        self.tries: Counter[str] = Counter()
        self.losses = 0
        self.stopping = False
        self.all_work = self.work_done = 0.0
        self.before = 0
        self.began = self.last_tick = time.monotonic()

    def gather(self) -> None:
        """Queue the chosen trials that have no intact result yet."""
        chosen = {trial.id for trial in self.trials}
        self.queue.extend(by_cost(trial for trial in self.experiment.pending() if trial.id in chosen))
        self.all_work = sum(map(work_of, self.queue))
        self.before = len(self.trials) - len(self.queue)

    def start(self, device: str) -> None:
        """Start the next trial of the queue on this device."""
        trial, options = self.queue.popleft(), self.options
        self.tries[trial.id] += 1
        folder, number = self.experiment.claim(trial)
        job = Job(
            folder,
            number,
            device,
            options.threads,
            options.trainer,
            options.allow_environment_change,
            options.data.get(trial.id),
        )
        kills = oom_kills()
        self.running.append(RunningWorker(trial, number, device, self.launcher.start(job), kills))
        self.display.started(trial, number)

    def alive(self) -> bool:
        """Whether any worker still runs. If so, stopping at once would lose work."""
        return any(self.launcher.poll(worker.handle) is None for worker in self.running)

    def watch(self) -> None:
        """Wait until a worker ends, for at most TICK seconds. Then read the progress of all workers, and kill
        those that stall.
        """
        self.launcher.wait([worker.handle for worker in self.running], TICK)
        now = time.monotonic()
        # If this process was suspended (machine asleep, Ctrl-Z), the workers have not stalled, and the pause
        # must not be added to their idle time.
        passed, self.last_tick = min(now - self.last_tick, 5 * TICK), now
        for worker in self.running:
            progress = self.experiment.progress(worker.trial, worker.number)
            worker.idle = worker.idle + passed if progress in ({}, worker.progress) else 0.0
            worker.progress = progress or worker.progress
            if worker.first_step is None and progress:
                worker.first_step, worker.started = progress["step"], now
            if worker.idle > self.options.stall_timeout and not worker.stalled:
                worker.stalled = True
                self.launcher.stop(worker.handle, kill=True)
        self.display.tick(self.view(now))

    def reap(self) -> list[str]:
        """Record the trials that have ended, and return the devices that they leave free."""
        freed = []
        for worker in list(self.running):
            status = self.launcher.poll(worker.handle)
            if status is None:
                continue
            self.running.remove(worker)
            freed.append(worker.device)
            self._record(worker, status)
        return freed

    def _record(self, worker: RunningWorker, status: int) -> None:
        """Record how an ended worker's trial ended. If that was not the trial's fault, queue it again."""
        trial = worker.trial
        state = self.experiment.state(trial)
        if not state.status.ended and not self.stopping:
            if status == LOST and not worker.stalled:
                self.losses += 1
                self.tries[trial.id] -= 1
                self.queue.appendleft(trial)
                self.display.again(trial, "the process that starts trials ended, or could not start one")
                return
            taken = self._taken_away(worker)
            if taken is not None and self.tries[trial.id] < TRIES:
                self.queue.appendleft(trial)
                self.display.again(trial, taken)
                return
            self.experiment.fail(trial, worker.number, *self._cause(worker, status, state, taken))
            state = self.experiment.state(trial)
        self.losses = 0
        self.counts[state.status] += 1
        self.work_done += work_of(trial)
        if len(self.first) < ALIKE:
            self.first.append(state)
        self.display.finished(trial, state)

    def _taken_away(self, worker: RunningWorker) -> str | None:
        """The cause of the trial's end if that is not the trial's fault; None otherwise."""
        if not self.experiment.holds(worker.trial):
            return "its folder was deleted while it ran"
        return None

    def _cause(self, worker: RunningWorker, status: int, state: State, taken: str | None) -> tuple[str, str]:
        """Why a trial ended without a valid result, as the kind of the failure and its cause."""
        if taken is not None:
            return "crash", f"{taken}, {TRIES} times"
        if state.notes:
            return "damage", state.notes[0]
        stalled = self.options.stall_timeout if worker.stalled else None
        return cause_of(status, stalled_after=stalled, oom_kills_before=worker.oom_kills)

    def losing(self) -> str | None:
        """Why the sweep should stop: worker after worker is lost. None if that is not so."""
        if self.losses < LOSSES:
            return None
        return (
            f"{self.losses} times in a row, a worker could not be started or was lost with the process that "
            "starts trials; check whether memory or processes are short on this machine"
        )

    def failing_alike(self) -> str | None:
        """Why the sweep should stop: its first trials all failed in the same way. None if that is not so."""
        # Running out of memory does not count: the most expensive trials come first, and others may fit.
        ways = {(state.failure.get("kind"), state.failure.get("cause")) for state in self.first}
        kind, cause = next(iter(ways), (None, None))
        if len(self.first) < ALIKE or len(ways) > 1 or kind in (None, "oom"):
            return None
        return (
            f"the first {ALIKE} trials failed in the same way ({cause}); "
            "fix the cause, or add --keep-going to run the others anyway"
        )

    def stop(self) -> None:
        """Ask the workers to save their state and exit, and wait for at most GRACE seconds."""
        self.stopping = True
        for worker in self.running:
            self.launcher.stop(worker.handle, kill=False)
        deadline = time.monotonic() + GRACE
        while self.running and time.monotonic() < deadline:
            self.watch()
            self.reap()

    def view(self, now: float) -> View:
        """What a display shows at time `now`."""
        running = tuple(
            RunningTrial(worker.trial, worker.progress, _seconds_left(worker, now)) for worker in self.running
        )
        under_way = sum(work_of(item.trial) * item.fraction for item in running)
        share = (self.work_done + under_way) / self.all_work if self.all_work else 0.0
        return View(
            total=len(self.trials),
            before=self.before,
            counts=self.counts,
            running=running,
            share=share,
            seconds_left=(now - self.began) * (1 - share) / share if share > 0.01 else None,
        )


def _seconds_left(worker: RunningWorker, now: float) -> float | None:
    steps = worker.progress.get("step", 0) - (worker.first_step or 0)
    if steps <= 0:
        return None
    return float((worker.progress["steps"] - worker.progress["step"]) * (now - worker.started) / steps)
