"""Collects what `resexp plan` shows: the trials, their statuses, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.data.base import Progress
    from resexp.estimate.network import Measurer
    from resexp.plan.trial import Trial


@dataclass(frozen=True)
class Outline:
    """A plan and how far it has come.

    status: the status of each trial, by its id. slots: a device for each of the trials that run at once.
    seconds_left: None if it cannot be estimated. timed_by: how many finished trials that is estimated from; 0
    if it is from timed steps. checkpoint_bytes: about how much room the checkpoints of the unfinished trials
    will take. free_bytes: how much is free where they will be; None if unknown. note: a sentence about
    memory, or None. others: how many unfinished trials --only leaves out. looks: the numbers of seeds after
    which a run with --until decided may end; the plan is that of the last one. warnings: sentences on what
    differs from an earlier plan, such as why trials are trained again. `resexp run` says the same.
    """

    experiment: str
    trials: Sequence[Trial]
    status: Mapping[str, str]
    slots: tuple[str, ...]
    seconds_left: float | None
    timed_by: int = 0
    checkpoint_bytes: int = 0
    free_bytes: int | None = None
    note: str | None = None
    others: int = 0
    looks: tuple[int, ...] = ()
    warnings: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        rows = [{**trial.to_json(), "status": self.status[trial.id]} for trial in self.trials]
        known = {key: getattr(self, key) for key in ("seconds_left", "checkpoint_bytes", "free_bytes")}
        known["warnings"] = self.warnings
        return {"experiment": self.experiment, "slots": self.slots, **known, "trials": rows}


def outline(
    experiment: Experiment,
    device: str,
    jobs: int | None,
    results: Path,
    progress: Progress | None = None,
    *,
    only: Sequence[str] = (),
    most: int | None = None,
) -> Outline:
    """The plan of an experiment on a device. `jobs` is the number of trials at once; None means one per core
    or GPU. If `only` has conditions, the plan has only the trials that meet them. With `most`, it is the plan
    of the last look of `run_until_decided`.

    Raises what `plan.make.make_plan` and `plan.chosen.choose` raise, and ConfigError if the experiment has
    more than `most` seeds of its own.
    """
    from resexp.config.parse import parse_conditions
    from resexp.data.cache import Survey
    from resexp.estimate.disk import checkpoint_bytes, free_bytes
    from resexp.estimate.duration import room
    from resexp.estimate.network import Measurer
    from resexp.machine.devices import device_slots
    from resexp.machine.environment import memory_bytes
    from resexp.plan.chosen import choose
    from resexp.plan.looks import at_last_look, looks
    from resexp.plan.make import make_plan
    from resexp.plan.status import Status
    from resexp.store import changed, states

    if most:
        experiment = at_last_look(experiment, most)
    conditions = parse_conditions(only, experiment.plugins)
    slots = device_slots(device, 1, jobs)
    measurer = Measurer(slots[0], experiment.plugins, survey=Survey(progress))
    planned = make_plan(experiment, measurer, progress)
    folder = results / experiment.name
    stored = states(folder, planned)
    trials = choose(planned, conditions)
    status = {trial.id: stored[trial.id].status for trial in trials}
    others = sum(not stored[trial.id].finished for trial in planned if trial.id not in status)
    left = [trial for trial in trials if not status[trial.id].finished]
    taken = [(t, stored[t.id].result.get("seconds")) for t in planned if stored[t.id].status == Status.DONE]
    done = [(trial, float(seconds)) for trial, seconds in taken if seconds]
    fitting = room(slots, left, memory_bytes(), asked=jobs is not None)
    slots = list(fitting.slots)
    seconds = _seconds_left(experiment, measurer, left, done, slots)
    return Outline(
        experiment=experiment.name,
        trials=trials,
        status=status,
        slots=tuple(slots),
        seconds_left=seconds,
        timed_by=len(done),
        checkpoint_bytes=checkpoint_bytes(left, len(slots)),
        free_bytes=free_bytes(results),
        note=fitting.note,
        others=others,
        looks=tuple(look.seeds for look in looks(most)) if most else (),
        warnings=changed(folder, planned, stored),
    )


def _seconds_left(
    experiment: Experiment,
    measurer: Measurer,
    left: Sequence[Trial],
    done: Sequence[tuple[Trial, float]],
    slots: Sequence[str],
) -> float | None:
    """The seconds that the trials in `left` will take, if they are as fast as those in `done`. If there
    are none, steps are timed.

    Without a finished trial, there is no estimate for accelerators (only CPU steps are timed), for boosters
    (they have no network), for learning by playing and for generating images (these take other steps), for
    several processes (only steps of one are timed), and for networks that are too large to be timed.
    """
    from resexp.estimate.duration import can_be_timed, seconds_by_done, sweep_seconds
    from resexp.training.entry import LEARNERS, learner_name

    if not left:
        return 0.0
    if done:
        return seconds_by_done(left, done, len(slots))
    learners = {learner_name(point.settings) for point in experiment.points}
    timed = slots[0] == "cpu" and learners == {LEARNERS["Trunk"]} and all(map(can_be_timed, left))
    return sweep_seconds(left, measurer, len(slots)) if timed else None
