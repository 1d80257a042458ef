"""Published values next to the measured ones."""

from __future__ import annotations

from resexp.config.published import Published, Reference
from resexp.report import naming, references, registration, splits, words
from resexp.report.table import Column, Row, Table, integer, text
from resexp.store import Records

ORDER = 60
CAPTION = (
    "{metric} as published, and as measured here: mean ± standard deviation over n seeds. A published value "
    "is judged only by a run of the paper's own recipe with all trials done. It is reproduced if it lies in "
    "the 95 % prediction interval of its statistic (one run, or a mean or median of several) and half the "
    "width of that interval is at most the tolerance. If the interval is wider, the value is compatible, and "
    "the run is too imprecise to tell. Where mistakes are counted, the seeds' variance counts as at least "
    "that of rounding to whole mistakes and, with fewer than five mistakes, that of a count with one more. "
    "Fewer than three seeds decide nothing, nor do seeds that are all alike if the number of examples is "
    "unknown. A best of several runs is not comparable, and no value is comparable with a run of another "
    "recipe, which can at most agree in direction, or with trials of several depths or settings, which have "
    "no common mean."
)


def table(records: Records) -> Table | None:
    """Rows: the experiment's references. None if its config states none."""
    paper = references.published(records)
    if not paper.references:
        return None
    rows = [_row(records, paper, reference) for reference in paper.references]
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    marks, listed = references.notes([_source(row) for row in rows])
    one = metrics[0] if len(metrics) == 1 else None  # a single metric's unit goes into the headings
    unit = references.unit(one).strip() if one else ""
    columns = (
        text("case", "Case"),
        *(() if one else (text("metric_title", "Metric"),)),
        Column("Published", lambda r: _spread(r, "published", one), unit),
        Column("Measured", lambda r: _spread(r, "measured", one), unit),
        integer("n", "n"),
        Column(
            "Off by", lambda r: _off(r, one), references.unit(one, difference=True).strip() if one else ""
        ),
        text("verdict", "Verdict"),
        *((text("standing", "Standing"),) if records.registered is not None else ()),
        text("mark", "Source"),
    )
    marked = tuple({**row, "mark": mark} for row, mark in zip(rows, marks, strict=True))
    metric = references.titled(one, naming.measure_of(records)).capitalize() if one else "Values"
    scope = splits.caption(records)
    caption = f"{CAPTION.format(metric=metric)} {scope} {listed}"
    return Table("published", "Published values", caption, columns, marked)


def _row(records: Records, paper: Published, reference: Reference) -> Row:
    measured, verdict = references.judged(records, paper, reference)
    runs = reference.runs
    return {
        "case": references.named(reference.when),
        "metric": reference.metric,
        "metric_title": references.titled(reference.metric, naming.measure_of(records)),
        "tier": reference.tier,
        "published": reference.value,
        "published_sd": reference.sd,
        "statistic": f"{reference.statistic}{f' of {runs}' if runs and runs > 1 else ''}",
        "measured": measured.mean,
        "measured_sd": measured.sd,
        "n": measured.n,
        "tolerance": references.tolerance(paper, reference) if reference.tier == "exact" else None,
        "difference": None if measured.mean is None else measured.mean - reference.value,
        "verdict": verdict,
        "standing": "registered" if registration.number_is_registered(records, reference) else "exploratory",
        "verified": reference.verified,
        "source": reference.source + (f"; {reference.note}" if reference.note else ""),
    }


def _source(row: Row) -> str:
    return f"{row['source']} ({row['statistic']}, {references.CHECKED[row['verified']]})"


def _spread(row: Row, key: str, one: str | None) -> str:
    metric, mean, sd = row["metric"], row[key], row[f"{key}_sd"]
    if mean is None:
        return words.DASH
    spread = "" if sd is None else f" ± {references.amount(metric, sd)}"
    return references.amount(metric, mean) + spread + ("" if one else references.unit(metric))


def _off(row: Row, one: str | None) -> str:
    if row["difference"] is None:
        return words.DASH
    shown = references.amount(row["metric"], row["difference"], sign=True)
    return shown + ("" if one else references.unit(row["metric"], difference=True))
