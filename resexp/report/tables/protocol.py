"""The settings in which this run differs from the paper's recipe."""

from __future__ import annotations

from dataclasses import asdict

from resexp.report import protocol, references
from resexp.report.table import Table, text
from resexp.store import Records

ORDER = 62
CAPTION = (
    "Every setting in which some trial here differs from the paper's recipe, with the values used here. "
    "Anything that the recipe does not name, such as the paper's software, is not compared."
)


def table(records: Records) -> Table | None:
    """Rows: key, value here, the paper's value. None if no recipe is stated or nothing differs."""
    paper = references.published(records)
    rows = tuple(map(asdict, protocol.differences(records, paper.protocol, records.trials)))
    columns = (text("key", "Setting"), text("here", "Here"), text("paper", "Paper"))
    return Table("protocol", "Differences of protocol", CAPTION, columns, rows) if rows else None
