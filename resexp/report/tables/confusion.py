"""How often networks take one class for another, such as one spoken word for another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from resexp.report import frames, words
from resexp.report.table import Row, Table, number, places, text
from resexp.store import Records

ORDER = 24
SHOWN = 3
CAPTION = (
    "The most frequent confusions of each network on the test set at the end of training: the share of a "
    "class's examples that were taken for another class. Numbers of examples are added over n seeds. At most "
    "three confusions are shown for each network, the most frequent first. A dash means that there was none. "
    "The error over all classes is the test error."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth x confusion. None if no trial counted confusions."""
    done = frames.done(records.trials)
    if "confused" not in done or done["confused"].isna().all():
        return None
    rows = [row for place in frames.by_depth(done.dropna(subset=["confused"])) for row in _rows(place)]
    columns = (
        *places(text("class", "Class"), text("answer", "Taken for")),
        number("share", "Share of the class", words.percent, "%"),
    )
    return Table("confusion", "Confusion between classes", CAPTION, columns, tuple(rows))


def _rows(place: frames.DepthGroup) -> Iterator[Row]:
    counts, totals = _counts(place.rows)
    wrong = {pair: counts[pair] / totals[pair[0]] for pair in counts if pair[0] != pair[1]}
    most = sorted(wrong, key=lambda pair: (-wrong[pair], pair))[:SHOWN]
    if not most:
        yield frames.row_keys(place, **{"class": None, "answer": None}) | {"share": None}
    for name, answer in most:
        yield frames.row_keys(place, **{"class": name, "answer": answer}) | {"share": wrong[name, answer]}


def _counts(trials: pd.DataFrame) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """How many examples each (class, answer) and each class has, over all trials."""
    pairs, totals = Counter[tuple[str, str]](), Counter[str]()
    for confused in trials["confused"]:
        for name, answers in confused.items():
            pairs.update({(name, answer): count for answer, count in answers.items()})
            totals[name] += sum(answers.values())
    return pairs, totals
