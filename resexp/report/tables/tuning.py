"""Which values of the tuned options were tried and chosen, and how much the choice matters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from resexp.report import frames, naming, words
from resexp.report.frames import ReportRecords
from resexp.report.naming import Measure
from resexp.report.table import (
    Column,
    Row,
    Sentence,
    Table,
    integer,
    places,
    plain_spread,
    spread,
    spread_cells,
    text,
)
from resexp.report.verdict import Tone

ORDER = 17
CAPTION = (
    "Every value tried, for each variant and depth. The chosen value has the lowest mean {error} on the "
    "validation set, which is taken from the training set. A lost trial is one that diverged or failed. It "
    "counts as {worst} in that mean, so that no value profits from losing seeds. Test {errors} "
    "are shown but take no part in the choice. All other tables and figures show the chosen values only, "
    "except the table of trials without a result. {Errors} are mean ± standard deviation over the n seeds "
    "that finished. A chosen value is at the edge if it is the smallest or largest value tried, so a better "
    "one may lie beyond. All other tables show the seeds by which the value was chosen. The least of several "
    "{errors} is lower than new seeds would have it, most of all if many values are equally good. D(L) "
    "may therefore be too small if the deep networks vary more."
)


def table(records: ReportRecords) -> Table | None:
    """Rows: variant x depth x tuned values. None if nothing is tuned."""
    keys = records.tuned
    measure, kind = _measure(records)
    places_tried = frames.by_depth(records.tried)
    rows = [row for place in places_tried for row in _rows(place, keys, kind)] if keys else []
    if not rows:
        return None
    shown = spread if kind == "error" else partial(plain_spread, digits=3)
    worst = "{an_error} of 100 %" if kind == "error" else "an infinite loss"
    columns = (
        *places(*(text(key, words.short(key)) for key in keys)),
        integer("lost", "Lost"),
        shown(f"validation_{kind}", f"Validation {measure.name}"),
        shown(f"test_{kind}", f"Test {measure.name}"),
        Column("", _mark, numeric=False),
    )
    count, left = len(records.tried), len(records.tried) - len(frames.ended(records.tried))
    kept = f"Of {words.counted(count, 'trial')}, {len(records.trials)} are at the chosen values."
    if left:
        kept += f" {left} of the {count} {'has' if left == 1 else 'have'} not ended, so this may change."
    sentences = (Sentence("", "chosen", Tone.OPEN, kept), *_edges(rows))
    return Table(
        "tuning",
        "Tuned options",
        measure.said(CAPTION.replace("{worst}", worst)),
        columns,
        tuple(rows),
        sentences,
    )


def _measure(records: ReportRecords) -> tuple[Measure, str]:
    """The measure by which values were chosen, and whether it is the "error" or the "loss" of a split."""
    kind = frames.judged_by(records.tried).removeprefix("validation_")
    return naming.measure_of(records) if kind == "error" else Measure(kind), kind


def _rows(place: frames.DepthGroup, keys: tuple[str, ...], kind: str) -> list[dict[str, Any]]:
    variant, depth, trials = place
    selected = trials["chosen"].nunique() > 1  # False if there is one value or no result
    rows: list[dict[str, Any]] = []
    for values, group in frames.candidates(trials, keys):
        done = frames.done(group)
        row = frames.row_keys(frames.DepthGroup(variant, depth, group))
        row |= {key: words.choice(value) for key, value in zip(keys, values, strict=True)}
        row |= {"n": len(done), "lost": len(frames.ended(group)) - len(done)}
        for split in ("validation", "test"):
            row |= spread_cells(f"{split}_{kind}", done[f"{split}_{kind}"])
        row["chosen"] = selected and bool(group["chosen"].all())
        edges = [key for key, value in zip(keys, values, strict=True) if _at_edge(trials[key], value)]
        rows.append({**row, "edges": edges if row["chosen"] else []})
    return rows


def _at_edge(tried: pd.Series[Any], value: Any) -> bool:
    """Whether a number is the smallest or largest of at least two. Values that are words have no edge."""
    found = [other for other in tried if frames.numeric(other)]
    return len(set(found)) > 1 and len(found) == len(tried) and value in (min(found), max(found))


def _mark(row: Row) -> str:
    if row["edges"]:
        return f"chosen, at the edge of {words.joined([words.short(key) for key in row['edges']])}"
    return "chosen" if row["chosen"] else ""


def _edges(rows: list[dict[str, Any]]) -> Iterator[Sentence]:
    """One sentence per variant and value at the edge, for all depths together."""
    depths: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for key in row["edges"]:
            value = f"{words.short(key)} {row[key]}"
            depths.setdefault((row["variant"], value), []).append(str(row["depth"]))
    for (variant, value), at in depths.items():
        what = (
            f"{variant} at depth {words.joined(at)}: {value} is at the edge of the values tried, so a better "
            "one may lie beyond."
        )
        yield Sentence(variant, "grid's edge", Tone.OPEN, what)


def choices(records: ReportRecords) -> Iterator[tuple[str, str]]:
    """For each tuned option, a title and the values that it was chosen from. Where a rule of the
    configuration left one value, nothing was chosen, and the text says so.
    """
    name = _measure(records)[0].name
    places = [(f"{v} at depth {d}", trials) for v, d, trials in frames.by_depth(records.tried)]
    for key in records.tuned:
        values = [(place, trials[key].map(words.choice)) for place, trials in places]
        several = [own for _, own in values if own.nunique() > 1] or [own for _, own in values]
        tried = list(dict.fromkeys(value for own in several for value in own))
        said = f"chosen by validation {name} from {words.listed(tried, most=12)}"
        single = [f"{own.iloc[0]} for {place}" for place, own in values if own.nunique() == 1]
        if single and len(single) < len(values):
            said += f"; not chosen, because no other was tried: {words.listed(single)}"
        yield f"Tuned: {key}", said
