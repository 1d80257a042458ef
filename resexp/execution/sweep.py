"""Starts and watches trials, and records how they end."""

from __future__ import annotations

import time
from collections import Counter, deque

from resexp.execution.display import Display, View
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.options import Options
from resexp.execution.running import RunningWorker, by_cost, work_of
from resexp.execution.stopping import Failures
from resexp.plan.trial import Trial
from resexp.store import State, StoredExperiment

TICK = 0.2
"""The most seconds between two checks of the workers."""

GRACE = 4.0
"""Seconds that workers have to save their state and exit when they are asked to. `Launcher.close` then kills
those that are left.
"""

TRIES = 3
"""The most attempts at a trial in one run, if its folder is deleted during each. Attempts whose worker is
lost are repeated too, but do not count.
"""

LOSSES = 20
"""The sweep stops if LOSSES workers are lost and no trial ends in between. A worker is lost if it cannot be
started, or if it ends through no fault of its trial: see `Outcome.again`.
"""

LOOKS = 64
"""The most workers whose progress is read at one check. If there are more, they take turns: a cluster may run
a thousand trials, and their files may be on a network file system.
"""

LATE = 90.0
"""Seconds to wait for the result of a trial that ended well on another machine. A network file system may
hide a new file for up to a minute.
"""


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
        self.failures = Failures()
        self.tries: Counter[str] = Counter()
        self.losses, self.loss = 0, ""
        self.stopping, self.awake = False, 0.0
        self.all_work = self.work_done = 0.0
        self.before = 0
        self.began = self.last_tick = time.monotonic()

    def gather(self) -> None:
        """Adopt the jobs of an earlier run that still wait or run. Then queue the chosen trials that have
        neither an intact result nor such a job.
        """
        pending = self.experiment.pending()
        for job, handle in self.launcher.adopt(self.experiment.job_notes):
            trial = self.experiment.adopt(job.folder, job.number)
            if trial is None:  # it has ended, a later attempt replaced it, or the plan no longer has it
                self.launcher.stop(handle, kill=False)
            else:
                self.running.append(RunningWorker(trial, job.number, job.device, handle, self.awake))
        adopted = {worker.trial.id for worker in self.running}
        chosen = {trial.id for trial in self.trials}
        left = [trial for trial in pending if trial.id in chosen]
        self.queue.extend(by_cost(trial for trial in left if trial.id not in adopted))
        self.all_work = sum(work_of(trial) for trial in pending if trial.id in chosen | adopted)
        self.before = len(self.trials) - len(left)

    def start(self, device: str) -> bool:
        """Start the next trial of the queue on this device. False if that trial has a result by now."""
        trial, options = self.queue.popleft(), self.options
        if self.experiment.finished_meanwhile(trial):
            self._count(trial, self.experiment.last_state(trial))
            return False
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
            trial.processes,
        )
        worker = RunningWorker(trial, number, device, self.launcher.start(job), self.awake)
        self.running.append(worker)
        self._announce(worker)
        return True

    def alive(self) -> bool:
        """Whether any worker is still queued or runs. If so, stopping at once would lose work."""
        return any(self.launcher.poll(worker.handle) is None for worker in self.running)

    def watch(self) -> None:
        """Wait until a worker ends, for at most TICK seconds. Then read the progress of the workers, and kill
        those that stall.
        """
        self.launcher.wait([worker.handle for worker in self.running if worker.ended is None], TICK)
        for sentence in self.launcher.news():
            self.display.note(sentence)
        now = time.monotonic()
        # If this process was suspended (machine asleep, Ctrl-Z), the workers have not stalled, and the pause
        # must not be added to their idle time.
        self.awake += min(now - self.last_tick, 5 * TICK)
        self.last_tick = now
        begun = [worker for worker in self.running if not self._waits(worker)]
        for worker in sorted(begun, key=lambda worker: worker.looked)[:LOOKS]:
            self._look_at(worker, now)
        self.display.tick(self.view(now))

    def _waits(self, worker: RunningWorker) -> bool:
        """Whether a worker waits in the launcher's queue. Time in the queue does not count as stalling."""
        if self.launcher.queued(worker.handle):
            worker.active = self.awake
            return True
        self._announce(worker)
        return False

    def _announce(self, worker: RunningWorker) -> None:
        """Tell the display once that a worker has begun."""
        if not worker.announced and not self.launcher.queued(worker.handle):
            worker.announced = True
            self.display.started(worker.trial, worker.number)

    def _look_at(self, worker: RunningWorker, now: float) -> None:
        """Read a worker's progress, and kill it if it stalls."""
        worker.look(self.experiment.progress(worker.trial, worker.number), now, self.awake)
        if not worker.stalled and worker.stalls(self.awake, self.options.stall_timeout):
            self.launcher.stop(worker.handle, kill=True)

    def reap(self) -> list[str]:
        """Record the trials that have ended, and return the devices that they leave free. Workers that were
        lost together, such as those of a node, count as one loss.
        """
        freed, losses = [], self.losses
        for worker in list(self.running):
            outcome = self.launcher.poll(worker.handle)
            if outcome is None or self._may_come_late(worker, outcome):
                continue
            self.running.remove(worker)
            freed.append(worker.device)
            self._record(worker, outcome)
        self.losses = min(self.losses, losses + 1)
        return freed

    def _may_come_late(self, worker: RunningWorker, outcome: Outcome) -> bool:
        """Whether a trial ended well on another machine, and its result may still become visible here."""
        if not self.launcher.remote or outcome.status != 0 or self.stopping:
            return False
        worker.ended = self.awake if worker.ended is None else worker.ended
        return self.awake - worker.ended < LATE and not self.experiment.state(worker.trial).status.ended

    def _record(self, worker: RunningWorker, outcome: Outcome) -> None:
        """Record how an ended worker's trial ended. If that was not the trial's fault, queue it again."""
        trial = worker.trial
        state = self.experiment.state(trial)
        if not state.status.ended and not self.stopping:
            if outcome.again and not worker.stalled:
                self.losses += 1
                self.loss = outcome.cause
                self.tries[trial.id] -= 1
                self.queue.appendleft(trial)
                self.display.again(trial, outcome.cause)
                return
            taken = None if self.experiment.holds(trial) else "its folder was deleted while it ran"
            if taken is not None and self.tries[trial.id] < TRIES:
                self.queue.appendleft(trial)
                self.display.again(trial, taken)
                return
            self.experiment.fail(trial, worker.number, *self._cause(worker, outcome, state, taken))
            state = self.experiment.state(trial)
        self._count(trial, state)

    def _count(self, trial: Trial, state: State) -> None:
        """Note how a trial has ended, and show it."""
        self.losses = 0
        self.counts[state.status] += 1
        self.work_done += work_of(trial)
        self.failures.note(state)
        self.display.finished(trial, state)

    def _cause(
        self, worker: RunningWorker, outcome: Outcome, state: State, taken: str | None
    ) -> tuple[str, str]:
        """Why a trial ended without a valid result, as the kind of the failure and its cause."""
        if taken is not None:
            return "crash", f"{taken}, {TRIES} times"
        if state.notes:
            return "damage", state.notes[0]
        if worker.stalled:
            return "stall", f"stalled: no step for {worker.stalled:g} s"
        return outcome.kind, outcome.cause

    def losing(self) -> str | None:
        """Why the sweep should stop, if worker after worker is lost; None otherwise."""
        if self.losses < LOSSES:
            return None
        return (
            f"{self.losses} times in a row, a worker could not be started or was lost: {self.loss}; "
            "check whether memory or processes are short where workers run"
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

    def tell_killed(self) -> None:
        """Tell the display about the trials whose workers did not end in time and were killed."""
        for worker in self.running:
            self.display.finished(worker.trial, self.experiment.last_state(worker.trial))

    def view(self, now: float) -> View:
        """What a display shows at time `now`."""
        running = tuple(worker.shown(now) for worker in self.running if worker.announced)
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
