"""Makes the trials of an experiment: what will be trained, under which names and in which order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from resexp.catalog.plugins import blamed
from resexp.config.fields import plugins_of
from resexp.config.grid import CONNECTION, DEPTH, SEED
from resexp.config.problems import refuse
from resexp.errors import ConfigError, Problem, ResexpError
from resexp.plan import numerics
from resexp.plan.checks import unknown_checks, unknown_claims
from resexp.plan.groups import labelled, name_of, short
from resexp.plan.trial import Cost, Trial, identity
from resexp.plan.unused import unused
from resexp.text import counted

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.config.load import Experiment
    from resexp.config.points import Point
    from resexp.config.settings import Settings

MOST_LAYERS = 50_000
"""The most layers that a plan's different networks may have together. Measuring takes about 1 ms per layer.
"""


class Measures(Protocol):
    """What planning asks of code that loads data sets and networks. `estimate/network.py` implements it."""

    def resolve(self, settings: Settings) -> Settings:
        """The settings, with a precision in place of `auto`, and with the sizes that `match` chooses."""

    def data_fingerprint(self, settings: Settings) -> str:
        """A hash of everything in the data that determines a trial's inputs and targets."""

    def cost(self, settings: Settings) -> Cost | None:
        """The cost of the network; None if the model is not a network."""


@dataclass(frozen=True)
class SeedlessSetting:
    """What is common to trials that differ only in their seed.

    settings: with seed 0, as `Measures.resolve` returns them. plain: the same as JSON data. data: the data's
    fingerprint. numerics: the versions of numbers (`numerics.py`).
    """

    settings: Settings
    plain: Mapping[str, Any]
    cost: Cost | None
    data: str
    plugins: tuple[Plugin, ...]
    numerics: Mapping[str, int]


def make_plan(
    experiment: Experiment, measures: Measures, progress: Callable[[str, int, int], None] | None = None
) -> list[Trial]:
    """Every trial of an experiment once, in the order of its grid. See `of_points`.

    Also raises ConfigError if `checks` or `claims` of the file name what no trial has, and MixedError if two
    different trials cannot be told apart (see `groups.labelled`).
    """
    trials = {trial.id: trial for trial in of_points(experiment, measures, progress)}
    planned = labelled(list(trials.values()))
    if unknown := [*unknown_checks(experiment, planned), *unknown_claims(experiment, planned)]:
        raise refuse(unknown, str(experiment.path))
    return planned


def of_points(
    experiment: Experiment, measures: Measures, progress: Callable[[str, int, int], None] | None = None
) -> list[Trial]:
    """The trial of each point of an experiment. Its label says only what the sweep sets (`variant_labels`).

    `progress` is called as `progress("planning", done, total)`, because measuring many networks takes long.

    Raises:
        ConfigError: some trials cannot be built; the error lists every problem.
        DataError: a data set is missing.
    """
    refuse_too_many(experiment)
    trials: list[Trial] = []
    problems = list(unused(experiment))
    faults: dict[str, list[Problem]] = {}  # in plugins, by file and line
    labels = variant_labels(experiment)
    known: dict[Settings, SeedlessSetting] = {}
    for count, (point, variant) in enumerate(zip(experiment.points, labels, strict=True)):
        seedless = point.settings.model_copy(update={"seed": 0})
        try:
            if seedless not in known:
                if progress is not None:
                    progress("planning", count, len(labels))
                with redirect_stdout(sys.stderr):  # what a plugin prints is no result
                    known[seedless] = _measured(seedless, measures)
        except ConfigError as error:
            problems += [p if p.where else replace(p, where=point.where(p.key)) for p in error.problems]
            continue
        except ResexpError:
            raise
        except (Exception, SystemExit) as error:  # a plugin's sys.exit(0) must not look like success
            fault = blamed(error, plugins_of(point.settings))
            if fault is None:
                raise
            faults.setdefault(fault.where, []).append(fault)
            continue
        trials.append(_trial(point, variant, known[seedless], experiment.tuned))
    problems += [_once(same) for same in faults.values()]
    if problems:
        raise refuse(problems, str(experiment.path))
    return trials


