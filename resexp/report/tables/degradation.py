"""Does depth hurt training? Train error by connection and depth, and D(L)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.report import frames, statistics, words
from resexp.report.table import Column, Row, Sentence, Table, Tone, places, spread

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 10
MEASURED = (
    "Training error of the last epoch, in eval mode and without augmentation; mean ± standard deviation "
    "over n seeds."
)
CAPTION = (
    f"{MEASURED} D(L) is the mean training error at depth L minus the least mean training error of "
    "any shallower depth, in percentage points, with a 95 % percentile bootstrap interval over paired "
    "seeds. The verdict is about the deepest depth that finished: does not degrade, if the interval "
    "lies below 1 point; undecided, if it reaches from 0 or less to 1 point or more; degrades slightly, "
    "if it lies above 0 but D is under 1 point; degrades, if D is more. Of few seeds such an interval "
    "is narrower than the truth. Where no trial of a greater depth finished, the verdict is that."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None before any trial has ended, and where no training error was measured."""
    ended = frames.ended(records.trials)
    done = frames.done(ended)
    unmeasured = not done.empty and done["train_error"].isna().all()
    if ended.empty or unmeasured or not frames.trained(records):
        return None
    rows: list[Row] = []
    sentences: list[Sentence] = []
    for variant, group in frames.by_variant(ended):
        mine = _rows(variant, group)
        rows += mine
        sentences += _sentences(variant, mine)
    lost = Column("Lost", lambda r: words.whole(r["lost"]) if r["lost"] else "")
    gaps = (
        Column("D(L)", lambda r: words.points(r["gap"]), "points"),
        Column("95 % interval", lambda r: words.interval(r["gap_low"], r["gap_high"])),
    )
    compared = any(row["gap"] is not None for row in rows)
    columns = (
        *places(),
        *((lost,) if any(row["lost"] for row in rows) else ()),
        spread("train_error", "Train error"),
        *(gaps if compared else ()),
    )
    title, caption = ("Degradation", CAPTION) if compared else ("Training error", MEASURED)
    return Table("degradation", title, caption, columns, tuple(rows), tuple(sentences))


def _rows(variant: str, group: pd.DataFrame) -> list[dict[str, Any]]:
    measured = frames.done(group).dropna(subset=["train_error"])
    errors = measured.groupby(["seed", "depth"])["train_error"].mean().unstack("depth")
    rows = []
    for _, depth, place in frames.by_place(group):
        stats = statistics.summary(place.loc[place["status"] == "done", "train_error"])
        gap = statistics.degradation(errors, depth) if depth in errors else None
        rows.append(
            {
                "connection": str(place["connection"].iloc[0]),
                "variant": variant,
                "depth": depth,
                "n": stats.n,
                "lost": int((place["status"] != "done").sum()),
                "diverged": int((place["status"] == "diverged").sum()),
                "train_error_mean": stats.mean,
                "train_error_sd": stats.sd,
                "gap": gap.gap if gap else None,
                "gap_low": gap.low if gap else None,
                "gap_high": gap.high if gap else None,
                "reference": gap.reference if gap else None,
                "pairs": gap.pairs if gap else None,
            }
        )
    return rows


def _sentences(variant: str, rows: list[dict[str, Any]]) -> Iterator[Sentence]:
    """What depth did to one variant; nothing where it has one depth and lost no trial."""
    lost = _lost(rows)
    trained = [row for row in rows if row["n"]]
    if not trained:
        if lost:
            yield Sentence(variant, "nothing finished", "bad", f"{variant} has no finished trial{lost}.")
        return
    deep = trained[-1]
    seen, badge, tone, why = _seen(deep, rows)
    if beyond := [row for row in rows if row["depth"] > deep["depth"] and row["lost"]]:
        diverged = all(row["diverged"] == row["lost"] for row in beyond)
        badge, tone = ("diverges", "bad") if diverged else ("not finished", "open")
        says = "diverges" if diverged else "has no finished trial"
        said = f"{variant} {says} beyond depth {deep['depth']}{lost}; {seen}."
        yield Sentence(variant, badge, tone, said)
    elif deep["gap"] is None:
        if lost:
            yield Sentence(variant, "trials lost", "open", f"{variant}: {seen}{lost}.")
    else:
        says = "is undecided" if badge in ("undecided", "single seed") else badge
        yield Sentence(variant, badge, tone, f"{variant} {says}: {seen}{why}{lost}.")


def _seen(deep: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[str, str, Tone, str]:
    """What was measured at a variant's deepest finished depth, and the verdict on it, with its reason."""
    seen = f"at depth {deep['depth']} its training error is {_brief(deep['train_error_mean'])}\u00a0%"
    if deep["gap"] is None:
        return f"{seen}, n = {deep['n']}", "one depth", "open", ""
    reference = next(row for row in rows if row["depth"] == deep["reference"])
    # One precision a sentence: a small gap and the ends of its interval must be told apart.
    digits = 1 if abs(deep["gap"]) >= statistics.MARGIN else 2
    gap, low, high = (words.fixed(_points(deep[key]), digits) for key in ("gap", "gap_low", "gap_high"))
    seen += (
        f" against {_brief(reference['train_error_mean'])}\u00a0% at depth {reference['depth']}, a gap of "
        f"{'+' if deep['gap'] > 0 else ''}{gap} points"
    )
    if deep["gap_low"] is None:
        return f"{seen}, from a single paired seed, so without an interval", "single seed", "open", ""
    return f"{seen} [{low}, {high}], n = {deep['pairs']}", *verdict(
        deep["gap"], deep["gap_low"], deep["gap_high"]
    )


def verdict(gap: float, low: float, high: float) -> tuple[str, Tone, str]:
    """The criterion of the caption: what is said of a gap (a fraction), in which tone, and why."""
    if high < statistics.MARGIN:
        return "does not degrade", "good", ""
    if low <= 0:
        return "undecided", "open", "; the interval includes 0"
    if gap < statistics.MARGIN:
        return "degrades slightly", "open", "; the gap is under 1 point"
    return "degrades", "bad", ""


def _lost(rows: list[dict[str, Any]]) -> str:
    parts = []
    for row in rows:
        if row["lost"]:
            how = {0: "failed", row["lost"]: "diverged"}.get(row["diverged"], "failed or diverged")
            parts.append(f"{row['lost']} of {row['lost'] + row['n']} {how} at depth {row['depth']}")
    return f" ({'; '.join(parts)})" if parts else ""


def _points(gap: float | None) -> float | None:
    return None if gap is None else 100 * gap


def _brief(fraction: float) -> str:
    """A fraction in percent, with one decimal, or two below 1 percent."""
    return words.percent(fraction, 1 if fraction >= 0.01 else 2)
