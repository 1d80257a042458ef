"""Says what cannot be judged from a table of runs, what would be needed, and how the table was read."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from resexp.foreign.columns import ERRORS, MEASURED, MOMENTS, ColumnRoles, words_of
from resexp.foreign.consistency import step_columns
from resexp.foreign.numbers import is_number
from resexp.foreign.runs import ForeignRun, Runs
from resexp.foreign.sheet import Sheet
from resexp.foreign.units import Unit, option
from resexp.plan.status import Status
from resexp.report import words
from resexp.report.statistics import LEAST
from resexp.report.unjudged import APART, apart
from resexp.report.words import listed
from resexp.text import clean

SELECTION = (
    "A table does not say whether runs were left out, whether seeds were added until a difference showed, "
    "whether the best epoch was chosen by the test set, or whether training errors are means over an epoch "
    "in which the network was still changing. The verdicts assume that none of this happened."
)

SETTINGS = {
    *("lr", "learning", "decay", "wd", "momentum", "dropout", "drop", "batch", "optimizer", "optimiser"),
    *("warmup", "schedule", "scheduler", "augmentation", "augment", "smoothing", "mixup", "init", "width"),
    *("epochs", "steps", "iterations", "iters", "set", "size", "resolution"),
}
"""Words in the names of settings. A random search may try a new value in every run."""
OF_VARIANTS = {"dropout", "drop", "init", "width"}
"""Words among these for settings by which variants are often told apart."""
RESULTS = re.compile(r"(summary|summary_metrics|metrics)[./]")
"""What exports of Weights & Biases and MLflow put before the names of results."""


def unjudged(sheet: Sheet, columns: ColumnRoles, found: Runs, chance: bool) -> Iterator[str]:
    """One sentence for each thing that is not judged. `chance`: whether the error of always answering the
    most frequent class is known, for the split by whose errors failed seeds are found.
    """
    done = [run for run in found.runs if run.status is Status.DONE]
    if not done:
        return
    train, test = (any(split in run.errors for run in done) for split in ("train", "test"))
    if not train:
        yield "There is no train error, so degradation is not judged."
    if not test:
        yield "There is no test error, so accuracy and differences in test error are not judged."
    depths = defaultdict(set)
    for run in done:
        depths[run.variant].add(run.depth)
    if all(len(own) == 1 for own in depths.values()):
        yield "No variant has two depths, so the effect of depth is not judged."
    if len(depths) == 1:
        yield "There is one variant, so no connections are compared."
    elif apart(depths):
        yield APART
    most = max(Counter((run.variant, run.depth) for run in done).values())
    if most < LEAST:
        runs = "one run" if most == 1 else f"at most {words.counted(most, 'run')}"
        yield f"Each variant and depth has {runs}, and fewer than three decide nothing."
    if mixed := _mixed_settings(sheet, columns, found.runs):
        yield (
            f"Runs of one variant and depth differ in {listed(mixed)}. Whether they are seeds of one "
            "setting is not judged. If such a column is a setting and not a result, name it with one more "
            f"{sheet.option('variant')}."
        )
    compared = (("depths", _by_depth, SETTINGS), ("variants", _by_variant, SETTINGS - OF_VARIANTS))
    for what, place, settings in compared:
        if differing := _confounded(sheet, columns, found.runs, place, settings):
            yield (
                f"Runs of different {what} also differ in {listed(differing)}, and a difference between "
                f"them may come from that as well as from the {what.removesuffix('s')}."
            )
    yield from _at_other_times(sheet, columns, done)
    if not chance:
        option = f"{sheet.option('chance')}{'' if sheet.python else ' '}0.9"
        some = "Depths at which only some seeds trained"
        untrained = "Networks that did not train, and depths at which only some seeds did,"
        yield (
            f"{untrained if train else some} are not recognised. To recognise them, give the error of "
            f"always answering the most frequent class ({option} for ten equal classes)."
        )


def notes(
    sheet: Sheet, columns: ColumnRoles, found: Runs, counted: Collection[str], asked: Unit | None
) -> Iterator[str]:
    """Notes on how the table was read. `counted` are the splits whose number of examples is known, and
    `asked` is the unit that the user gave.
    """
    if not asked:
        yield from _taken_for_shares(sheet, columns, found)
    if "seed" not in columns.of and any(run.seed for run in found.runs):
        yield (
            "No column has the seeds, so the rows of one variant and depth count as different runs, numbered "
            "in the order of the table."
        )
    for split, places in found.unmeasured.items():
        if places and len(places) < len({(run.variant, run.depth) for run in found.runs}):
            shown = listed([f"{variant} at depth {depth}" for variant, depth in places])
            yield f"The table has no {split} error for {shown}."
    yield from _alike(sheet, found.runs, counted)
    yield from _twice(found.runs)
    if any(run.status is Status.FAILED for run in found.runs):
        yield "A failed run has no errors and enters no mean. It is counted among the lost trials."
    yield SELECTION
    if columns.unused:
        yield f"Columns that are not used: {listed([clean(column) for column in columns.unused], 12)}."


def for_all_sets(found: Runs, given: Mapping[str, float]) -> Iterator[str]:
    """A note if the table has several data sets, and the user gave facts that may hold for one of them alone.
    `given` are these facts by their names in words.
    """
    sets = list(dict.fromkeys(run.data for run in found.runs if run.data))
    if len(sets) > 1 and given:
        told = words.joined([f"{name} {value:g}" for name, value in given.items()])
        yield (
            f"{told} {'is' if len(given) == 1 else 'are'} taken to hold for all data sets of the table: "
            f"{listed(sets)}. If they differ in this, judge each data set by itself."
        )


def _taken_for_shares(sheet: Sheet, columns: ColumnRoles, found: Runs) -> Iterator[str]:
    """A note if errors up to 1 were taken for shares. They could be percent, as on easy data sets.

    Accuracies up to 1 are shares beyond doubt, since networks are better than 1 %.
    """
    splits = [role.removesuffix("_error") for role in columns.of if role in ERRORS and role.endswith("error")]
    errors = [run.errors.get(split) or 0 for run in found.runs for split in splits]
    if found.unit == "share" and (largest := max(errors, default=0)):
        yield (
            f"No error is above 1, so the errors were taken for shares: {largest:g} for "
            f"{100 * largest:.4g}\u00a0%. If they are in percent, say {option(sheet, 'percent')}. If they "
            f"are shares, {option(sheet, 'share')} confirms it."
        )


def _alike(sheet: Sheet, runs: Sequence[ForeignRun], counted: Collection[str]) -> Iterator[str]:
    """Notes on variants and depths at which all runs have the same error, so that intervals have no width."""
    for split in dict.fromkeys(split for run in runs for split in run.errors):
        cells: dict[tuple[str, int], list[ForeignRun]] = defaultdict(list)
        for run in runs:
            if split in run.errors:
                cells[run.variant, run.depth].append(run)
        same = {
            f"{variant} at depth {depth}": here[0].errors[split]
            for (variant, depth), here in cells.items()
            if len(here) > 1 and len({run.errors[split] for run in here}) == 1
        }
        if copies := [place for place, value in same.items() if value]:
            yield (
                f"All runs of {listed(copies)} have the same {split} error. If they are copies of one run, "
                "or were rounded to the same number, the intervals are too narrow."
            )
        perfect = [place for place, value in same.items() if not value]
        if perfect and split not in counted:
            yield (
                f"No run of {listed(perfect)} has a {split} error above 0. Unless "
                f"{sheet.option(f'{split}_examples')} gives the number of examples, the error is taken to be "
                "exactly 0."
            )


def _twice(runs: Sequence[ForeignRun]) -> Iterator[str]:
    """Notes on variants and depths whose runs have the same errors as those of another, but not all alike."""
    cells: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        if run.errors:
            cells[f"{run.variant} at depth {run.depth}"].append(repr(sorted(run.errors.items())))
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for place, errors in cells.items():
        if len(set(errors)) > 1:
            places[tuple(sorted(errors))].append(place)
    for same in places.values():
        if len(same) > 1:
            yield f"{listed(same)} have the same errors. If their runs are the same, nothing is compared."


def _measured(column: str) -> bool:
    """Whether a column's name says that it has results or moments, and no setting."""
    return bool(words_of(column) & (MOMENTS | MEASURED) or RESULTS.match(column.strip()))


