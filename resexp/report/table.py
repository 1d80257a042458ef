"""Tables and sentences as frozen values. Renderers decide how they look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import ArrayLike

from resexp.report import statistics, words
from resexp.report.pairs import Evidence
from resexp.report.statistics import Estimate, Gap
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sentence:
    """One finding in plain words, about `subject`. `badge` is its verdict in a word or two.

    If the finding has a verdict, make it with `of`, so that equal verdicts have the same badge and tone.
    """

    subject: str
    badge: str
    tone: Tone
    text: str

    @classmethod
    def of(cls, subject: str, verdict: Verdict, text: str) -> Sentence:
        """A sentence with the badge and tone of a verdict."""
        return cls(subject, verdict.value, verdict.tone, text)

    def parts(self) -> tuple[str, str]:
        """The subject, if the text opens with it, and the rest of the text, for emphasis."""
        opens = self.text.startswith(self.subject)
        return (self.subject, self.text[len(self.subject) :]) if opens else ("", self.text)

    def cleaned(self) -> Sentence:
        """The same sentence with control characters escaped, which could harm a terminal or page."""
        subject, badge, text = map(words.clean, (self.subject, self.badge, self.text))
        return Sentence(subject, badge, self.tone, text)


@dataclass(frozen=True)
class Column:
    """A column of a table. `show` turns a row of raw values into the text of a cell."""

    title: str
    show: Callable[[Row], str]
    unit: str = ""
    numeric: bool = True

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """A section of the report. `rows` keep the raw values (fractions, seconds, bytes) for CSV and JSON."""

    key: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sentences: tuple[Sentence, ...] = ()

    def cleaned(self) -> Table:
        """The same table with its prose cleaned, because it may contain names that users chose."""
        return replace(
            self,
            title=words.clean(self.title),
            caption=words.clean(self.caption),
            sentences=tuple(sentence.cleaned() for sentence in self.sentences),
        )

    def cells(self) -> list[list[str]]:
        """The shown text of every row, cleaned."""
        return [[words.clean(column.show(row)) for column in self.columns] for row in self.rows]


def as_given(records: Records, text: str, protocol: str) -> str:
    """The caption, without the words in `protocol` if resexp did not train the runs."""
    return text.replace(protocol, " as given in the table of runs") if records.foreign else text


def text(key: str, title: str) -> Column:
    return Column(title, lambda row: words.DASH if words.missing(row[key]) else str(row[key]), numeric=False)


def number(key: str, title: str, show: Callable[[Any], str], unit: str = "") -> Column:
    return Column(title, lambda row: show(row[key]), unit)


def integer(key: str, title: str) -> Column:
    return number(key, title, words.whole)


def places(*between: Column) -> tuple[Column, ...]:
    """The first columns of a table with a row per variant and depth: both of these, `between`, and n."""
    return (text("variant", "Connection"), integer("depth", "Depth"), *between, integer("n", "n"))


def spread_cells(key: str, values: ArrayLike) -> dict[str, float | None]:
    """The mean and the standard deviation of the values, as a row's cells `key`_mean and `key`_sd."""
    found = statistics.summary(values)
    return {f"{key}_mean": found.mean, f"{key}_sd": found.sd}


def spread(key: str, title: str, digits: int = 2) -> Column:
    """The column that shows the cells of `spread_cells`, which must be fractions."""
    return Column(title, lambda row: words.spread(row[f"{key}_mean"], row[f"{key}_sd"], digits), "%")


def estimate_cells(found: Estimate | Evidence | Gap | None, *keys: str) -> dict[str, float | None]:
    """An estimate's value, low and high end and, with a fourth key, p: as a row's cells with these keys."""
    fields = ("value", "low", "high", "p")
    return {key: getattr(found, field, None) for key, field in zip(keys, fields, strict=False)}


def estimate(key: str, title: str, digits: int = 2, unit: str = "") -> tuple[Column, Column]:
    """The columns that show the cells `key`, `key`_low and `key`_high, which must be fractions."""
    return (
        Column(title, lambda row: words.points(row[key], digits), unit),
        Column("95 % interval", lambda row: words.interval(row[f"{key}_low"], row[f"{key}_high"], digits)),
    )
