"""How well text is foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from resexp.report import frames, statistics, words
from resexp.report.table import Column, Row, Table, places

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 21
CAPTION = (
    "Of the last step, in eval mode: cross-entropy of {what} in nats, on the text trained on (as far as it "
    "was measured) and on the text held out, and the latter in bits per character; mean ± standard deviation "
    "over n seeds. A diverged or failed trial has no loss and is in no mean."
)
WHAT = {"language": "the next character", "masked_language": "a masked character"}
"""What each task asks for."""
MEASURES = {"train": "train_loss", "test": "test_loss", "bits": "test_bits"}


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None where no language was learned."""
    done = frames.done(records.trials)
    if "test_bits" not in done or not pd.to_numeric(done["test_bits"], errors="coerce").notna().any():
        return None
    rows = [_row(place) for place in frames.by_place(done)]
    columns = places(
        _spread("train", "Train loss"), _spread("test", "Test loss"), _spread("bits", "Test bits")
    )
    tasks = dict.fromkeys(records.settings.get(id, {}).get("task", {}).get("kind") for id in done["id"])
    what = " or ".join(dict.fromkeys(WHAT.get(task, "a character") for task in tasks))
    return Table("language", "Language", CAPTION.format(what=what), columns, tuple(rows))


def _row(place: frames.Place) -> Row:
    row = frames.opening(place)
    for name, column in MEASURES.items():
        stats = statistics.summary(pd.to_numeric(place[2][column], errors="coerce"))
        row |= {f"{name}_mean": stats.mean, f"{name}_sd": stats.sd}
    return row


def _spread(key: str, title: str) -> Column:
    def show(row: Row) -> str:
        mean, sd = row[f"{key}_mean"], row[f"{key}_sd"]
        return words.fixed(mean, 3) + ("" if words.missing(sd) else f" ± {words.fixed(sd, 3)}")

    return Column(title, show, "per character")
