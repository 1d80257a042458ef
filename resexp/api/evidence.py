"""Registers an experiment before it runs, and runs one with more and more seeds until the verdicts of its
report are decided.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp.api.arguments import checked
from resexp.api.training import RESULTS, run
from resexp.plan.looks import LOOKS
from resexp.plan.status import Status
from resexp.text import counted

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.data.base import Progress
    from resexp.execution.supervisor import SweepSummary
    from resexp.report.build import Report


@checked
def run_until_decided(
    experiment: Experiment,
    most: int = LOOKS[-1],
    *,
    results: str | Path = RESULTS,
    fresh: bool = False,
    tell: Callable[[str], None] | None = None,
    **options: Any,
) -> SweepSummary:
    """Train 3 seeds for each setting, then 5, 8 and 12 (but at most `most`). Stops earlier if the report has
    no undecided main verdict, claim or published value.

    The report is made after each of these numbers of seeds, which is called a look. The experiment's own
    seeds come first. Intervals are so wide that at most 5 % of verdicts are wrong over all looks together. If
    an earlier call has made looks at the same configuration, this one begins with the most recent of them.
    `options` are options of `run`.

    Raises:
        ConfigError: the experiment has more than `most` seeds of its own.
        StoreError: the folder cannot be written; and whatever else `run` raises.
    """
    from resexp import store
    from resexp.execution.lines import line_console, print_line
    from resexp.plan.looks import at_last_look, looks, with_seeds
    from resexp.report.build import build

    largest = at_last_look(experiment, most)
    tell = tell or partial(print_line, line_console())
    results = Path(results)
    folder = results / experiment.name
    seen = 0 if fresh else store.seeds_at_last_look(folder, experiment.text, experiment.overrides)
    planned = looks(most)
    for look in [look for look in planned if look.seeds >= seen] or planned[-1:]:
        grown = with_seeds(largest, look.seeds)
        summary = run(grown, results=results, fresh=fresh, tell=tell, look=look, **options)
        fresh = False
        if not summary.ended:
            break
        report = build(store.read(folder))
        with store.explained(folder):
            store.note_reported(folder)
        tell(f"Look {look.number} of {len(planned)}, with {look.seeds} seeds; {_state(report, summary)}.")
        if not report.undecided:
            break
    return summary


def _state(report: Report, summary: SweepSummary) -> str:
    """What a look has decided, in words."""
    if report.undecided:
        return f"undecided: {', '.join(report.undecided)}"
    if failed := summary.counts.get(Status.FAILED, 0):
        return f"{counted(failed, 'trial')} failed, and more seeds would decide nothing else"
    if not report.judged:
        return "the report has no main verdict and no claim, so more seeds would decide nothing"
    return "none of the report's main verdicts, claims and published values needs more seeds"


@checked
def register(
    experiment: Experiment,
    *,
    most: int | None = None,
    device: str = "auto",
    results: str | Path = RESULTS,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[Path, str]:
    """Write down, before an experiment is run, what it will be judged by: its trials, claims, published
    numbers, margins and stopping rule. Returns the file and its hash.

    Without `most`, the stopping rule is to train the seeds of the configuration. With `most`, it is the rule
    of `run_until_decided`. The experiment's report says which verdicts were registered, and what was changed
    after that. If another registration is replaced, `tell` is called with a sentence that says so.

    Raises:
        ConfigError, DataError: the experiment cannot be planned, or some of its trials have been trained
            already, at least in part.
        BusyError: another process runs the experiment.
        StoreError: the folder cannot be written.
    """
    from resexp import store
    from resexp.data.cache import Survey
    from resexp.estimate.network import Measurer
    from resexp.machine.devices import device_slots
    from resexp.machine.environment import environment
    from resexp.plan.looks import at_last_look, first_seeds, looks
    from resexp.plan.make import of_points
    from resexp.report.registration import rules

    if most:
        experiment = at_last_look(experiment, most)
    planned = looks(most)[-1].planned if most else ()
    measurer = Measurer(device_slots(device, 1)[0], experiment.plugins, survey=Survey(progress))
    ids = [trial.id for trial in of_points(experiment, measurer)]
    plans = [first_seeds(ids, seeds, most) for seeds in planned] if most else [ids]
    registered = {
        "date": environment()["date"],
        "configuration": experiment.text,
        "overrides": list(experiment.overrides),
        "tier": experiment.tier,
        "trials": [sorted(set(plan)) for plan in plans],
        "published": experiment.published.model_dump(mode="json"),
        "rules": rules(),
        "looks": list(planned),
    }
    file, sha256, replaced = store.register(Path(results), experiment.name, registered)
    if replaced and tell:
        tell(f"This replaces an earlier registration ({replaced}), and the new file says so.")
    return file, sha256
