"""Whether variants differ from the baseline by more than noise, by tests corrected for their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from resexp.plan.status import Status
from resexp.report import (
    baseline,
    corrections,
    failed_seeds,
    frames,
    naming,
    neither,
    pairs,
    splits,
    statistics,
    words,
)
from resexp.report.confounded import of_variants, told_of_variants
from resexp.report.naming import Measure
from resexp.report.table import Column, Row, Sentence, Table, as_given, estimate_cells, number, places, text
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 25
LEADS = True
MEASURES = {"test_error": "test", "train_error": "train"}
PROTOCOL = " of the last epoch"
CAPTION = (
    f"{{Error}}{PROTOCOL} minus that of the baseline at the same depth, in percentage points, over n seeds "
    "of each; negative is better. The baseline is {baseline}. The brackets hold the difference's 95 % "
    "interval by Student's t (unequal variances, unpaired seeds). The p is that of the same test, after "
    "Holm's correction for all comparisons of one {error} at one depth{on}. The verdict is “lower” or "
    "“higher” if the corrected p is at most 0.05, and “only before correction” if only the uncorrected p is "
    "that small. Otherwise it is “equivalent” if the interval lies within 1 point of 0 on both sides, and "
    "“undecided” if it does not. If networks diverged, the difference has no size, and p and verdict rest "
    "on how many diverged on each side (Barnard's exact test). Fewer than three seeds decide nothing."
)
UNEQUAL = " If the two sides have different numbers of seeds, n is the smaller one."


def table(records: Records) -> Table | None:
    """Rows: variant x depth x error, without the baseline. None if nothing can be compared."""
    ended = frames.ended(records.trials)
    if not frames.trained(records):
        return None
    found: list[tuple[str, list[dict[str, Any]]]] = []
    sentences: list[Sentence] = []
    why, also, without = "", "", list[str]()
    level, measure = statistics.level_of(records), naming.measure_of(records)
    for trials in frames.by_test_data(records, ended):
        without += baseline.lacking(trials)
        if chosen := baseline.chosen(trials):
            name, why = chosen
            why = why.replace("in the plan", "in the table of runs") if records.foreign else why
            own = [
                row
                for depth in sorted(int(d) for d in trials["depth"].unique())
                for error in MEASURES
                if frames.done(trials)[error].notna().any()
                for row in _family(trials[trials["depth"] == depth], name, depth, error, level)
            ]
            found.append((name, own))
            also += of_variants(records, trials, name)
            depth = frames.common_depth(trials)
            here = trials[trials["depth"] == depth]
            sentences += told_of_variants(records, here, name, _sentences(name, own, depth, measure))
    rows = [row for _, own in found for row in own]
    if all(row["verdict"] is Verdict.NOT_COMPARABLE for row in rows):
        return None
    order = {variant: place for place, variant in enumerate(ended["variant"].cat.categories)}
    rows.sort(key=lambda row: (order[row["variant"]], row["depth"]))
    columns = (
        *places(text("error", measure.title)),
        Column("Difference", _difference),
        number("p_holm", "p (Holm)", words.probability),
        text("verdict", "Verdict"),
    )
    baselines = list(dict.fromkeys(name for name, _ in found))
    names = words.joined(baselines)
    each = "" if len(baselines) == 1 else " each of the variants on the same data,"
    said = f"{names},{each} {why}"
    if without:
        also += f" Not compared, because the baseline has no trial there: {words.listed(without)}."
    caption = _caption(records, rows, said, also, several=len(found) > 1)
    return Table("comparisons", f"Compared with {names}", caption, columns, tuple(rows), tuple(sentences))


def _caption(records: Records, rows: Sequence[Row], baseline: str, also: str, *, several: bool) -> str:
    """The table's caption. `also` says what is particular to these variants. `several`: whether they were
    trained on several data sets.
    """
    on = " and on one data set" if several else ""
    caption = as_given(records, CAPTION, PROTOCOL).replace("{baseline}", baseline).replace("{on}", on)
    if any(len({sum(side) for side in zip(row["seeds"], row["diverged"], strict=True)}) > 1 for row in rows):
        caption += UNEQUAL
    caption = f"{caption}{also} {splits.caption(records)}"
    if any(row["verdict"] is Verdict.SOME_SEEDS_FAIL for row in rows):
        train = frames.done(records.trials)["train_error"].notna().any()
        rule = failed_seeds.RULE if train else failed_seeds.RULE.replace("training {error}", "test {error}")
        caption += f" {naming.measure_of(records).said(rule)}"
    return caption


def _difference(row: Row) -> str:
    if any(row["diverged"]):
        return f"{_diverged(row)} diverged"
    digits = words.decimals(row["low"], row["high"], 1 if abs(row["difference"] or 0) >= 0.1 else 2)
    shown = words.points(row["difference"], digits)
    interval = words.interval(row["low"], row["high"], digits)
    return shown if interval == words.DASH else f"{shown} {interval}"


def _family(trials: pd.DataFrame, name: str, depth: int, error: str, level: float) -> list[dict[str, Any]]:
    """The rows for one depth and error, one per variant, with Holm's correction over them."""
    groups = dict(frames.by_variant(trials))
    if name not in groups:
        return []
    split = MEASURES[error]
    # Variants may be trained on sets of different sizes.
    examples = {variant: frames.examples(group, split) for variant, group in groups.items()}
    values = {variant: _values(group, error) for variant, group in groups.items()}
    mixed = {variant for variant, group in groups.items() if failed_seeds.mixed(group)}
    overlap = splits.overlap(trials, error)

    def compared(variant: str) -> pairs.Evidence:
        both = values[name], values[variant]
        return pairs.evidence(
            [both],
            lambda: statistics.contrast(
                both, [-1, 1], examples=[examples[name], examples[variant]], overlap=overlap, level=level
            ),
            mixed=not mixed.isdisjoint((name, variant)),
        )

    found = {variant: compared(variant) for variant in groups if variant != name}
    adjusted = corrections.holm([each.p for each in found.values()])
    family = sum(p is not None for p in adjusted)
    narrow = {variant: failed_seeds.one_class(group, split) for variant, group in groups.items()}
    rows = []
    for (variant, each), p_holm in zip(found.items(), adjusted, strict=True):
        verdict = pairs.compared(each, p_holm, level)
        verdict = pairs.unless_one_class(verdict, each.sign, (narrow[name], narrow[variant]))
        both = groups[variant], groups[name]
        rows.append(
            {
                "variant": variant,
                "depth": depth,
                "error": split,
                "n": each.n,
                "seeds": [int(np.isfinite(values[v]).sum()) for v in (variant, name)],
                "diverged": [int(np.isinf(values[v]).sum()) for v in (variant, name)],
                "lost": [len(group) - len(frames.done(group)) for group in both],
                **estimate_cells(each, "difference", "low", "high", "p"),
                "p_holm": p_holm,
                "verdict": verdict,
                "family": family,
            }
        )
    return rows


