"""What a report says about registration and looks: in sentences before the verdicts, and in the verdicts.

A look is a report after which seeds may be added. It is planned if its number of seeds was fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from resexp.report import registration, statistics, words
from resexp.report.table import Sentence, Table
from resexp.report.verdict import Tone
from resexp.store import Records

LEVEL_WORDS = ("95 % interval", "95 % prediction interval", "p is at most 0.05")
"""The words for the usual level in captions and headings. If the level of a report differs, `at_level`
replaces them.
"""


def opening(records: Records) -> Iterator[Sentence]:
    """The sentences that open the report: on the registration if there is one, and on looks if looks were
    planned or the seeds were changed after a report.
    """
    if records.unusable:
        text = f"What was registered cannot be used, and no verdict counts as registered. {records.unusable}."
        yield Sentence("Registered", "registration lost", Tone.BAD, text)
    if records.registered is not None:
        yield _registered(records)
    if records.look or records.seeds_before:
        yield _looks(records)


def _registered(records: Records) -> Sentence:
    assert records.registered is not None
    told = f"on {records.registered['date'][:10]} (SHA-256 {records.registered['sha256'][:12]})"
    changes = registration.changes(records)
    if not changes:
        text = (
            f"Registered before the first result, {told}, and nothing that was registered has changed since."
        )
        return Sentence("Registered", "as registered", Tone.OPEN, text + registration.additions(records))
    text = f"This is not what was registered {told}: {'; '.join(changes)}.{registration.additions(records)}"
    return Sentence("Changed", "changed", Tone.BAD, text)


def _looks(records: Records) -> Sentence:
    level = words.fixed(100 * statistics.level_of(records), 1)
    unplanned = statistics.unplanned(records)
    rule = f"Intervals and tests are at {level}\u00a0%, "
    if unplanned:
        rule += (
            "a level at which all these reports together would decide one question wrongly in about "
            "5\u00a0% of cases at most. Earlier reports may have been at lower levels, so whoever stopped at "
            "the first that decided a question errs more often."
        )
    else:
        rule += "so that all looks together decide one question wrongly in about 5\u00a0% of cases at most."
    if records.look:
        seeds, planned = records.look["seeds"], records.look["planned"]
        number = planned.index(seeds) + 1
        others = words.joined([str(n) for n in planned])
        text = f"Look {number} of {len(planned)}, with {seeds} seeds; looks are planned at {others} seeds. "
        if unplanned:
            before = words.joined([str(n) for n in dict.fromkeys(unplanned)])
            text += f"There were reports with {before} seeds before, which are not among these looks. "
        return Sentence(f"Look {number}", "planned looks", Tone.OPEN, f"{text}{rule}")
    before = words.joined([str(n) for n in dict.fromkeys(records.seeds_before)])
    text = f"The seeds were changed after reports with {before} of them, which was not planned. "
    return Sentence("Seeds", "seeds changed", Tone.OPEN, f"{text}{rule}")


def marked(records: Records, sentence: Sentence, table: str) -> Sentence:
    """The sentence of one of the verdicts that a report opens with. If anything was registered, the sentence
    also says whether this verdict was. `table` is the key of the verdict's table.

    A verdict on degradation is about one variant. It counts as registered if the trials of this variant were
    registered and the rules are unchanged. Any other verdict compares variants. It counts as registered only
    if the trials of all variants were.
    """
    if records.registered is None:
        return sentence
    stands = registration.is_registered(records, sentence.subject if table == "degradation" else None)
    return replace(sentence, text=f"{sentence.text} {'Registered.' if stands else 'Exploratory.'}")


def at_level(table: Table, level: float) -> Table:
    """The table, with the level of its intervals in its caption and headings."""
    if level == statistics.LEVEL:
        return table
    columns = tuple(replace(column, title=named_level(column.title, level)) for column in table.columns)
    return replace(table, caption=named_level(table.caption, level), columns=columns)


def named_level(text: str, level: float) -> str:
    """A caption or heading in which this level replaces the usual one."""
    if level == statistics.LEVEL:
        return text
    percent = f"{words.fixed(100 * level, 1)} %"
    p = f"p is at most {words.fixed(1 - level, 3)}"
    named = (f"{percent} interval", f"{percent} prediction interval", p)
    for old, new in zip(LEVEL_WORDS, named, strict=True):
        text = text.replace(old, new)
    return text