def _once(faults: Sequence[Problem]) -> Problem:
    """The first fault of one line of a plugin, with the number of other points at which this line fails."""
    first, *others = faults
    if not others:
        return first
    return replace(
        first, right=f"{first.right}; it also fails at {counted(len(others), 'other point')} of the sweep"
    )


def _trial(point: Point, variant: str, shared: SeedlessSetting, tuned: Collection[str]) -> Trial:
    seed, model = point.settings.seed, shared.settings.model
    settings = shared.settings.model_copy(update={"seed": seed})
    trial = Trial(
        id=identity(settings, shared.data, (shared.plugins, shared.numerics)),
        name="",
        connection=model.connection.kind,
        variant=variant,
        depth=model.depth,
        seed=seed,
        settings={**shared.plain, "seed": seed},
        axes=dict(point.axes),
        cost=shared.cost,
        tuned={key: point.axes[key] for key in tuned},
        plugins={plugin.sha256: plugin.file.name for plugin in shared.plugins},
        numerics=shared.numerics,
        data=shared.data,
    )
    return replace(trial, name=name_of(trial))


def _measured(settings: Settings, measures: Measures) -> SeedlessSetting:
    resolved = measures.resolve(settings)
    plain, plugins = resolved.model_dump(mode="json"), plugins_of(resolved)
    return SeedlessSetting(
        resolved,
        plain,
        measures.cost(resolved),
        measures.data_fingerprint(resolved),
        plugins,
        numerics.versions(plain, plugins),
    )


def refuse_too_many(experiment: Experiment) -> None:
    """Raises ConfigError if the sweep's different networks have more than MOST_LAYERS layers together."""
    settings = [point.settings for point in experiment.points]
    networks = {(each.data, each.task, each.model): each.model.depth for each in settings}
    if (layers := sum(networks.values())) > MOST_LAYERS:
        wrong = f"has {len(networks):,} different networks of {layers:,} layers together"
        right = f"at most {MOST_LAYERS:,} can be measured for one plan: split the sweep"
        raise ConfigError.of(str(experiment.path), "sweep", wrong, right)


def variant_labels(experiment: Experiment) -> list[str]:
    """The label of each point's variant, in the order of the points.

    A label is the connection's kind and, in brackets, whatever else differs between the sweep's points of
    that kind, except depth, seed and what is tuned.
    """
    options = [swept_options(point, experiment.tuned) for point in experiment.points]
    kinds = [point.settings.model.connection.kind for point in experiment.points]
    first: dict[str, dict[str, Any]] = {}
    telling: dict[str, set[str]] = {}
    for kind, own in zip(kinds, options, strict=True):
        one = first.setdefault(kind, own)
        differing = {key for key in own.keys() & one.keys() if own[key] != one[key]}
        telling.setdefault(kind, set()).update(differing, own.keys() ^ one.keys())
    labels = []
    for kind, own in zip(kinds, options, strict=True):
        details = ", ".join(short(key, value) for key, value in own.items() if key in telling[kind])
        labels.append(f"{kind} ({details})" if details else kind)
    return labels


def swept_options(point: Point, tuned: Collection[str]) -> dict[str, Any]:
    """What the sweep sets at this point, by dotted key, except depth, seed and what is tuned. For a swept
    connection, all of its options are listed.
    """
    options: dict[str, Any] = {}
    for key, value in point.axes.items():
        if key in (DEPTH, SEED, *tuned):
            continue
        if key == CONNECTION:
            full = point.settings.model.connection.options()
            options |= {f"{key}.{name}": option for name, option in full.items()}
        else:
            options[key] = value
    return {key: value for key, value in options.items() if key not in tuned}
