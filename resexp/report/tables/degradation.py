"""Whether depth hurts training: the training error by variant and depth, and the degradation D(L).

D(L) is the mean training error at depth L minus the least mean at any shallower depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import pandas as pd

from resexp.plan.status import Status
from resexp.report import (
    confounded,
    depth_caption,
    depth_clauses,
    failed_seeds,
    frames,
    naming,
    splits,
    statistics,
    words,
)
from resexp.report.naming import Measure
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

ORDER = 10
LEADS = True
TRAINED = 0.05
"""A network has trained if its training error is at least this much lower than the error of always answering
the most frequent class. If the latter is below 10 %, `OF_CHANCE` times the latter is enough.
"""
OF_CHANCE = 0.5


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None before any trial has ended, if no network was trained, or if training
    errors were not measured.
    """
    ended = frames.ended(records.trials)
    done = frames.done(ended)
    unmeasured = not done.empty and done["train_error"].isna().all()
    if ended.empty or unmeasured or not frames.trained(records):
        return None
    rows: list[Row] = []
    sentences: list[Sentence] = []
    measure = naming.measure_of(records)
    for variant, group in frames.by_variant(ended):
        mine = _rows(variant, group, statistics.level_of(records))
        said = tuple(_sentences(variant, mine, measure))
        if said:  # the badge goes into the row of the deepest depth at which a trial finished
            deepest = max(mine, key=lambda row: (row["n"] > 0, row["depth"]))
            deepest["verdict"] = said[0].badge
        rows += mine
        sentences += confounded.told(records, group, said)
    compared = any(row["gap"] is not None for row in rows)
    columns = (
        *places(),
        *lost_column(rows),
        spread("train_error", f"Train {measure.name}"),
        *(estimate("gap", "D(L)", unit="points") if compared else ()),
    )
    title = "Degradation" if compared else f"Training {measure.name}"
    rare = any(row["chance"] is not None and row["chance"] < TRAINED / OF_CHANCE for row in rows)
    caption = depth_caption.of(records, rows, rare=rare)
    return Table("degradation", title, caption, columns, tuple(rows), tuple(sentences))


def _rows(variant: str, group: pd.DataFrame, level: float) -> list[dict[str, Any]]:
    places = {depth: place for _, depth, place in frames.by_depth(group)}
    chances = {d: frames.chance(place, "train") for d, place in places.items()}  # depths may differ in data
    examples = {d: frames.examples(place, "train") for d, place in places.items()}
    measured = frames.done(group).dropna(subset=["train_error"])
    errors = {depth: cell["train_error"].to_numpy(float) for _, depth, cell in frames.by_depth(measured)}
    diverged = {d: int((place["status"] == Status.DIVERGED).sum()) for d, place in places.items()}
    known = [d for d in errors if chances[d] is not None or diverged[d]]
    found = {d: failed_seeds.failures(errors[d], chances[d], diverged[d]) for d in known}
    whole = {depth: x for depth, x in errors.items() if not ((f := found.get(depth)) and f.mixed)}
    overlap = splits.overlap(group, "train_error")
    deepest = max(errors, default=0)
    middle = max(1, sum(depth != deepest for depth in whole) - 1)  # the shallowest is compared with none
    rows = []
    for depth, place in places.items():
        gap = sure = None
        if depth in whole:
            gap, sure = (
                statistics.degradation(whole, depth, examples=examples, overlap=overlap, level=own)
                for own in (level, 1 - (1 - level) / middle)
            )
        failures = found.get(depth)
        rows.append(
            {
                "connection": str(place["connection"].iloc[0]),
                "variant": variant,
                "depth": depth,
                "n": len(errors.get(depth, ())),
                "chance": chances[depth],
                "ended": len(place),
                "lost": int((place["status"] != Status.DONE).sum()),
                "diverged": diverged[depth],
                **spread_cells("train_error", errors.get(depth, ())),
                **estimate_cells(gap, "gap", "gap_low", "gap_high"),
                "reference": gap.reference if gap else None,
                "omitted": gap.omitted if gap else None,
                "seeds": gap.n if gap else None,
                "failed": failures.failed if failures else None,
                "failed_low": failures.low if failures else None,
                "failed_high": failures.high if failures else None,
                "mixed": bool(failures and failures.mixed),
                "worse": _degrades(sure),
                "one_class": failed_seeds.one_class(place, "train"),
                "verdict": None,
                "errors": failures.errors if failures and failures.mixed else None,  # of all seeds, ascending
            }
        )
    return rows


def _sentences(variant: str, rows: list[dict[str, Any]], measure: Measure) -> Iterator[Sentence]:
    """The sentence on the effect of depth on one variant, if there is one.

    A variant with a single depth has a sentence only if it did not train, or if some of its trials diverged
    or failed.
    """
    lost = depth_clauses.lost(rows)
    trained = [row for row in rows if row["n"]]
    if not trained:
        if all(row["lost"] == row["ended"] for row in rows):
            yield Sentence.of(variant, Verdict.NOTHING_FINISHED, f"{variant} has no finished trial{lost}.")
        elif lost:
            said = f"{variant} has no training {measure.name}{lost}."
            yield Sentence.of(variant, Verdict.TRIALS_LOST, said)
        return
    if all(row["train_error_mean"] > bound(row["chance"]) for row in trained):
        least = min(trained, key=lambda row: row["train_error_mean"])
        best, n = least["train_error_mean"], least["n"]
        chances = words.joined([*dict.fromkeys(words.percent(row["chance"], 1) for row in trained)])
        highest = min(bound(row["chance"]) for row in trained)
        near = f", more than the {words.brief(highest)}\u00a0% up to which networks count as trained"
        said = (
            f"{variant} did not train: its least mean training {measure.name} at any depth is "
            f"{words.brief(best)}\u00a0%{f' (n = {n})' if n < statistics.LEAST else ''}"
            f"{near if any(best < row['chance'] for row in trained) else ''}, "
            f"and {measure.said('{blind} {errs}')} {chances}\u00a0%"
            f"{depth_clauses.one_class(trained)}{lost}."
        )
        yield Sentence.of(variant, Verdict.DID_NOT_TRAIN, said)
        return
    yield from _of_trained(variant, trained, rows, measure)


