"""Calls errors by another name if all trials of a report are of tasks that do so. A task says it in its class
as `error_name`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from resexp.plan.error_name import ERROR, error_name

if TYPE_CHECKING:
    from resexp.report.table import Column, Row, Sentence, Table
    from resexp.store import Records

WORD = re.compile(r"\b([Ee])rror(s?)\b")
METRIC = re.compile(r"\b(train|training|test|validation) error\b")
CHANCE = {
    "regret": (
        ("always answering the most frequent class errs on", "acting blindly has a regret of"),
        ("lways answering the most frequent class", "cting blindly"),
        ("most frequent class", "acting blindly"),
    )
}
"""What a network is compared with that has learned nothing: a classifier, and in its place a player."""


def name_of(records: Records) -> str:
    """What the errors of these trials are called: "error", unless all of them have another name in common."""
    trials = records.settings.items()
    names = {error_name(settings, records.plugins.get(id, ())) for id, settings in trials}
    return names.pop() if len(names) == 1 else ERROR


def named(text: str, name: str) -> str:
    """A text of a report in which errors are called by this name."""
    if name == ERROR:
        return text
    for old, new in CHANCE.get(name, ()):
        text = text.replace(old, new)
    return WORD.sub(lambda found: (name.capitalize() if found[1] == "E" else name) + found[2], text)


def renamed(table: Table, name: str) -> Table:
    """A table that calls errors by this name. In cells, only the names of metrics are replaced."""
    if name == ERROR:
        return table

    def said(sentence: Sentence) -> Sentence:
        return replace(sentence, text=named(sentence.text, name))

    def headed(column: Column) -> Column:
        def show(row: Row) -> str:
            return METRIC.sub(lambda found: f"{found[1]} {name}", column.show(row))

        return replace(column, title=named(column.title, name), show=show)

    return replace(
        table,
        title=named(table.title, name),
        caption=named(table.caption, name),
        columns=tuple(map(headed, table.columns)),
        sentences=tuple(map(said, table.sentences)),
    )
