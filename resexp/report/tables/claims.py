"""The table of claims: whether what a paper states holds here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from resexp.config.grid import DEPTH
from resexp.config.metrics import curve
from resexp.config.published import Claim, Published
from resexp.report import (
    naming,
    ordering,
    protocol,
    references,
    registration,
    seed_pairs,
    sides,
    splits,
    words,
)
from resexp.report.confounded import about
from resexp.report.table import Column, Row, Sentence, Table, integer, text
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 5
CAPTION = (
    "The difference that the paper states, and the same difference measured here over at least n seeds per "
    "side, with its 95 % interval by Student's t (unequal variances, unpaired seeds). Each kind of claim "
    "has its rule. A claim on a direction agrees or disagrees if the interval excludes 0. A claim that both "
    "sides are as good names a margin: they are equivalent if the interval lies within the margin on both "
    "sides of 0, and not equivalent if it lies outside. A claim that one side is no worse names a margin, "
    "too: the side is no worse if the interval of its disadvantage ends below the margin, and worse if the "
    "interval begins above it. Otherwise a claim is undecided, and so is every claim with fewer than three "
    "seeds. If some seeds of a side failed and others trained, nothing rests on their mean, because it "
    "describes neither. No side is found better, or as good, if some of its networks answer one class only. "
    "If networks diverged, the difference has no size, and the verdict rests on how many diverged on each "
    "side (Barnard's exact test). Sides of several depths or settings are compared over those for which "
    "both have results. If there are none, if a trial belongs to both sides, or if a side names a tuned "
    "setting, the claim is not comparable. A seed counts once: with its mean over these depths and "
    "settings, or as diverged if any of its networks did. It is left out if it lacks one of them, but "
    "depths or settings that share no seed count as independent. Claims are not corrected for their number. "
    "Comparisons with a baseline are, so the same difference may agree with a claim here and be called "
    "“only before correction” there."
)
BEST = (
    " The best shallower depth is the one with the least mean. Depths with fewer than three seeds, and "
    "depths at which some seeds failed and others trained, are left out if others remain. The interval of a "
    "difference to it is corrected for having looked at every shallower depth (Bonferroni), as in the "
    "verdict on degradation."
)
STEPS = (
    " For steps to a target, the ratio higher / lower is shown, with Student's interval of the difference of "
    "the logarithms. The steps of a run are those made at its first evaluation at or below the target, and "
    "the interval is no narrower than the distance between two evaluations allows. If some runs never reach "
    "the target, there is no ratio. With at least four runs per side, all of one setting, the verdict then "
    "rests on the rank test of Wilcoxon, Mann and Whitney, in which those runs come last (Gehan 1965). "
    "Otherwise it rests on how many runs reach the target on each side (by the same exact test)."
)
GAPS = (
    " The gap of a run is its test error or loss minus its training error or loss at the point where the "
    "latter comes down to the named value, interpolated linearly between two evaluations. If a run never "
    "reaches that value, or was below it before its first evaluation, the claim is undecided."
)
PAIRED = (
    " A claim that is “paired by seed” rests on the differences within the seeds that both sides have, with "
    "Student's interval of their mean."
)
OPEN = {
    Verdict.UNDECIDED: "undecided",
    Verdict.TOO_FEW_SEEDS: "with too few seeds",
    Verdict.SOME_SEEDS_FAIL: "about networks of which some seeds fail",
    Verdict.ONE_CLASS: "about networks that answer one class",
    Verdict.NOT_COMPARABLE: "not comparable",
}
"""For each verdict that neither agrees nor disagrees: what `lead` says after the number of such claims."""


def table(records: Records) -> Table | None:
    """Rows: the claims. None if the experiment states none."""
    paper = references.published(records)
    if not paper.claims:
        return None
    stated = len(paper.claims) - paper.own
    rows = [_row(records, claim, own=i >= stated) for i, claim in enumerate(paper.claims)]
    marks, listed = references.notes([f"{r['source']} ({references.CHECKED[r['verified']]})" for r in rows])
    columns = (
        Column("Claim", _said, numeric=False),
        text("metric_title", "Metric"),
        Column("Published", lambda r: references.change(r, "published")),
        Column("Measured", _measured),
        Column("95 % interval", references.interval),
        integer("n", "n"),
        text("verdict", "Verdict"),
        *((text("standing", "Standing"),) if records.registered is not None else ()),
    )
    marked = tuple({**row, "mark": mark} for row, mark in zip(rows, marks, strict=True))
    kinds = {read.kind for claim in paper.claims if (read := curve(claim.metric))}
    said = CAPTION + (STEPS if "steps_to" in kinds else "") + (GAPS if "gap" in kinds else "")
    depths = [when.get(DEPTH) for claim in paper.claims for when in (claim.lower, claim.higher)]
    said += BEST if sides.BEST in depths else ""
    said += PAIRED if any(claim.pair_seeds for claim in paper.claims) else ""
    caption = f"{said} {splits.caption(records)} {listed}"
    return Table("claims", "Claims", caption, columns, marked)


def _row(records: Records, claim: Claim, *, own: bool) -> Row:
    """One row. `own`: the configuration states the claim itself, not the references that it names."""
    found = ordering.compare(records, claim)
    pair = claim.published
    steps = claim.metric.startswith("steps_to@")
    return {
        "say": claim.say,
        "own": own,
        "metric": claim.metric,
        "metric_title": references.titled(claim.metric, naming.measure_of(records)),
        "relation": claim.states,
        "within": claim.margin,
        "pair_seeds": claim.pair_seeds,
        "tier": claim.tier,
        "published_lower": pair[0] if pair else None,
        "published_higher": pair[1] if pair else None,
        "published": (pair[1] / pair[0] if steps else pair[1] - pair[0]) if pair else None,
        **asdict(found),
        "standing": "registered" if registration.claim_is_registered(records, claim) else "exploratory",
        "verified": claim.verified,
        "source": claim.source,
    }


def lead(records: Records, found: Table | None, values: Table | None) -> tuple[Sentence, ...]:
    """The first sentence of a report on a paper: its claim, and how many of its statements agree here."""
    paper = references.published(records)
    if not paper.claim:
        return ()
    rows = [row for row in found.rows if not row["own"]] if found else []
    counts = Counter(row["verdict"] for row in rows)
    total = counts.total()
    agree = sum(n for verdict, n in counts.items() if verdict.agrees)
    disagree = sum(n for verdict, n in counts.items() if verdict.disagrees)
    ordered = all(row["relation"] == "lower" for row in rows)
    said = []
    if total:
        direction = " in direction" if ordered else ""
        said = [f"{agree} of {words.counted(total, 'statement')} {_verb(agree, 'agree')}{direction}"]
    said += [f"{disagree} {_verb(disagree, 'disagree')}"] if disagree else []
    said += [f"{counts[verdict]} {what}" for verdict, what in OPEN.items() if counts[verdict]]
    if also := sum(bool(row["confounded"]) for row in rows):
        said.append(f"the sides of {also} also differ in settings that they do not name")
    judged = [row["verdict"] for row in values.rows] if values else []
    reproduced, missed = judged.count(Verdict.REPRODUCED), judged.count(Verdict.NOT_REPRODUCED)
    if reproduced or missed:
        said.append(f"{reproduced} of {words.counted(len(judged), 'published value')} reproduced")
    good = agree == total and (total or reproduced)
    tone = Tone.BAD if disagree or missed else Tone.GOOD if good else Tone.OPEN
    badge = f"{agree} of {total} agree" if total else Verdict.NOT_REPRODUCED.value if missed else "open"
    here = f"Here: {', '.join(said)}; " if said else "Here: "
    text = words.clean(f"Claim: {paper.claim} ({paper.paper}) {here}{_recipe(records, paper)}.")
    return (Sentence("Claim", badge, tone, text),)


def of_ones_own(records: Records, found: Table | None) -> Iterator[Sentence]:
    """A sentence on each claim that the configuration makes itself."""
    for row in found.rows if found else ():
        if not row["own"]:
            continue
        standing = f", {row['standing']}" if records.registered is not None else ""
        interval = "" if row["low"] is None else f" {references.interval(row)}"
        measured = _measured(row)
        size = "" if measured == words.DASH else f": {measured}{interval}"
        size += f", n = {row['n']}" if row["n"] else ""
        said = f"Claim: {_claim(row)} Here: {row['verdict']}{standing}{size}{about(row)}."
        yield Sentence.of(row["say"], row["verdict"], said)


def _verb(count: int, verb: str) -> str:
    return f"{verb}s" if count == 1 else verb


def _recipe(records: Records, paper: Published) -> str:
    if not paper.protocol:
        return "the paper's recipe is not stated"
    count = len(protocol.differences(records, paper.protocol, records.trials))
    if not count:
        return "the recipe is the paper's own in all settings that are stated"
    settings = words.counted(count, "setting")
    return f"the recipe differs from the paper's in {settings}, so this is no reproduction"


def _said(row: Row) -> str:
    return f"{_claim(row)} {row['mark']}{about(row)}"


def _claim(row: Row) -> str:
    return f"{row['say']}{_margin(row)}{seed_pairs.marked(row)}"


def _margin(row: Row) -> str:
    if row["within"] is None:
        return ""
    of_steps = row["metric"].startswith("steps_to@")
    size = f"{100 * row['within']:g}\u00a0%" if of_steps else references.amount(row["metric"], row["within"])
    size += "" if of_steps else references.unit(row["metric"], difference=True)
    return f" ({'equivalent within' if row['relation'] == 'equivalent' else 'no worse by more than'} {size})"


def _measured(row: Row) -> str:
    if row["difference"] is None and row["never"] and row["n"]:
        return f"{words.counted(row['never'], 'run')} without it"
    if row["difference"] is None and row["diverged"] and row["n"]:
        return "diverged"
    return references.change(row, "difference")
