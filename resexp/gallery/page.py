"""Writes the gallery's index page: what papers claim, what they measured, and what was measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resexp.report import confounded, references, seed_pairs, words
from resexp.report.render.markdown import MARKS, escape
from resexp.report.statistics import ALPHA
from resexp.report.verdict import read

HEAD = ("Experiment", "Claim", "Published", "Measured here", "Verdict")
READING = """\
## How to read it

Most runs here are small: they have fewer images, steps or layers than those of the papers. Such a run is no
reproduction, whatever its verdict is. The *differences of protocol* in each report list how it differs.

- 🟢 **direction agrees**: the side that is lower in the paper is lower here too, and the 95 % interval of the
  difference excludes 0.
- 🔴 **direction disagrees**: the side that is lower in the paper is higher here, and the interval excludes 0.
- 🟢 **equivalent**: everywhere in the interval, the two sides differ by less than the margin that the claim
  names. 🔴 **not equivalent**: everywhere in the interval, they differ by more.
- 🟢 **no worse**: everywhere in the interval, the side that the paper calls no worse is worse by less than
  the margin, or better. 🔴 **worse**: everywhere in the interval, it is worse by more than the margin.
- 🟢 **reproduced**: the run has the paper's own recipe, and the published value lies in the run's 95 %
  prediction interval. 🔴 **not reproduced**: the value lies outside. ⚪ **compatible, too imprecise to
  tell**: the value lies in the interval, but the interval is wider than the tolerance.
- ⚪ **undecided**: the interval does not decide the question.
- ⚪ **too few seeds**: one side has fewer than three seeds, which decide nothing.
- 🔴 **some seeds fail**: on one side, some networks failed and others trained, so no verdict rests on
  their mean. **answers one class**: no side is found better, or as good, if some of its networks give
  every example the same answer. Such a claim is not counted as agreeing or disagreeing.
- ⚪ **not comparable**: one of the two sides was not measured, or the published value was not measured as
  it is here.

A claim compares two groups of networks, its sides: it says which side is lower. *Published* and *measured
here* give the value of the lower side, then of the higher side. *Measured here* adds their difference with
its interval, and n, the number of seeds of the side that has fewer. The word in brackets says where the
published number was checked: in the paper's text, in a secondary source, or nowhere (memory).

The intervals are Student's (unequal variances, unpaired seeds). For a claim that is *paired by seed*,
the interval is that of the differences within seeds. If seeds were changed after an earlier report,
intervals are at a higher level, and the report says so. If networks diverged, the difference has no
size, and its direction rests on how many diverged on each side. Within each report, the comparisons are
corrected for their number; one that is significant only without this correction is marked *only before
correction*. The verdicts in this table are not corrected. Therefore the counts above the table also say
how many directions agree and disagree after the correction of Benjamini and Hochberg (1995). A claim
that two experiments measure is counted twice. On average, at most 5 % of the directions that this
correction keeps are false. It does not know of earlier tries with other seeds, which LOG.md names. It is
applied to all claims that one side is lower and that have a p-value. A claim has no p-value if some
seeds of a side failed, if some of its runs never reached a target, or if it was published before reports
kept p-values.
"""
CHECKED = {
    "text": "read in the paper's text",
    "secondary": "from a secondary source",
    "memory": "from memory, or ours",
}
"""Where a published number was checked (`config.published.Verified`) -> the words for it."""


def page(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The index page of published reports, each given as its folder's name and its report.json."""
    rows_of = {name: _rows(name, report) for name, report in reports}
    others = [name for name, rows in rows_of.items() if not rows]
    rows = [row for rows in rows_of.values() for row in rows]
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    intro = (
        "Results of the literature, as published and as measured here, whether they agree or not. `resexp "
        "gallery` lists most of them, and the configurations of the others are in `configs/`. This page is "
        "written by `resexp gallery publish`: do not edit it."
    )
    claims = [claim for _, report in reports for claim in (report.get("published") or {}).get("claims") or ()]
    parts = ["# Gallery", intro, *tallied(claims), table, READING.strip()]
    if others:
        links = ", ".join(_link(name) for name in others)
        parts.append(f"Further reports, of experiments without a published claim: {links}.")
    return "\n\n".join(parts) + "\n"


