"""Makes a `Report` from an experiment's records: everything that the formats show, computed once."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resexp.errors import Problem
from resexp.plan.status import Status
from resexp.report import frames, standing, statistics, unjudged, words
from resexp.report.notes import notes_of
from resexp.report.sections import Section, loaded, noting, refuse_missing_cells, sections, unshowable
from resexp.report.setup import Setup, setup
from resexp.report.table import Sentence, Table, explained, introduced
from resexp.report.tables import claims
from resexp.report.verdict import Tone, Verdict

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.report.svg import Drawing
    from resexp.store import Records


@dataclass(frozen=True)
class Report:
    """One experiment's report. The modules in `render/` turn it into each format.

    `sentences` open the report: what was registered, the paper's claim, the verdicts of one table, and what
    could not be judged. `leading` is the key of the table with these verdicts, or "". `setup` says what was
    trained.

    `added` are the sections from the user's files. `lost` are the problems with these files that occurred
    while tables were made. `faults` also has those that occur while figures are drawn.
    """

    experiment: str
    sentences: tuple[Sentence, ...]
    leading: str
    tables: tuple[Table, ...]
    status: str
    environment: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    records: frames.ReportRecords
    added: tuple[Section, ...] = ()
    lost: tuple[Problem, ...] = ()
    setup: Setup = field(default_factory=Setup)

    def table(self, key: str) -> Table | None:
        return next((table for table in self.tables if table.key == key), None)

    def own(self, table: Table) -> tuple[Sentence, ...]:
        """The sentences of a table; none if the report opens with them."""
        return () if table.key == self.leading else table.sentences

    @property
    def provenance(self) -> str:
        """The heading above the facts about the runs, such as their machine and versions, or their source."""
        return "Taken from" if self.records.foreign else "Measured with"

    @property
    def judged(self) -> bool:
        """Whether the report gives any verdict of the kinds that `undecided` considers."""
        stated = self.table("claims") or self.table("published")
        return stated is not None or any(s.badge in set(Verdict) for s in self.sentences)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Each subject that more seeds could decide: of opening verdicts, claims and published values.

        Comparisons with the baseline are left out unless the report opens with them, as it does if there is
        only one depth. Among many variants, some hardly differ from the baseline and would stay undecided.
        """
        left = {verdict for verdict in Verdict if verdict.more_seeds_may_decide}
        said = [(self.table("claims"), "say"), (self.table("published"), "case")]
        found = [(sentence.subject, sentence.badge) for sentence in self.sentences]
        found += [(words.clean(r[name]), r["verdict"]) for t, name in said if t for r in t.rows]
        return tuple(dict.fromkeys(name for name, verdict in found if verdict in left))

    @property
    def silence(self) -> str:
        """The sentence to show if the report has no opening sentences."""
        done = not frames.done(self.records.trials).empty
        return (
            "Nothing here compares depths or connections: the tables show what was measured."
            if done
            else "No trial has finished yet, so there is nothing to say about depth."
        )

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure that has something to show."""
        return self._drawn[0]

    @property
    def faults(self) -> tuple[Problem, ...]:
        """All problems with the user's files. The report lacks the tables and figures that have a problem."""
        return (*self.lost, *self._drawn[1])

    @cached_property
    def _drawn(self) -> tuple[tuple[Drawing, ...], tuple[Problem, ...]]:
        """The figures and the problems with them, drawn at first use because matplotlib loads slowly."""
        from resexp.report.svg import draw

        lost: list[Problem] = []
        return tuple(draw(self.records, self.added, lost)), tuple(lost)


