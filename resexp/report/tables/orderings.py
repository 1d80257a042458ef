"""Whether published orderings of values hold here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from resexp.config.published import Claim, Reference
from resexp.report import naming, ordering, references, splits, words
from resexp.report.confounded import about
from resexp.report.table import Column, Row, Sentence, Table, integer, text
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 61
CAPTION = (
    "Pairs of published values of one source and metric whose networks differ in one setting, and the same "
    "difference measured here, over at least n seeds per side. The verdict is undecided if the 95 % interval "
    "of the difference by Student's t (unequal variances) includes 0. Fewer than three seeds decide nothing. "
    "If networks diverged, the verdict rests on how many diverged on each side (Barnard's exact test). A "
    "pair is not comparable if one of the two was not measured. Only the direction is compared, because the "
    "protocols may differ. The pairs are not corrected for their number."
)


SAID = {  # the verb after the number of orderings: for one ordering, and for several
    Verdict.DIRECTION_AGREES: ("agrees in direction", "agree in direction"),
    Verdict.DIRECTION_DISAGREES: ("disagrees", "disagree"),
    Verdict.UNDECIDED: ("is undecided", "are undecided"),
    Verdict.TOO_FEW_SEEDS: ("has too few seeds", "have too few seeds"),
    Verdict.SOME_SEEDS_FAIL: ("has seeds of which some fail", "have seeds of which some fail"),
    Verdict.ONE_CLASS: ("has networks that answer one class", "have networks that answer one class"),
    Verdict.NOT_COMPARABLE: ("is not comparable", "are not comparable"),
}


def table(records: Records) -> Table | None:
    """Rows: pairs of references, the published difference and the measured one.

    None if there is no such pair. Also None if the experiment has claims, because these say which orderings
    matter.
    """
    paper = references.published(records)
    pairs = [] if paper.claims else _pairs(paper.references)
    rows = tuple(_row(records, lower, higher) for lower, higher in pairs)
    if not rows:
        return None
    columns = (
        Column("Difference", lambda r: f"{r['pair']}{about(r)}", numeric=False),
        text("metric_title", "Metric"),
        Column("Published", lambda r: references.change(r, "published")),
        Column("Measured", _measured),
        Column("95 % interval", references.interval),
        integer("n", "n"),
        text("verdict", "Verdict"),
    )
    counts, also = Counter(row["verdict"] for row in rows), sum(bool(row["confounded"]) for row in rows)
    caption = f"{CAPTION} {splits.caption(records)}"
    return Table("orderings", "Published orderings", caption, columns, rows, (_sentence(counts, also),))


def _pairs(found: Sequence[Reference]) -> Iterator[tuple[Reference, Reference]]:
    """Yield pairs of published values whose trials differ in one setting. The lower value comes first.

    Both values of a pair have the same source, metric and statistic.
    """
    for a, b in combinations(found, 2):
        if (a.source, a.metric, a.statistic) != (b.source, b.metric, b.statistic):
            continue
        if a.when.keys() != b.when.keys() or a.value == b.value:
            continue
        if sum(a.when[key] != b.when[key] for key in a.when) == 1:
            yield (a, b) if a.value < b.value else (b, a)


def _row(records: Records, lower: Reference, higher: Reference) -> Row:
    pair = f"{references.named(higher.when)} − {references.named(lower.when)}"
    claim = Claim(say=pair, lower=lower.when, higher=higher.when, metric=lower.metric, source=lower.source)
    found = ordering.compare(records, claim)
    return {
        "pair": pair,
        "metric": lower.metric,
        "metric_title": references.titled(lower.metric, naming.measure_of(records)),
        "published": higher.value - lower.value,
        "measured": found.difference,
        **{
            key: getattr(found, key)
            for key in ("low", "high", "n", "diverged", "lost", "confounded", "pooled")
        },
        "verdict": found.verdict,
    }


def _sentence(counts: Counter[Verdict], also: int) -> Sentence:
    """How many orderings have each verdict; the sides of `also` of them differ in more than one setting."""
    agree, disagree = counts[Verdict.DIRECTION_AGREES], counts[Verdict.DIRECTION_DISAGREES]
    said = [f"{counts[word]} {verbs[counts[word] > 1]}" for word, verbs in SAID.items() if counts[word]]
    text = f"Of {words.counted(counts.total(), 'published ordering')}, {words.joined(said)}."
    text += f" The sides of {also} also differ in settings that they do not name." if also else ""
    tone = Tone.BAD if disagree else Tone.GOOD if agree == counts.total() else Tone.OPEN
    return Sentence("orderings", f"{agree} of {counts.total()} agree", tone, text)


def _measured(row: Row) -> str:
    diverged = row["diverged"] and row["measured"] is None
    return "diverged" if diverged else references.change(row, "measured")
