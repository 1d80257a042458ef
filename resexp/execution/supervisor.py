"""Runs the trials of an experiment to their ends, whatever happens to each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from resexp.execution.display import Display, Silent
from resexp.execution.launcher import Launcher
from resexp.execution.signals import stop_signals
from resexp.execution.sweep import Options, Sweep
from resexp.store import StoredExperiment


@dataclass(frozen=True)
class SweepSummary:
    """How a run ended: the number of the plan's trials by status, why it stopped early, if it did,
    and what the experiment warned of.
    """

    counts: Mapping[str, int]
    interrupted: bool = False
    stopped: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether every trial has ended, in whatever way."""
        open_trials = self.counts.get("pending", 0) + self.counts.get("running", 0)
        return not (self.interrupted or self.stopped or open_trials)

    @property
    def exit_status(self) -> int:
        """0 every trial is done, 3 some are not (failed, diverged, left over), 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if sum(self.counts.values()) == self.counts.get("done", 0) else 3


def run(
    experiment: StoredExperiment,
    launcher: Launcher,
    options: Options,
    *,
    slots: Sequence[str] = ("cpu",),
    display: Display,
) -> SweepSummary:
    """Run what the experiment has pending; returns when all trials have ended or the run was stopped.

    `slots` has one device for every trial that may run at once. A trial without progress for
    `options.stall_timeout` seconds is killed and recorded. SIGINT, SIGTERM and SIGHUP stop the run:
    workers save their state and leave within `sweep.GRACE` seconds; a second signal kills them at once.

    Raises StoreError when the results folder refuses to be written.
    """
    sweep = Sweep(experiment, launcher, options, display)
    stopped: str | None = None
    interrupted = False
    try:
        with stop_signals(lambda: not sweep.alive()) as signalled, _saved(sweep):
            sweep.gather()
            free = list(slots)
            while (sweep.queue or sweep.running) and not (interrupted or stopped):
                while sweep.queue and free:
                    sweep.start(free.pop(0))
                sweep.watch()
                free += sweep.reap()
                interrupted = signalled()
                stopped = sweep.losing() or (None if options.keep_going else sweep.failing_alike())
            if sweep.running:
                sweep.stop()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        launcher.close()
        display.close()
    states = map(experiment.last_state, experiment.trials)  # reads again what this run has started
    counts: Counter[str] = Counter(state.status for state in states)
    return SweepSummary(counts, interrupted, stopped, tuple(experiment.warnings))


@contextmanager
def _saved(sweep: Sweep) -> Iterator[None]:
    """Whatever ends a run, its workers save their state first; the error that ended it is the one told."""
    try:
        yield
    except Exception:
        sweep.display = Silent()  # it may be what failed
        with suppress(Exception):
            sweep.stop()
        raise
