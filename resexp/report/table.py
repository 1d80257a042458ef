"""The tables and sentences of a report as immutable values. The modules in `render/` decide how they look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import ArrayLike

from resexp.plan.error_name import ERROR
from resexp.report import naming, statistics, words
from resexp.report.pairs import Evidence
from resexp.report.statistics import Estimate, Gap
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records
from resexp.text import MEANINGS, called

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sentence:
    """One finding in plain words, about `subject`. `badge` is its verdict in a few words.

    For a finding with a `Verdict`, use `of`, so that equal verdicts have the same badge and tone.
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
        """The text in two parts: the subject, for bold print, and the rest. The first part is "" if the text
        does not begin with the subject.
        """
        (introduced,) = words.introduced([self.subject], MEANINGS)
        for subject in (introduced, self.subject):
            if self.text.startswith(subject):
                return subject, self.text[len(subject) :]
        return "", self.text

    def cleaned(self) -> Sentence:
        """The same sentence with control characters escaped, which could harm a terminal or a page."""
        subject, badge, text = map(words.clean, (self.subject, self.badge, self.text))
        return Sentence(subject, badge, self.tone, text)


def introduced(sentences: Sequence[Sentence], records: Records) -> tuple[Sentence, ...]:
    """The sentences of one passage. Where a connection is named first, and its name could be misread, the
    sentence also says what the connection is, such as "skip (concatenation)". What foreign names mean is not
    known.
    """
    labels: list[str] = [] if records.foreign else records.trials["variant"].unique().tolist()
    texts = words.introduced([sentence.text for sentence in sentences], labels)
    return tuple(replace(one, text=text) for one, text in zip(sentences, texts, strict=True))


@dataclass(frozen=True)
class Column:
    """A column of a table. `show` turns a row of raw values into the text of a cell.

    `unit` is shown with the title. A `numeric` column is aligned right, and its cells are never wrapped.
    """

    title: str
    show: Callable[[Row], str]
    unit: str = ""
    numeric: bool = True

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """A table of the report. `rows` keep the raw values (fractions, seconds, bytes) for JSON.

    `key` is a plain word that no other table has. It names the table in JSON and on the command line.
    """

    key: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sentences: tuple[Sentence, ...] = ()

    def cleaned(self) -> Table:
        """The same table with control characters escaped in its prose, which may contain users' names."""
        return replace(
            self,
            title=words.clean(self.title),
            caption=words.clean(self.caption),
            sentences=tuple(sentence.cleaned() for sentence in self.sentences),
        )

    def cells(self) -> list[list[str]]:
        """The text of every cell by row, with control characters escaped."""
        return [[words.clean(column.show(row)) for column in self.columns] for row in self.rows]


def as_given(records: Records, text: str, protocol: str) -> str:
    """The caption `text`, with the fields of `naming.Measure` filled.

    `protocol` is the part of `text` that says how errors were measured. For runs that resexp did not train,
    this is not known, and the part is replaced. If trials are not judged by errors but, for example, by
    regrets, the part is left out, because another table says how these were measured.
    """
    measure = naming.measure_of(records)
    if measure.name != ERROR:
        text = text.replace(protocol, "")
    elif records.foreign:
        text = text.replace(protocol, " as given in the table of runs")
    return measure.said(text)


def text(key: str, title: str) -> Column:
    """A column with the texts of the cells `key`, and a dash for missing ones."""
    return Column(title, lambda row: words.DASH if words.missing(row[key]) else str(row[key]), numeric=False)


def connection() -> Column:
    """The column that names a row's variant. It says what the connection is if the name could be misread."""
    return Column("Connection", _called, numeric=False)


def _called(row: Row) -> str:
    return called(str(row["variant"]))


def explained(table: Table, records: Records) -> Table:
    """The table with sentences that are `introduced`. Variants of foreign runs keep the names that they have,
    in its cells too.
    """
    bare = text("variant", "Connection")
    columns = [bare if records.foreign and one.show is _called else one for one in table.columns]
    return replace(table, columns=tuple(columns), sentences=introduced(table.sentences, records))


def number(key: str, title: str, show: Callable[[Any], str], unit: str = "") -> Column:
    """A column with the numbers of the cells `key`, written by `show`, and a dash for missing ones."""
    return Column(title, lambda row: words.DASH if words.missing(row[key]) else show(row[key]), unit)


def integer(key: str, title: str) -> Column:
    """A column with the whole numbers of the cells `key`."""
    return number(key, title, words.whole)


def places(*between: Column) -> tuple[Column, ...]:
    """The first columns of a table whose rows are variants and depths: variant, depth, `between`, and n."""
    return (connection(), integer("depth", "Depth"), *between, integer("n", "n"))


def lost_column(rows: Sequence[Row]) -> tuple[Column, ...]:
    """The column of how many trials diverged or failed, from the cells `lost`; () if no trial did."""
    found = Column("Lost", lambda row: words.whole(row["lost"]) if row["lost"] else "")
    return (found,) if any(row["lost"] for row in rows) else ()


def spread_cells(key: str, values: ArrayLike) -> dict[str, float | None]:
    """The mean and the standard deviation of the values, as the cells `key`_mean and `key`_sd of a row."""
    found = statistics.summary(values)
    return {f"{key}_mean": found.mean, f"{key}_sd": found.sd}


def spread(key: str, title: str, digits: int = 2) -> Column:
    """The column that shows the cells made by `spread_cells`. They must be fractions and are shown in %."""
    return Column(title, lambda row: words.spread(row[f"{key}_mean"], row[f"{key}_sd"], digits), "%")


def plain_spread(key: str, title: str, digits: int, unit: str = "") -> Column:
    """Like `spread`, for cells that are no fractions."""
    return Column(
        title, lambda row: words.spread(row[f"{key}_mean"], row[f"{key}_sd"], digits, words.fixed), unit
    )


def estimate_cells(found: Estimate | Evidence | Gap | None, *keys: str) -> dict[str, float | None]:
    """Cells of a row: an estimate's value, both ends of its interval and its p, under these keys in order.

    With three keys, p is left out. If `found` is None, all cells are None.
    """
    fields = ("value", "low", "high", "p")
    return {key: getattr(found, field, None) for key, field in zip(keys, fields, strict=False)}


def estimate(key: str, title: str, digits: int = 2, unit: str = "") -> tuple[Column, Column]:
    """The columns for the cells `key`, `key`_low and `key`_high. They are fractions, shown as percentages."""
    return (
        Column(title, lambda row: words.points(row[key], digits), unit),
        Column("95 % interval", lambda row: words.interval(row[f"{key}_low"], row[f"{key}_high"], digits)),
    )
