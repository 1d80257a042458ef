"""Runs the trials of an experiment to their ends, whatever happens to each of them."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from resexp.errors import TrialError
from resexp.execution.display import Display
from resexp.execution.launcher import Launcher
from resexp.execution.options import Options
from resexp.execution.signals import stop_signals
from resexp.execution.sweep import Sweep
from resexp.plan.status import Status
from resexp.store import StoredExperiment, explained


@dataclass(frozen=True)
class SweepSummary:
    """How a run ended. It covers the trials that `Options.only` chooses.

    `counts` has the number of chosen trials by status. `interrupted` says whether a signal ended the run.
    `stopped` says why the run ended early without a signal; None if it did not. `others` is the number of
    trials that were not chosen and are not finished. `unmeasured` has, for each kind of probe, the number of
    trials in which it failed each time it was due.
    """

    counts: Mapping[Status, int]
    interrupted: bool = False
    stopped: str | None = None
    others: int = 0
    unmeasured: Mapping[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether every chosen trial has ended, in whatever way."""
        open_trials = self.counts.get(Status.PENDING, 0) + self.counts.get(Status.RUNNING, 0)
        return not (self.interrupted or self.stopped or open_trials)

    @property
    def exit_status(self) -> int:
        """130 if the run was interrupted, 0 if every chosen trial is done, and 3 otherwise."""
        if self.interrupted:
            return 130
        return 0 if sum(self.counts.values()) == self.counts.get(Status.DONE, 0) else 3


def supervise(
    experiment: StoredExperiment,
    launcher: Launcher,
    options: Options,
    *,
    slots: Sequence[str] = ("cpu",),
    display: Display,
) -> SweepSummary:
    """Run the experiment's pending trials. Returns when all of them have ended or the run was stopped.

    `slots` has one device for every trial that the launcher may have at once. A trial without progress for
    `options.stall_timeout` seconds is killed and recorded as stalled. SIGINT, SIGTERM and SIGHUP stop the
    run: workers save their state and exit, and those that have not ended after `sweep.GRACE` seconds are
    killed. A second signal kills them at once. After SIGHUP or an error in this process, workers go on
    instead if the launcher can do without this process. The next run then adopts them.

    Raises StoreError if the results folder cannot be written, and BusyError if another run took it over.
    """
    sweep = Sweep(experiment, launcher, options, display)
    stopped: str | None = None
    signalled: Callable[[], int | None] = lambda: None  # noqa: E731
    interrupted = False
    try:
        try:
            with (
                stop_signals(lambda: not sweep.alive()) as signalled,
                _saved(sweep),
                explained(experiment.path),
            ):
                sweep.gather()
                free = list(slots)
                while (sweep.queue or sweep.running) and not (interrupted or stopped):
                    while sweep.queue and free:
                        if sweep.start(free[0]):
                            free.pop(0)
                    sweep.watch()
                    free += sweep.reap()
                    experiment.check_signs()
                    interrupted = signalled() is not None
                    stopped = sweep.losing() or (None if options.keep_going else sweep.failures.reason())
                if sweep.running and not _left(launcher, signalled):
                    sweep.stop()
        except KeyboardInterrupt:
            interrupted = True
        except TrialError as error:  # no worker can be started; trials that are done stay done
            stopped = str(error)
        finally:
            if not (left := _left(launcher, signalled)):
                launcher.close()
        for sentence in launcher.news():
            display.note(sentence)
        if not left:
            sweep.tell_killed()
    finally:
        display.close()
    return _summary(experiment, sweep, interrupted, stopped)


def _summary(
    experiment: StoredExperiment, sweep: Sweep, interrupted: bool, stopped: str | None
) -> SweepSummary:
    # Only the states of trials that this run started are read from the disk again.
    states = [experiment.last_state(trial) for trial in sweep.trials]
    chosen = {trial.id for trial in sweep.trials}
    rest = [experiment.last_state(trial) for trial in experiment.trials if trial.id not in chosen]
    return SweepSummary(
        Counter(state.status for state in states),
        interrupted,
        stopped,
        others=sum(not state.finished for state in rest),
        unmeasured=Counter(kind for state in states for kind in state.result.get("unmeasured", ())),
    )


def _left(launcher: Launcher, signalled: Callable[[], int | None]) -> bool:
    """Whether the terminal was closed (SIGHUP), and the workers go on without this process."""
    return signalled() == signal.SIGHUP and launcher.leave()


@contextmanager
def _saved(sweep: Sweep) -> Iterator[None]:
    """If an error ends the run, first let the workers go on or save their state, then raise it again."""
    try:
        yield
    except Exception:
        sweep.display = Display()  # the display may be what failed
        with suppress(Exception):
            if not sweep.launcher.leave():
                sweep.stop()
        raise
