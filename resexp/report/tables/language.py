"""How well text is predicted."""

from __future__ import annotations

import pandas as pd

from resexp.report import frames, pairs, statistics, words
from resexp.report.table import Column, Row, Table, places, plain_spread, spread_cells, text
from resexp.report.verdict import Verdict
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
    "It knows both also at the beginning of a network's window, where the network sees fewer, so it has an "
    "advantage if windows are only a few characters long. "
    "A network that is worse has learned less than that table of counts. It is called better or worse if the "
    "95 % interval of the difference in test loss (Student's, over seeds) excludes 0. Fewer than three seeds "
    "decide nothing."
)
WHAT = {"language": "the next character", "masked_language": "a masked character"}
"""What a network predicts in each task."""
COUNTED = {
    Verdict.DIRECTION_AGREES: "worse than counting",
    Verdict.DIRECTION_DISAGREES: "better than counting",
}
"""What the verdicts on the claim that the trigram count is lower say of the network."""
MEASURES = {"train": "train_loss", "test": "test_loss", "bits": "test_bits"}


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no trial has a language task."""
    done = frames.done(records.trials)
    if frames.numbers(done, "test_bits").isna().all():
        return None
    level = statistics.level_of(records)
    rows = [_row(cell, level) for cell in frames.by_depth(done)]
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


def _row(cell: frames.DepthGroup, level: float) -> Row:
    row = frames.row_keys(cell)
    trigrams = frames.numbers(cell.rows, "trigram_loss")
    row["trigram"] = frames.value(trigrams.mean())
    for name, column in MEASURES.items():
        row |= spread_cells(name, frames.numbers(cell.rows, column))
    row["beside"] = _beside(frames.numbers(cell.rows, "test_loss"), trigrams, level)
    return row


def _beside(losses: pd.Series[float], trigrams: pd.Series[float], level: float) -> str:
    """Whether networks have a lower test loss than the trigram count; "" if one of the two is not known."""
    found = statistics.contrast([(losses - trigrams).dropna()], [1], level=level)
    if found is None:
        return ""
    verdict = pairs.of_interval(found.low, found.high, "lower", None)
    return COUNTED.get(verdict, verdict.value)
