"""Makes the points of a sweep: the settings of each, checked and with the place where they were written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from resexp.config import grid, problems
from resexp.config.grid import Assignment, Rule, dotted
from resexp.config.overlays import FULL, Tier
from resexp.config.paths import with_root
from resexp.config.problems import Draft
from resexp.config.settings import Settings

MAX_POINTS = 20_000
MAX_OF_TIERS = 2 * MAX_POINTS
"""The most points that all tiers of a file may have together. Reading the file checks every one of them."""


@dataclass(frozen=True)
class Point:
    """One point of the sweep.

    axes: the value of each swept dotted key at this point, as plain JSON data.
    where: a function that returns the file and line where the value of a dotted key was written. Planning
        uses it for its error messages.
    """

    settings: Settings
    axes: Mapping[str, Any]
    where: Callable[[str], str] = field(compare=False)


Overrides = Mapping[grid.Path, Sequence[Assignment]]
"""The values that a command gives for a key."""


@dataclass(frozen=True)
class Sweep:
    """What the tiers of a file have in common: its settings and its rules. Problems are added to `draft`."""

    base: Mapping[str, Any]
    rules: Sequence[Rule]
    draft: Draft

    def points(self, tier: Tier, overrides: Overrides, *, may_idle: bool) -> tuple[Point, ...]:
        """The validated points of a tier. Points with equal settings occur once. A rule that matches no point
        is a problem, unless `may_idle` is true.
        """
        draft, grids = self.draft, _grids(tier, overrides)
        singles = [values[0] for values in overrides.values() if len(values) == 1]
        if (count := grid.size(grids)) > MAX_POINTS:
            where = ("sweep",) if tier.name == FULL else ("tiers", tier.name, "sweep")
            draft.wrong(where, dotted(where), f"has {count:,} points", f"at most {MAX_POINTS:,} are possible")
            return ()
        flawed = bool(draft.problems)
        swept = list(dict.fromkeys(path for axes in grids for path in axes))
        by_settings: dict[Settings, Point] = {}
        idle = set(range(len(self.rules)))
        for point in grid.points(self.base, tier.set, grids, self.rules, singles, plugins=draft.plugins):
            idle.difference_update(point.rules)
            settings = draft.validate(Settings, with_root(point, draft), point.origin, partial=flawed)
            if settings and settings not in by_settings:
                given = {dotted(path): grid.given(point.tree, path, draft.plugins) for path in swept}
                axes = {key: problems.plain(v) for key, v in given.items() if v is not grid.MISSING}
                by_settings[settings] = Point(settings, axes, partial(_written, draft, point))
        for i in sorted(() if flawed or may_idle else idle):
            key = ("overrides", i, "when")
            draft.wrong(key, dotted(key), "matches no point of the sweep", "correct it or remove the rule")
        return tuple(by_settings.values())

    def check_others(self, others: Sequence[Tier], chosen: Tier, overrides: Overrides) -> None:
        """Check the points of tiers that are not `chosen`, to which no overrides apply."""
        sizes = [grid.size(_grids(chosen, overrides)), *(grid.size(_grids(other, {})) for other in others)]
        count = sum(each for each in sizes if each <= MAX_POINTS)  # `points` reports larger sizes
        if others and count > MAX_OF_TIERS:
            wrong = f"have {count:,} points together with the sweep"
            self.draft.wrong(("tiers",), "tiers", wrong, f"at most {MAX_OF_TIERS:,} are possible")
            return
        for other in others:
            self.points(other, {}, may_idle=True)


def _grids(tier: Tier, overrides: Overrides) -> list[grid.Axes]:
    return [grid.with_axes({**axes, **tier.tuned}, overrides) for axes in tier.grids]


def _written(draft: Draft, point: grid.GridPoint, key: str) -> str:
    """The file and line of the value at a dotted key or, if it was not written, of the mapping around it."""
    return draft.where(
        point.origin(tuple(int(step) if step.isdecimal() else step for step in key.split(".")))
    )