def _values(trials: pd.DataFrame, error: str) -> pairs.Cell:
    """The errors of the trials of one variant and depth. Those of diverged trials are infinite."""
    known = statistics.numbers(frames.done(trials)[error])
    diverged = np.full((trials["status"] == Status.DIVERGED).sum(), np.inf)
    return pd.Series(np.concatenate([known, diverged]))


def _sentences(
    name: str, rows: list[dict[str, Any]], depth: int | None, measure: Measure
) -> Iterator[Sentence]:
    """Sentences on test errors at the deepest common depth of the variants on the same data.

    Each variant that differs from the baseline has a sentence. For each of the remaining verdicts, one
    sentence lists its variants.
    """
    here = [row for row in rows if row["depth"] == depth and row["error"] == "test"]
    for row in here:
        if row["verdict"] in (Verdict.LOWER, Verdict.HIGHER):
            yield Sentence.of(row["variant"], row["verdict"], _finding(name, row, measure))
    lost = [row for row in here if any(row["diverged"]) and row["verdict"] in neither.OF_DIVERGED]
    rest = [row for row in here if row not in lost]
    for some, told in ((rest, neither.SAID), (lost, neither.OF_DIVERGED)):
        for judged, what in told.items():
            if found := [row for row in some if row["verdict"] is judged]:
                subject = words.listed([row["variant"] for row in found])
                said = f"{measure.said(what).format(name=name)}{_without(found, name)}"
                # A failure leaves open which network errs less, so this is not bad news.
                yield Sentence(subject, judged.value, Tone.OPEN, f"{subject} at depth {depth}: {said}.")


def _finding(name: str, row: dict[str, Any], measure: Measure) -> str:
    after = f"{words.p(row['p_holm'])} after correction for {words.counted(row['family'], 'comparison')}"
    here = f"{row['variant']} at depth {row['depth']}"
    if any(row["diverged"]):
        side = "fewer" if row["verdict"] is Verdict.LOWER else "more"
        return f"{here}: {side} networks diverge than in {name}, {_diverged(row)}, {after}."
    sign = -1 if row["verdict"] is Verdict.LOWER else 1
    size, *ends = (sign * row[key] for key in ("difference", "low", "high"))
    low, high = sorted(ends)
    digits = words.decimals(low, high, 2)
    return (
        f"{here}: the test {measure.name} is {row['verdict']} than that of {name}, "
        f"by {words.percent(size, digits)} points {words.interval(low, high, digits)}, "
        f"{_seeds(row)}, {after}{_without([row], name)}."
    )


def _diverged(row: Row) -> str:
    """How many networks of the variant and of the baseline diverged: `3 of 5 against 0 of 5`."""
    sides = zip(row["diverged"], row["seeds"], strict=True)
    return " against ".join(f"{lost} of {lost + done}" for lost, done in sides)


def _seeds(row: Row) -> str:
    mine, other = row["seeds"]
    return f"n = {mine} seeds of each" if mine == other else f"n = {mine} and {other} seeds"


def _without(rows: list[dict[str, Any]], name: str) -> str:
    """Clauses that count the trials without an error in these rows; "" if there are none."""
    failed: dict[str, int] = {}
    diverged: dict[str, int] = {}
    for row in rows:
        sides = zip((row["variant"], name), row["lost"], row["diverged"], strict=True)
        for variant, lost, of_which_diverged in sides:
            failed[variant], diverged[variant] = lost - of_which_diverged, of_which_diverged
    return _clause("without {} that failed", failed) + _clause("counting {} that diverged", diverged)


def _clause(said: str, trials: dict[str, int]) -> str:
    """A clause on the variants' numbers of trials; "" if all are 0."""
    counted = [f"{words.counted(n, 'trial')} of {variant}" for variant, n in trials.items() if n]
    return f", {said.format(words.listed(counted))}" if counted else ""
