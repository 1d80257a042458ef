"""The table of confusions: which classes were taken for which, most frequent first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_up import trial

from resexp.report import frames
from resexp.report.tables import confusion
from resexp.store import Records

FIRST = {"nine": {"nine": 6, "one": 4}, "one": {"one": 10}, "two": {"two": 9, "one": 1}}
SECOND = {"nine": {"nine": 8, "one": 2}, "one": {"one": 9, "nine": 1}, "two": {"two": 10}}


def test_confusions_are_added_over_seeds_and_shared_out_by_class(make: Callable[..., Records]) -> None:
    rows = [
        trial("plain", 8, 0, confused=FIRST),
        trial("plain", 8, 1, confused=SECOND),
        trial("residual", 8, 0, confused={"one": {"one": 10}}),
    ]
    found = confusion.table(frames.prepared(make(rows)))
    assert found is not None
    told = [(row["variant"], row["n"], row["class"], row["answer"], row["share"]) for row in found.rows]
    assert told == [
        ("plain", 2, "nine", "one", pytest.approx(0.3)),
        ("plain", 2, "one", "nine", pytest.approx(0.05)),
        ("plain", 2, "two", "one", pytest.approx(0.05)),
        ("residual", 1, None, None, None),
    ]
    assert found.cells()[0][-3:] == ["nine", "one", "30.00"] or found.cells()[0][2:4] == ["nine", "one"]
    assert "—" in found.cells()[-1] or "–" in found.cells()[-1]


def test_there_is_no_table_where_nothing_was_counted(make: Callable[..., Records]) -> None:
    assert confusion.table(frames.prepared(make([trial("plain", 8, 0)]))) is None


def test_a_class_named_by_others_cannot_harm_a_terminal(make: Callable[..., Records]) -> None:
    found = confusion.table(frames.prepared(make([trial("plain", 8, 0, confused={"a\x1b[2J": {"b": 1}})])))
    assert found is not None
    assert "\x1b" not in "".join(cell for row in found.cells() for cell in row)
