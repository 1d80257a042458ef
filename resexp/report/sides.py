"""The two sides of a claim: which trials belong to each, and what was measured in them.

A side is a mapping of dotted keys to settings, such as {model.connection: residual, model.depth: deepest}.
Its trials are those with these settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from resexp.config.grid import DEPTH
from resexp.config.metrics import reading
from resexp.config.published import DEPTH_WORDS, Claim
from resexp.plan.dotted import leaves
from resexp.plan.status import Status
from resexp.report import failed_seeds, frames, statistics
from resexp.report.pairs import Cell, Pair
from resexp.report.references import UNKNOWN_IF_DIVERGED, matching, values_of

if TYPE_CHECKING:
    from resexp.store import Records

BEST = "best_shallower"
"""The word in a claim for the depth with the least mean among all depths but the greatest."""
When = Mapping[str, Any]


@dataclass(frozen=True)
class Sides:
    """The lower and the higher side of a claim. A word for a depth has been replaced by the depth.

    If the claim places exactly one side at its best shallower depth, `best` is the number of that side (0:
    lower, 1: higher), and `candidates` are this side at each depth from which the best was chosen. Otherwise,
    there are no candidates.
    """

    lower: When
    higher: When
    candidates: tuple[When, ...] = ()
    best: int = 0

    def __iter__(self) -> Iterator[When]:
        yield self.lower
        yield self.higher

    def others(self) -> tuple[tuple[When, When], ...]:
        """The two sides, with each candidate in turn as the side that is at its best shallower depth."""
        if self.best:
            return tuple((self.lower, place) for place in self.candidates)
        return tuple((place, self.higher) for place in self.candidates)


def sides(records: Records, claim: Claim) -> Sides | None:
    """The sides of a claim, with the depths that words such as `deepest` stand for.

    If both sides have a word for their depth, these words refer to the depths that both sides were trained
    at. The result is None if there is no depth that a word can mean, or if both sides would be the same.
    """
    stated = (claim.lower, claim.higher)
    worded = [when for when in stated if when.get(DEPTH) in DEPTH_WORDS]
    depths = [set(matching(records, at_any_depth(when))["depth"].astype(int)) for when in worded]
    shared = sorted(set.intersection(*depths)) if depths else []
    if worded and not shared:
        return None
    choices = [_choices(records, when, shared, claim.metric) for when in stated]
    if not all(choices):
        return None
    lower, higher = (_best(records, places, claim.metric) for places in choices)
    if lower == higher:
        return None
    chosen = [number for number, when in enumerate(stated) if when.get(DEPTH) == BEST]
    best = chosen[0] if len(chosen) == 1 else None
    return Sides(lower, higher) if best is None else Sides(lower, higher, tuple(choices[best]), best)


def at_any_depth(when: When) -> dict[str, Any]:
    """The side at all depths, if a word such as `deepest` stands for its depth; otherwise the side itself."""
    return {key: value for key, value in when.items() if key != DEPTH or value not in DEPTH_WORDS}


def _choices(records: Records, when: When, depths: Sequence[int], metric: str) -> list[When]:
    """The side with its depth as a number. For the best shallower depth, the side once for each depth to
    choose from.

    These are the `depths` without the greatest. Depths at which some seeds failed and others trained are left
    out, as in the verdict on degradation, unless no other depth remains. The same holds for depths with fewer
    than three seeds.
    """
    match when.get(DEPTH):
        case "deepest":
            return [{**when, DEPTH: depths[-1]}]
        case "shallowest":
            return [{**when, DEPTH: depths[0]}]
        case "best_shallower":
            places = [{**when, DEPTH: depth} for depth in depths[:-1]]
            sizes = {n: len(values_of(records, place, metric)) for n, place in enumerate(places)}
            known = [n for n, size in sizes.items() if size]
            whole = [n for n in known if not some_failed(records, [places[n]], metric)] or known
            return [places[n] for n in whole if sizes[n] >= statistics.LEAST] or [places[n] for n in whole]
    return [when]


def _best(records: Records, places: Sequence[When], metric: str) -> When:
    """The one of these sides (`places`) that has the least mean."""
    if len(places) == 1:
        return places[0]
    return min(places, key=lambda place: float(values_of(records, place, metric).mean()), default={})


def some_failed(records: Records, places: Iterable[When], metric: str) -> bool:
    """Whether some seeds of one variant and depth of these sides diverged, or failed while others trained.

    Then no mean is evidence. False for costs and for readings of probes before training. A diverged network
    has no other test measure, such as an IoU, and no later readings, so a mean over the others would describe
    only those that did not diverge.
    """
    of_errors, probe = metric.endswith(("_error", "_loss")), reading(metric)
    after = probe is not None and probe.at > 0
    if not of_errors and not after and not metric.startswith("test_"):
        return False
    cells = [trials for when in places for _, _, trials in frames.by_depth(matching(records, when))]
    diverged = any((trials["status"] == Status.DIVERGED).any() for trials in cells)
    return (diverged and not of_errors) or (not after and any(map(failed_seeds.mixed, cells)))


def lost(trials: pd.DataFrame, metric: str) -> int:
    """How many of these trials failed or diverged, and count neither as values nor as diverged networks."""
    gone = [Status.FAILED, *([Status.DIVERGED] if metric in UNKNOWN_IF_DIVERGED else [])]
    return int(trials["status"].isin(gone).sum())


def unfair(records: Records, both: Sides) -> bool:
    """Whether a trial belongs to both sides, or a side names a tuned setting.

    In the first case, the sides are not independent. In the second, only trials at the chosen values are
    known, so that other variants might stand on either side.
    """
    lower, higher = (set(matching(records, when)["id"]) for when in both)
    named = [path for when in both for path, _ in leaves(dict(when))]
    tuned = any(f"{path}.".startswith(f"{key}.") for path in named for key in records.tuned)
    return tuned or not lower.isdisjoint(higher)


def one_class(records: Records, when: When, metric: str) -> int:
    """How many networks of a side give every example of the metric's split the same class.

    The result is 0 if the metric is not an error.
    """
    split, _, measure = metric.partition("_")
    return failed_seeds.one_class(matching(records, when), split) if measure == "error" else 0


def cells(
    records: Records, when: When, metric: str, alike: pd.Series[str] | None, by_depth: bool
) -> dict[Any, Cell]:
    """The values of one side, in cells by their label in `alike` and, if `by_depth`, by depth.

    Each cell is compared with the cell of the other side that has the same key.
    """
    values = values_of(records, when, metric, alike)
    keys = ["depth", "alike"] if by_depth else "alike"
    return {key: cell.droplevel(["depth", "alike"]) for key, cell in values.groupby(level=keys)}


def paired(lower: Mapping[Any, Cell], higher: Mapping[Any, Cell]) -> list[Pair]:
    """The pairs of cells that have the same key on both sides, without seeds that some cell of a side lacks.

    If the cells of a side share no seed, they keep all of theirs, which are then independent.
    """
    keys = [key for key in lower if key in higher]
    return list(zip(*(_shared([side[key] for key in keys]) for side in (lower, higher)), strict=True))


def _shared(found: Sequence[Cell]) -> Sequence[Cell]:
    common = [seed for seed in found[0].index if all(seed in cell.index for cell in found)] if found else []
    return [cell.loc[common] for cell in found] if common else found


def finite_mean(found: Iterable[Cell]) -> float | None:
    """The mean of the cells' means, over their finite values; None if there is none. Cells count alike, as in
    the difference of two sides, even if one has more seeds.
    """
    finite = [cell[np.isfinite(cell)] for cell in found]
    means = [cell.mean() for cell in finite if len(cell)]
    return float(np.mean(means)) if means else None
