"""How well masks are predicted, and what the long skips of a U-Net add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from resexp.plan.status import Status
from resexp.report import confounded, failed_seeds, frames, splits, statistics, words
from resexp.report.statistics import Estimate
from resexp.report.table import (
    Row,
    Sentence,
    Table,
    estimate,
    estimate_cells,
    lost_column,
    places,
    spread,
    spread_cells,
)
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 23
LEADS = True
LONG_SKIP = "model.long_skip"
MEASURES = {"iou": "test_iou", "dice": "test_dice", "error": "test_error"}
CAPTION = (
    "Results on the test set at the end of training: intersection over union (IoU) and Dice of the "
    "foreground (with more than two classes, the mean over classes), and the share of wrong pixels. Values "
    "are mean ± standard deviation over n seeds. The gain is the IoU minus that of the same network without "
    "a long skip, in percentage points, with a 95 % interval by Student's t (unequal variances, unpaired "
    "seeds). A diverged network is in no mean. There is no gain if a network on either side diverged, or if "
    "the seeds of a side are two groups, of which one trained and one failed to. Such groups are found only "
    "where the error of a network that has learned nothing is recorded. A gain grows or shrinks with a "
    "setting if the interval of its change excludes 0 and neither holds of the networks compared."
)
LOST = " Lost counts the trials that diverged or failed."


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no trial has a segmentation task."""
    ended = frames.ended(records.trials)
    measured = [column for column in ("test_iou", "test_dice") if column in ended]
    numbers = {column: frames.numbers(ended, column) for column in measured}
    if not any(column.notna().any() for column in numbers.values()):
        return None
    axes = sorted(key for key in ended.columns if "." in key and key not in records.tuned)
    ended = ended.assign(**numbers, tested=frames.test_data(records, ended))
    # Trials with equal labels differ only in their long skip and seed.
    ended["twin"] = _labels(ended, ["tested", *(key for key in axes if key != LONG_SKIP)])
    done = frames.done(ended)
    level = statistics.level_of(records)
    rows = [_row(place, _gain(place.rows, ended, level)) for place in frames.by_depth(ended)]
    columns = (
        *places(),
        *lost_column(rows),
        spread("iou", "IoU", 1),
        spread("dice", "Dice", 1),
        spread("error", "Pixel error"),
        *estimate("gain", "Gain", 1),
    )
    diverged = ended[ended["status"] == Status.DIVERGED]
    known = LONG_SKIP in done and "test_iou" in done
    growth = tuple(_growth(records, done, diverged, axes, level)) if known else ()
    lost = LOST if lost_column(rows) else ""
    caption = f"{CAPTION}{lost}{_confounded(records, done) if known else ''} {splits.caption(records)}"
    return Table("segmentation", "Segmentation", caption, columns, tuple(rows), growth)


def _row(place: frames.DepthGroup, gain: Estimate | None) -> Row:
    group = frames.done(place.rows)
    row = frames.row_keys(place, long_skip=place.rows[LONG_SKIP].iloc[0] if LONG_SKIP in group else None)
    row |= {"n": len(group), "lost": len(place.rows) - len(group)}
    for name, column in MEASURES.items():
        row |= spread_cells(name, group.get(column, []))
    return row | estimate_cells(gain, "gain", "gain_low", "gain_high")


def _labels(trials: pd.DataFrame, keys: list[str]) -> pd.Series[str]:
    """For each trial, a text with its values of the settings `keys`."""
    values = list(trials[keys].itertuples(index=False, name=None))
    return pd.Series([repr(value) for value in values], index=trials.index, dtype=str)


def _gain(place: pd.DataFrame, ended: pd.DataFrame, level: float) -> Estimate | None:
    """The IoU of trials with a long skip minus that of equal trials without one.

    None if one is missing, if a trial of either side diverged, or if some seeds of a side failed and others
    trained.
    """
    if LONG_SKIP not in place or "test_iou" not in place or place[LONG_SKIP].iloc[0] == "none":
        return None
    sides = (place, _without(ended, place))
    if any((side["status"] == Status.DIVERGED).any() or failed_seeds.mixed(side) for side in sides):
        return None
    joined, bare = (frames.done(side)["test_iou"] for side in sides)
    return statistics.difference(joined, bare, level=level)