def _mixed_settings(sheet: Sheet, columns: ColumnRoles, runs: Sequence[ForeignRun]) -> list[str]:
    """Columns of settings that differ among the runs that count as seeds of one variant and depth."""
    cells: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        cells[run.variant, run.depth].append(sheet.rows[run.row - 1].cells)
    mixed = []
    for column in columns.unused:
        if _measured(column):
            continue
        counts = Counter(repr(row.cells.get(column)) for row in sheet.rows)
        differing = [here for here in cells.values() if len({repr(cells.get(column)) for cells in here}) > 1]
        # Most settings have few values, each in several runs. Results and names differ in almost every run.
        if differing and (words_of(column) & SETTINGS or len(counts) <= len(runs) / 2):
            mixed.append(clean(column))
    return mixed


def _by_depth(run: ForeignRun) -> tuple[str, int]:
    return run.variant, run.depth


def _by_variant(run: ForeignRun) -> tuple[tuple[int, str | None], str]:
    # Variants on different data are not compared.
    return (run.depth, run.data), run.variant


def _confounded(
    sheet: Sheet,
    columns: ColumnRoles,
    runs: Sequence[ForeignRun],
    place: Callable[[ForeignRun], tuple[Any, Any]],
    settings: Collection[str],
) -> list[str]:
    """Columns of which two places that are compared have one value each, and not the same. Only columns with
    a word of `settings` in their names are looked at. Places are compared if their first parts are equal.
    """
    differing = []
    for column in columns.unused:
        if words_of(column).isdisjoint(settings) or _measured(column):
            continue
        values: dict[Any, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
        for run in runs:
            first, second = place(run)
            values[first][second].add(repr(sheet.rows[run.row - 1].cells.get(column)))
        single = [[own for own in places.values() if len(own) == 1] for places in values.values()]
        if any(len(set().union(*places)) > 1 for places in single):
            differing.append(clean(column))
    return differing


def _at_other_times(sheet: Sheet, columns: ColumnRoles, done: Sequence[ForeignRun]) -> Iterator[str]:
    """A sentence if runs on one data set were measured at different times, by a column such as `epoch`."""
    differing = []
    for column in step_columns(columns):
        moments: dict[str | None, set[str | float]] = defaultdict(set)
        for run in done:
            if (cell := sheet.rows[run.row - 1].cells.get(column)) is not None:
                moments[run.data].add(float(cell) if is_number(cell) else repr(cell))
        if any(len(own) > 1 for own in moments.values()):
            differing.append(clean(column))
    if differing:
        yield (
            f"Runs were measured at different times of training, by {listed(differing)}, and a difference "
            "between them may come from that."
        )