def tallied(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """A Markdown list, as one text, that says how many claims agree and disagree, before and after the
    correction for the number of claims on a direction. It has a line for each place where published numbers
    were checked. Without claims, the result is [].
    """
    from scipy.stats import false_discovery_control  # takes long to import

    known = [c for c in claims if c.get("p") is not None and c.get("within") is None]
    adjusted = false_discovery_control([claim["p"] for claim in known])
    kept = [claim for claim, p in zip(known, adjusted, strict=True) if p <= ALPHA]
    lines = []
    for checked, said in CHECKED.items():
        mine, among, tested = (
            [claim for claim in some if claim.get("verified", "memory") == checked]
            for some in (claims, known, kept)
        )
        if mine:
            line = f"- {words.counted(len(mine), 'claim')} {said}: {_agree(mine)}"
            if known:
                line += f"; of the {len(among)} on a direction with a p-value, after correction: "
                line += _agree(tested)
            lines.append(f"{line}.")
    return ["\n".join(lines)] if lines else []


def _agree(claims: Sequence[Mapping[str, Any]]) -> str:
    verdicts = [read(claim["verdict"]) for claim in claims]
    agree, disagree = sum(v.agrees for v in verdicts), sum(v.disagrees for v in verdicts)
    return f"{agree} agree, {disagree} disagree"


def _said(claim: Mapping[str, Any]) -> str:
    return f"{claim['say']}{seed_pairs.marked(claim)}{confounded.about(claim)}"


def _rows(name: str, report: Mapping[str, Any]) -> list[list[str]]:
    """A row for each claim of a report. If it has none, a row for each published value."""
    paper = report.get("published") or {}
    lines = [
        [escape(_said(claim)), _published(claim), _measured(claim), _verdict(claim)]
        for claim in paper.get("claims") or ()
    ]
    if not lines and paper.get("claim"):
        lines = [
            [escape(paper["claim"]), *_value(one), _verdict(one)] for one in paper.get("references") or ()
        ]
    return [["" if number else _link(name), *line] for number, line in enumerate(lines)]


def _value(reference: Mapping[str, Any]) -> tuple[str, str]:
    """A value as published, and the mean and standard deviation measured here."""
    metric, n = reference["metric"], reference["n"]
    value, mean, sd = (reference[key] for key in ("published", "measured", "measured_sd"))
    published = f"{references.amount(metric, value)}{references.unit(metric)} ({reference['verified']})"
    if mean is None:
        return escape(published), words.DASH
    spread = f" ± {references.amount(metric, sd)}" if sd is not None else ""
    measured = f"{references.amount(metric, mean)}{spread}{references.unit(metric)}, n = {n}"
    return escape(published), escape(measured)


def _link(name: str) -> str:
    return f"[{escape(name)}]({name}/report.md)"


def _published(claim: Mapping[str, Any]) -> str:
    metric, low, high = claim["metric"], claim["published_lower"], claim["published_higher"]
    checked = escape(f"({claim['verified']})")
    if low is None:
        return f"no number {checked}"
    ends = " / ".join(references.amount(metric, value) for value in (low, high))
    return f"{escape(ends)}{references.unit(metric)} {checked}"


def _measured(claim: Mapping[str, Any]) -> str:
    metric, n = claim["metric"], claim["n"]
    if not n:
        return words.DASH
    ends = " / ".join(references.amount(metric, claim[side]) for side in ("lower", "higher"))
    values = f"{ends}{references.unit(metric)}"
    if claim["difference"] is None and claim.get("never"):
        return escape(f"{values}, {words.counted(claim['never'], 'run')} without a value, n = {n}")
    if claim["difference"] is None:
        return escape(f"{values}, {words.counted(claim['diverged'], 'trial')} diverged, n = {n}")
    change = references.amount(metric, claim["difference"], sign=True)
    span = "" if claim["low"] is None else f" {references.interval(claim)}"
    return escape(f"{values}: {change}{span}{references.unit(metric, difference=True)}, n = {n}")


def _verdict(claim: Mapping[str, Any]) -> str:
    return f"{MARKS[read(claim['verdict']).tone]} {claim['verdict']}"