def _of_trained(
    variant: str, trained: list[dict[str, Any]], rows: list[dict[str, Any]], measure: Measure
) -> Iterator[Sentence]:
    deep = trained[-1]
    # What is said of failed seeds at a depth names those that diverged there.
    lost = depth_clauses.lost([r for r in rows if not (r["mixed"] and r["lost"] == r["diverged"])])
    seen, judged, why = _seen(deep, rows, measure)
    seen += depth_clauses.one_class(trained)
    if deep["one_class"] and judged.tone is Tone.GOOD:
        judged = Verdict.ONE_CLASS
    mixed = [row for row in trained[:-1] if row["mixed"]]
    worse = [row for row in trained[:-1] if judged is not Verdict.DEGRADES and row["worse"]]
    if judged in (Verdict.DOES_NOT_DEGRADE, Verdict.ONE_DEPTH) and (mixed or worse):
        judged = Verdict.SOME_SEEDS_FAIL if mixed else Verdict.DEGRADES_BETWEEN
    more = depth_clauses.elsewhere(mixed, worse, measure)
    if beyond := [row for row in rows if row["depth"] > deep["depth"] and row["lost"] == row["ended"]]:
        diverged = all(row["diverged"] == row["lost"] for row in beyond)
        judged = Verdict.DIVERGES if diverged else Verdict.NOT_FINISHED
        says = "diverges" if diverged else "has no finished trial"
        said = f"{variant} {says} beyond depth {deep['depth']}{lost}; {seen}{more}."
        yield Sentence.of(variant, judged, said)
    elif judged is Verdict.ONE_DEPTH:
        if lost:
            yield Sentence.of(variant, Verdict.TRIALS_LOST, f"{variant}: {seen}{lost}.")
    else:
        says = "is undecided" if judged.more_seeds_may_decide else judged
        says = "has failed seeds" if judged is Verdict.SOME_SEEDS_FAIL else says
        yield Sentence.of(variant, judged, f"{variant} {says}: {seen}{why}{more}{lost}.")


def _seen(deep: dict[str, Any], rows: list[dict[str, Any]], measure: Measure) -> tuple[str, Verdict, str]:
    """The measurement at a variant's deepest finished depth as text, the verdict, and the reason for it."""
    if deep["mixed"]:
        seen = failed_seeds.described(deep, measure)
        return seen, Verdict.SOME_SEEDS_FAIL, ", so no verdict rests on their mean"
    mean = words.brief(deep["train_error_mean"])
    seen = f"at depth {deep['depth']} its training {measure.name} is {mean}\u00a0%"
    if deep["gap"] is None:
        return f"{seen}, n = {deep['n']}", Verdict.ONE_DEPTH, ""
    reference = next(row for row in rows if row["depth"] == deep["reference"])
    gap, interval = depth_clauses.gap(deep)
    seen += (
        f" against {words.brief(reference['train_error_mean'])}\u00a0% at depth {reference['depth']}, {gap}"
    )
    n = f"n = {deep['seeds']}"
    if deep["gap_low"] is None:
        why = ", and three seeds are the fewest that decide anything"
        return f"{seen}, {n}", Verdict.TOO_FEW_SEEDS, why
    judged, why = verdict(deep["gap"], deep["gap_low"], deep["gap_high"])
    if left_out := next((row for row in rows if row["depth"] == deep["omitted"]), None):
        why += depth_clauses.left_out(left_out)
        apart = deep["train_error_mean"] - left_out["train_error_mean"]
        if judged is Verdict.DOES_NOT_DEGRADE and apart >= depth_clauses.LEAST_GAP:
            judged = Verdict.TOO_FEW_SEEDS
    return f"{seen}{interval}, {n}", judged, why


def verdict(gap: float, low: float, high: float) -> tuple[Verdict, str]:
    """The verdict on a gap (a fraction) by the caption's criterion, and the reason for it."""
    if low > 0 and gap >= depth_clauses.LEAST_GAP:
        return Verdict.DEGRADES, ""
    if high < depth_clauses.LEAST_GAP:
        return Verdict.DOES_NOT_DEGRADE, ""
    if low > 0:
        return Verdict.DEGRADES_SLIGHTLY, "; the gap is under 1 point"
    return Verdict.UNDECIDED, "; the interval includes 0"


def _degrades(gap: statistics.Gap | None) -> bool:
    if gap is None or gap.low is None or gap.high is None:
        return False
    return verdict(gap.value, gap.low, gap.high)[0] is Verdict.DEGRADES


def bound(chance: float | None) -> float:
    """The highest training error of a network that counts as trained; infinite if `chance` is not known."""
    return inf if chance is None else chance - min(TRAINED, OF_CHANCE * chance)