def build(records: Records, plugins: Sequence[Plugin] = ()) -> Report:
    """The report on the records as they are now, whether or not the run has ended.

    `plugins` are the user's files with tables and figures. They are run, and `Report.faults` lists what fails
    in them.
    """
    prepared = frames.prepared(records)
    lost: list[Problem] = []
    added = loaded(plugins, lost)
    by_key: dict[str, Table] = {}
    leading = ""
    for section in sections("table", added):
        with noting(section.plugin, lost, "table"):
            table = _table(section, prepared, by_key)
            if table is not None:
                by_key[table.key] = table
                if section.leads and table.sentences:
                    leading = leading or table.key
    stated = by_key.get("claims")
    opening = claims.lead(prepared, stated, by_key.get("published"))
    verdicts = by_key[leading].sentences if leading else ()
    return Report(
        experiment=words.clean(records.experiment),
        sentences=(
            *(
                sentence.cleaned()
                for sentence in introduced((*standing.opening(prepared), *opening), prepared)
            ),
            *(sentence.cleaned() for sentence in claims.of_ones_own(prepared, stated)),
            *(standing.marked(prepared, sentence, leading) for sentence in verdicts),
            *(Sentence("", "not judged", Tone.OPEN, each).cleaned() for each in unjudged.sentences(prepared)),
        ),
        leading=leading,
        tables=tuple(by_key.values()),
        status=_status(prepared),
        environment=tuple(_measured_with(prepared)),
        notes=tuple(notes_of(prepared)),
        records=prepared,
        added=tuple(added),
        lost=tuple(lost),
        setup=setup(prepared),
    )


def _table(section: Section, records: frames.ReportRecords, others: Container[str]) -> Table | None:
    """A section's table. Raises ConfigError if a user's table cannot be shown in every format."""
    if section.plugin is None:
        built_in: Table | None = section.module.table(records)
        if built_in is None:
            return None
        told = explained(built_in, records).cleaned()
        return standing.at_level(told, statistics.level_of(records))
    # A copy, so that a user's code cannot change the data of other sections.
    found = section.module.table(deepcopy(records))
    if found is None:
        return None
    if not isinstance(found, Table):
        right = "return a resexp.report.table.Table, or None"
        raise unshowable(section.plugin, "table", f"returns {type(found).__name__}", right)
    taken = {"environment", *(each.key for each in sections("table"))}
    if not re.fullmatch(r"[\w-]+", str(found.key), re.ASCII) or found.key in taken or found.key in others:
        wrong = f"its table has the key {found.key!r}, which another section has or which is no plain word"
        raise unshowable(section.plugin, "table", wrong, "give it a key of its own: letters, digits, _ and -")
    table = found.cleaned()
    refuse_missing_cells(table, section.plugin)
    _try_out(table, records)
    return table


def _try_out(table: Table, records: frames.ReportRecords) -> None:
    """Render the table once, so that errors in a user's table are raised here and not in a later renderer."""
    from resexp.report.render import terminal

    words.plain_value(list(table.rows))
    terminal.render(Report("", (), "", (table,), "", (), (), records))


def _status(records: frames.ReportRecords) -> str:
    counts = records.tried["status"].value_counts()
    parts = [f"{counts[s]} {s}" for s in Status if counts.get(s)]
    status = (
        f"{words.counted(len(records.tried), 'trial')}: {words.joined(parts)}" if parts else "no trials yet"
    )
    return f"{status}. {words.clean(records.aside).rstrip('.')}" if records.aside else status


def _measured_with(records: frames.ReportRecords) -> list[tuple[str, str]]:
    """Facts about the runs that trained the trials, as (name, value) pairs.

    If runs differ in a fact, each of its values is followed by its number of trials.
    """
    if len(records.runs) < 2:
        return list(_facts(records.environment))
    shown: dict[str, dict[str, int]] = {}
    for run in records.runs:
        for name, value in _facts(run["environment"]):
            counts = shown.setdefault(name, {})
            counts[value] = counts.get(value, 0) + len(run["trials"])
    total = sum(len(run["trials"]) for run in records.runs)
    return [
        (name, next(iter(counts)) if set(counts.values()) == {total} else _each(counts))
        for name, counts in shown.items()
    ]


def _each(counts: dict[str, int]) -> str:
    return words.listed([f"{value} ({words.counted(count, 'trial')})" for value, count in counts.items()])


def _facts(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """The environment record as (name, value) pairs: nested records are flattened, empty values left out."""
    facts: list[tuple[str, str]] = []
    for key, value in environment.items():
        name = words.clean(key)
        if isinstance(value, dict):
            facts += _facts(value)
        elif isinstance(value, int) and name.endswith("_bytes") and 0 <= value < 2**63:
            facts.append((name.removesuffix("_bytes"), f"{value / 2**30:.1f} GiB"))
        elif shown := words.clean(" ".join(map(str, value)) if isinstance(value, list | tuple) else value):
            facts.append((name, words.DASH if words.missing(value) else shown))
    return facts
