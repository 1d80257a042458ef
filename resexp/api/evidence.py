"""Experiments whose rules are fixed before their results: registered, or with seeds added at looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp.api.training import RESULTS, run
from resexp.plan.looks import LOOKS

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.data.base import Progress
    from resexp.execution.supervisor import SweepSummary


def run_until_decided(
    experiment: Experiment,
    most: int = LOOKS[-1],
    *,
    results: Path = RESULTS,
    fresh: bool = False,
    tell: Callable[[str], None] | None = None,
    **options: Any,
) -> SweepSummary:
    """Train 3 seeds for each setting, then 5, 8 and 12 (`most` at the last look), until no verdict of the
    report is open.

    The experiment's own seeds come first. Each verdict is taken at a level that leaves at most 5 % wrong ones
    over all looks. `options` are those of `run`. Raises what `run` raises.
    """
    from resexp.plan.looks import looks, with_seeds
    from resexp.report import build
    from resexp.store import read

    for look in looks(most):
        grown = with_seeds(experiment, look.seeds)
        summary = run(grown, results=results, fresh=fresh, tell=tell, look=look, **options)
        fresh = False
        if not summary.ended:
            break
        undecided = build(read(results / experiment.name)).undecided
        if tell is not None:
            state = f"undecided: {', '.join(undecided)}" if undecided else "every verdict is decided"
            tell(f"Look {look.number} of {len(look.planned)}, with {look.seeds} seeds: {state}.")
        if not undecided:
            break
    return summary


def register(
    experiment: Experiment,
    *,
    most: int | None = None,
    device: str = "auto",
    results: Path = RESULTS,
    progress: Progress | None = None,
) -> tuple[Path, str]:
    """Write down what an experiment will be judged by, before it is run. Returns the file and its hash.

    Trials, claims, published numbers, margins and the stopping rule are written down. The stopping rule is
    the experiment's number of seeds or, with `most`, that of `run_until_decided`. The report then says which
    verdicts were registered, and what has changed since.

    Raises:
        ConfigError, DataError: the experiment cannot be planned.
        StoreError: some trials have results already, or the folder cannot be written.
    """
    from resexp import store
    from resexp.data.cache import Survey
    from resexp.estimate.network import Measurer
    from resexp.machine.devices import device_slots
    from resexp.machine.environment import environment
    from resexp.plan.looks import looks, with_seeds
    from resexp.plan.make import make_plan
    from resexp.report.registration import rules

    whole = with_seeds(experiment, most) if most else experiment
    measurer = Measurer(device_slots(device, 1)[0], experiment.plugins, survey=Survey(progress))
    registered = {
        "date": environment()["date"],
        "configuration": experiment.text,
        "overrides": list(experiment.overrides),
        "tier": experiment.tier,
        "trials": sorted(trial.id for trial in make_plan(whole, measurer)),
        "published": experiment.published.model_dump(mode="json"),
        "rules": rules(),
        "looks": list(looks(most)[-1].planned) if most else [],
    }
    return store.register(results, experiment.name, registered)
