"""Plans sequential experiments (`--until decided`): seeds are added until the report's verdicts are decided.

Results are looked at only after certain numbers of seeds, which are fixed beforehand. Each such moment is
called a look. Each look has a plan of its own, with the seeds of this look and of all earlier ones. Results
decide only whether there is another look. The intervals at each look are so wide that all looks together give
at most 5 % wrong verdicts (Pocock 1977, Biometrika 64): at four looks with 3, 5, 8 and 12 seeds, 1.7 % each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from resexp.errors import ConfigError

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.config.points import Point
    from resexp.config.settings import Settings

LOOKS = (3, 5, 8, 12)
"""Seeds per group of trials at each look."""
LEVEL = 0.983
"""The confidence level of the intervals at each look. `tests/report/test_seed_bank.py` counts how many
verdicts are wrong over all looks.
"""


@dataclass(frozen=True)
class Look:
    """One look of a sequential experiment, at `seeds` seeds per group. `planned`: the seeds of all looks."""

    seeds: int
    planned: tuple[int, ...]

    @property
    def number(self) -> int:
        """The number of this look, from 1."""
        return self.planned.index(self.seeds) + 1

    def to_json(self) -> dict[str, Any]:
        return {"seeds": self.seeds, "planned": list(self.planned)}


def looks(most: int) -> tuple[Look, ...]:
    """The looks up to `most` seeds per group. The last is at `most`, even if that is not in `LOOKS`.

    There are never more looks than in `LOOKS`, as a fifth look would make 5.5 % of verdicts wrong at `LEVEL`.
    """
    planned = (*(seeds for seeds in LOOKS[:-1] if seeds < most), most)
    return tuple(Look(seeds, planned) for seeds in planned)


def at_last_look(experiment: Experiment, most: int) -> Experiment:
    """The experiment with the `most` seeds per setting that the last look trains.

    Raises ConfigError if the experiment has more seeds of its own.
    """
    if (own := max(map(len, _groups(experiment)))) > most:
        wrong = f"the configuration has {own} seeds per setting, but the last look has only {most}"
        raise ConfigError.of(str(experiment.path), "seed", wrong, f"give --max-seeds {own}, or fewer seeds")
    return with_seeds(experiment, most)


def with_seeds(experiment: Experiment, number: int) -> Experiment:
    """The experiment with `number` seeds per setting: first its own seeds, then the smallest numbers that are
    not among them.
    """
    points = [
        _at_seed(own[0], seed)
        for own in _groups(experiment)
        for seed in islice(_seeds([point.settings.seed for point in own]), number)
    ]
    return replace(experiment, points=tuple(points))


def first_seeds(ids: Sequence[str], number: int, planned: int) -> list[str]:
    """The ids of the first `number` seeds of each setting.

    `ids` has one id for each point of `at_last_look(experiment, planned)`, in the order of its points.
    """
    return [id for place, id in enumerate(ids) if place % planned < number]


def _groups(experiment: Experiment) -> list[list[Point]]:
    """The points in groups. The points of a group differ only in their seed."""
    groups: dict[Settings, list[Point]] = {}
    for point in experiment.points:
        groups.setdefault(point.settings.model_copy(update={"seed": 0}), []).append(point)
    return list(groups.values())


def _seeds(own: Sequence[int]) -> Iterator[int]:
    yield from own
    yield from (seed for seed in count() if seed not in own)


def _at_seed(point: Point, seed: int) -> Point:
    settings = point.settings.model_copy(update={"seed": seed})
    return replace(point, settings=settings, axes={**point.axes, "seed": seed})
