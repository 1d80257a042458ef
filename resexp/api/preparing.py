"""What a run finds out before it writes anything: its trials, those that are left, and their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resexp.api.places import Elsewhere, Here
    from resexp.config.load import Experiment
    from resexp.config.settings import Settings
    from resexp.data.base import Progress
    from resexp.data.cache import Survey
    from resexp.data.checked import Checked
    from resexp.estimate.network import Measurer
    from resexp.execution.local import Local
    from resexp.plan.trial import Trial
    from resexp.store import State


@dataclass(frozen=True)
class Prepared:
    """What a run knows before it writes.

    planned: all trials. chosen: the ids of those that meet --only. left: those of the chosen ones that must
    be trained. states: the states of all trials, by their ids. data: the data of the trials that are left, by
    their ids. notes: sentences on the data, for readers of the results.
    """

    planned: list[Trial]
    chosen: frozenset[str]
    left: list[Trial]
    states: Mapping[str, State]
    data: Mapping[str, Checked]
    notes: list[str]
    measurer: Measurer


def prepare(
    experiment: Experiment,
    folder: Path,
    place: Here | Elsewhere,
    local: Local,
    *,
    conditions: Mapping[str, Sequence[Any]],
    threads: int,
    torch: str,
    fresh: bool,
    allow_environment_change: bool,
    progress: Progress | None,
    tell: Callable[[str], None],
) -> Prepared:
    """Plan the experiment whose results are in `folder`, and prepare its data. `torch` is the version of
    PyTorch here. Calls `tell` with each sentence on the data and on half-done trials that begin again.

    Raises ConfigError and DataError: see `api.run`.
    """
    from resexp.data.cache import Survey
    from resexp.estimate.network import with_worker
    from resexp.plan.chosen import choose
    from resexp.plan.make import make_plan
    from resexp.store import begun_otherwise, states

    survey = Survey(progress, tell)
    measurer = with_worker(experiment, place.devices[0], local, survey)
    planned = make_plan(experiment, measurer, progress)
    stored = states(folder, planned)
    chosen = choose(planned, conditions)
    left = [trial for trial in chosen if fresh or not stored[trial.id].finished]
    continued = [] if fresh or allow_environment_change else left
    told = begun_otherwise(folder, continued, place.kinds, threads, torch)
    data = place.data(measurer, left)
    notes = _notes([point.settings for point in experiment.points], survey)
    for note in (*notes, *told):
        tell(note)
    return Prepared(planned, frozenset(trial.id for trial in chosen), left, stored, data, notes, measurer)


def _notes(settings: Sequence[Settings], survey: Survey) -> list[str]:
    """Notes on the data sets of these trials, each named once, and on trials of too few steps."""
    from resexp.data.notes import with_source
    from resexp.estimate import few_steps

    configs = {each.data.model_dump_json(): each.data for each in settings}.values()
    of_data = [note for config in configs for note in with_source(config, survey.notes(config))]
    return [*of_data, *few_steps.notes(settings, survey.readable)]
