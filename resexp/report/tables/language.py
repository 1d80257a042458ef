"""How well text is predicted."""

from __future__ import annotations

import pandas as pd

from resexp.report import frames, words
from resexp.report.table import Column, Row, Table, places, plain_spread, spread_cells, text
from resexp.store import Records

ORDER = 21
CAPTION = (
    "Cross-entropy of {what} after the last step, in eval mode: in nats on training text (as much of it as "
    "was measured), in nats on held-out text, and in bits per character on held-out text. Values are mean ± "
    "standard deviation over n seeds. A diverged or failed trial has no loss and is in no mean."
)
NGRAMS = (
    " The trigram count predicts a held-out character from the two before it, by smoothed counts in the "
    "training text (MacKay and Peto 1995). It uses at most the first 10 million characters of either text. "
    "A network that is worse has learned less than that table of counts."
)
WHAT = {"language": "the next character", "masked_language": "a masked character"}
"""What a network predicts in each task."""
MEASURES = {"train": "train_loss", "test": "test_loss", "bits": "test_bits"}


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no trial has a language task."""
    done = frames.done(records.trials)
    if "test_bits" not in done or not pd.to_numeric(done["test_bits"], errors="coerce").notna().any():
        return None
    rows = [_row(cell) for cell in frames.by_depth(done)]
    titles = {"train": "Train loss", "test": "Test loss", "bits": "Test bits"}
    columns = places(*(plain_spread(key, title, 3, "per character") for key, title in titles.items()))
    tasks = dict.fromkeys(records.settings.get(id, {}).get("task", {}).get("kind") for id in done["id"])
    counted = any(row["trigram"] is not None for row in rows)
    if counted:
        columns = (*columns, Column("Trigram count", lambda r: words.fixed(r["trigram"], 3), "per character"))
        columns = (*columns, text("beside", "Compared with it"))
    what = " or ".join(dict.fromkeys(WHAT.get(task, "a character") for task in tasks))
    return Table(
        "language", "Language", CAPTION.format(what=what) + (NGRAMS if counted else ""), columns, tuple(rows)
    )


def _row(cell: frames.DepthGroup) -> Row:
    row = frames.row_keys(cell)
    losses = pd.to_numeric(cell.rows.get("trigram_loss", pd.Series(dtype=float)), errors="coerce")
    row["trigram"] = frames.value(losses.mean())
    for name, column in MEASURES.items():
        row |= spread_cells(name, pd.to_numeric(cell.rows[column], errors="coerce"))
    row["beside"] = _beside(row["test_mean"], row["trigram"])
    return row


def _beside(loss: float | None, trigram: float | None) -> str:
    """Whether a network's mean test loss is better or worse than that of the trigram count."""
    if loss is None or trigram is None:
        return ""
    return "worse than counting" if loss >= trigram else "better than counting"