def _confounded(records: Records, done: pd.DataFrame) -> str:
    """A sentence on networks that differ from those without a long skip in settings that are not swept."""
    found: dict[str, list[str]] = {}
    for variant, depth, place in frames.by_depth(done[done[LONG_SKIP] != "none"]):
        both = (place, _without(done, place))
        if also := confounded.of_sides(records, both, confounded.swept(records)):
            found.setdefault("; ".join(also), []).append(f"{variant} at depth {depth}")
    told = [f"{words.listed(places)} in {also}" for also, places in found.items()]
    return f" Some also differ from the networks without one: {words.joined(told)}." if told else ""


def _without(every: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Those of `every` that have no long skip and are otherwise like `trials`."""
    return every[(every[LONG_SKIP] == "none") & every["twin"].isin(trials["twin"])]


def _growth(
    records: Records, done: pd.DataFrame, diverged: pd.DataFrame, axes: list[str], level: float
) -> Iterator[Sentence]:
    """A sentence for each swept number and long skip: is the gain larger at the largest number than at the
    smallest?
    """
    for axis in axes:
        if len(set(done[axis].map(repr))) < 2 or not done[axis].map(frames.numeric).all():
            continue
        numbers = sorted(done[axis].unique())
        ends = (numbers[0], numbers[-1])
        lost = diverged[diverged[axis].isin(ends)]
        same = [key for key in axes if key not in (axis, LONG_SKIP)]
        alike, alike_lost = _labels(done, same), _labels(lost, same)
        for (label, kind), group in done.groupby([alike, LONG_SKIP], sort=False):
            if kind != "none":
                joined = {value: group[group[axis] == value] for value in ends}
                gone = lost[(alike_lost == label) & lost[LONG_SKIP].isin((kind, "none"))]
                yield from _change(records, done, joined, words.short(axis), lost=len(gone), level=level)


def _change(
    records: Records,
    done: pd.DataFrame,
    joined: Mapping[float, pd.DataFrame],
    name: str,
    *,
    lost: int,
    level: float,
) -> Iterator[Sentence]:
    """Yield the sentence on the gain at the smallest number called `name` and at the largest, or nothing if
    networks are missing at one of them. `joined` has the trials with a long skip by these numbers.

    `lost` counts the networks that diverged, with a long skip or without.
    """
    sides = [side for trials in joined.values() for side in (trials, _without(done, trials))]
    cells = [side["test_iou"] for side in sides]
    found = statistics.contrast(cells, (-1.0, 1.0, 1.0, -1.0), level=level)
    if found is None:
        return
    gains = (cells[0].mean() - cells[1].mean(), cells[2].mean() - cells[3].mean())
    told = [
        f"{words.points(gain, 1)} points at {name} {value:g}"
        for gain, value in zip(gains, joined, strict=True)
    ]
    more = " or more" if len(set(map(len, cells))) > 1 else ""
    said = (
        f"{told[1]} and {told[0]}, a growth of {words.points(found.value, 1)} points "
        f"{words.interval(found.low, found.high, 1)}, n = {found.n} seeds{more} of each"
    )
    failed = ""
    if lost:
        failed = f"{words.counted(lost, 'network')} of those compared diverged"
    elif any(map(failed_seeds.mixed, sides)):
        failed = "Some seeds failed and others trained"
    also = "; ".join(confounded.of_sides(records, [*joined.values()], confounded.swept(records)))
    first = sides[0].iloc[0]
    subject = f"{first['connection']} with {first[LONG_SKIP]}"
    yield _sentence(subject, said, found, failed, f" The two also differ in {also}." if also else "")


def _sentence(subject: str, said: str, found: Estimate, failed: str, also: str) -> Sentence:
    p = f", {words.p(found.p)}" if found.p is not None else ""
    what = f"{subject}: the long skip's gain in IoU is {said}{p}"
    if failed:
        what += f".{also} {failed}, so nothing rests on this."
        return Sentence(subject, Verdict.SOME_SEEDS_FAIL.value, Tone.OPEN, what)
    judged = _verdict(found)
    told = "whether it grows is undecided" if judged is Verdict.UNDECIDED else f"the {judged}"
    return Sentence.of(subject, judged, f"{what}; {told}.{also}")


def _verdict(found: Estimate) -> Verdict:
    """The verdict on the change of a gain, by the caption's criterion."""
    if not found.decided:
        return Verdict.UNDECIDED
    return Verdict.GAIN_GROWS if found.value > 0 else Verdict.GAIN_SHRINKS
