"""Published values beside the measured ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resexp.published import Published, Reference
from resexp.report import references, words
from resexp.report.table import Column, Row, Table, integer, text

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 60
CAPTION = (
    "Values as published, with their statistic and number of runs, beside the mean ± standard deviation "
    "measured here over n seeds. Only a run of the paper's own recipe, all of whose trials are done, is held "
    "to the value itself: reproduced, if the mean lies within the published standard deviation or, where "
    "none is published, the value within the mean's 95 % bootstrap interval; any other is not comparable, "
    "or agrees in direction at most. Verified: read in the paper's text, in a secondary source, or not "
    "checked (memory)."
)


def table(records: Records) -> Table | None:
    """Rows: the experiment's references. None if its config states none."""
    paper = references.published(records)
    rows = tuple(_row(records, paper, reference) for reference in paper.references)
    columns = (
        text("case", "Case"),
        text("metric_title", "Metric"),
        Column("Published", lambda r: _spread(r, "published")),
        text("statistic", "Statistic"),
        Column("Measured", lambda r: _spread(r, "measured")),
        integer("n", "n"),
        Column("Difference", _difference),
        text("verdict", "Verdict"),
        text("verified", "Verified"),
        text("source", "Source"),
    )
    return Table("published", "Published values", CAPTION, columns, rows) if rows else None


def _row(records: Records, paper: Published, reference: Reference) -> Row:
    measured, verdict = references.judge(records, paper, reference)
    runs = reference.runs
    return {
        "case": references.named(reference.when),
        "metric": reference.metric,
        "metric_title": references.titled(reference.metric),
        "tier": reference.tier,
        "published": reference.value,
        "published_sd": reference.sd,
        "statistic": f"{reference.statistic}{f' of {runs}' if runs and runs > 1 else ''}",
        "measured": measured.mean,
        "measured_sd": measured.sd,
        "n": measured.n,
        "difference": None if measured.mean is None else measured.mean - reference.value,
        "verdict": verdict,
        "verified": reference.verified,
        "source": reference.source + (f"; {reference.note}" if reference.note else ""),
    }


def _spread(row: Row, key: str) -> str:
    metric, mean, sd = row["metric"], row[key], row[f"{key}_sd"]
    if mean is None:
        return words.DASH
    spread = "" if sd is None else f" ± {references.amount(metric, sd)}"
    return references.amount(metric, mean) + spread + references.unit(metric)


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return words.DASH
    shown = references.amount(row["metric"], row["difference"], sign=True)
    return shown + references.unit(row["metric"], difference=True)
