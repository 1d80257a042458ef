"""The report on one screen of a terminal: verdicts, errors by variant and depth, and how to see the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from resexp.plan.status import Status
from resexp.report import frames, naming, words
from resexp.report.build import Report
from resexp.report.failed_seeds import mixed
from resexp.report.render.columns import ColumnHead, Columns
from resexp.report.render.terminal import MARKS, TONES, Prose, hanging, parts_of, printed, sentence
from resexp.report.table import Sentence
from resexp.text import called

if TYPE_CHECKING:
    import pandas as pd

SENTENCES = 6
"""Up to this many opening sentences are shown whole. If there are more, each becomes one line."""
LINES = 16
"""The most one-line verdicts, and the most rows of the table."""
NOTES = 2
MEASURES = {"error": "{Error} (%)", "loss": "Loss (nats)"}
SPLITS = ("train", "test")
LOST = (Status.FAILED, Status.DIVERGED)
MIXED = "†"


def render(report: Report, width: int = 80) -> str:
    """The screen as plain text of at most `width` characters per line."""
    return printed(view(report), width)


def view(report: Report) -> RenderableType:
    """The screen for a Rich console, which decides on colour and width."""
    parts: list[RenderableType] = [
        Text.assemble((report.experiment, "bold"), ("   " + report.status, "dim")),
        *([Prose(f"{report.setup.brief}.", "dim")] if report.setup.brief else []),
        *([Prose(equations, "dim")] if (equations := _equations(report)) else []),
        Text(),
        *_verdicts(report.sentences, str if report.records.foreign else called),
    ]
    if not report.sentences:
        parts.append(Prose(report.silence))
    parts += _errors(report)
    if report.records.foreign:
        parts += [Text(), parts_of(report)["environment"]]
    if report.notes:
        parts.append(Text())
        parts += [hanging("·", "dim", Prose(note)) for note in report.notes[:NOTES]]
        if len(report.notes) > NOTES:
            more = words.counted(len(report.notes) - NOTES, "more note")
            parts.append(hanging("·", "dim", Prose(f"{more}: --section notes")))
    return Group(*parts)


def _equations(report: Report) -> str:
    """The connections with their equations, in one line; "" if there are more than SENTENCES."""
    named = [(name, value) for name, value in report.setup.rows if name.startswith("Connection ")]
    told = [f"{name.removeprefix('Connection ')}: {value.partition('  (')[0]}" for name, value in named]
    return ";  ".join(told) if len(told) <= SENTENCES else ""


def _verdicts(sentences: Sequence[Sentence], label: Callable[[str], str]) -> Iterator[RenderableType]:
    """The opening sentences, or one line for each if there are more than SENTENCES."""
    if len(sentences) <= SENTENCES:
        yield from map(sentence, sentences)
        return
    for one in sentences[:LINES]:
        # A long subject is cut, and its verdict is not.
        said = [f"{label(one.subject).rstrip('.')}:", one.badge] if one.subject else [one.text]
        texts = [Text(each, no_wrap=True, overflow="ellipsis") for each in said]
        yield hanging(MARKS[one.tone], TONES[one.tone], *texts)
    if len(sentences) > LINES:
        yield Prose(f"    and {len(sentences) - LINES} more: --section verdicts")


def _errors(report: Report) -> Iterator[RenderableType]:
    """Training and test errors by variant and depth, or losses if no error was measured."""
    trials = report.records.trials
    done = frames.done(trials)
    measured = (
        each for each in MEASURES if done[[f"{split}_{each}" for split in SPLITS]].notna().any(axis=None)
    )
    measure = next(measured, None)
    if measure is None or not frames.trained(report.records):
        return
    depths = sorted(int(depth) for depth in trials["depth"].dropna().unique())
    variants = list(frames.by_variant(trials))
    # If the equations stand above, they say what each connection is. Short labels then leave more room.
    label = str if _equations(report) or report.records.foreign else called
    rows = [
        [
            Text(label(variant)),
            *(Text(_cell(group[group["depth"] == depth], measure)) for depth in depths),
        ]
        for variant, group in variants[:LINES]
    ]
    first = naming.measure_of(report.records).said(MEASURES[measure])
    heads = [ColumnHead(first), *(ColumnHead(f"depth {depth}", True) for depth in depths)]
    yield Text()
    yield Padding(Columns(heads, rows), (0, 0, 0, 1))
    said = ["Training / test", *(["mean over seeds"] if trials["seed"].nunique() > 1 else [])]
    said += ["× a trial without a result"] if (trials["status"].isin(LOST)).any() else []
    marked = any(MIXED in cell.plain for row in rows for cell in row[1:])
    said += [f"{MIXED} some seeds failed and others trained: the mean describes neither"] if marked else []
    more = len(variants) - LINES
    said += [f"{more} more variants: --section accuracy"] if more > 0 else []
    yield Prose(f" {'; '.join(said)}. --full prints every table.", "dim italic")


def _cell(trials: pd.DataFrame, measure: str) -> str:
    """The mean training and test values of one variant and depth, if a trial is done. After them stands a
    cross for each of up to three diverged or failed trials, or MIXED if the seeds are two groups.
    """
    done = frames.done(trials)
    lost = "×" * min(int(trials["status"].isin(LOST).sum()), 3)
    if done.empty:
        return lost or words.DASH
    factor = 100 if measure == "error" else 1
    values = [_digits(factor * float(done[f"{split}_{measure}"].mean())) for split in SPLITS]
    mark = lost or (MIXED if mixed(trials) else "")
    return " / ".join(values) + (f" {mark}" if mark else "")


def _digits(value: float) -> str:
    """A number with two decimals below 10 and one above, so that columns stay narrow."""
    return words.DASH if words.missing(value) else words.fixed(value, 1 if abs(value) >= 9.995 else 2)
