"""Numbers as text."""

from __future__ import annotations

from resexp.report import words


def test_names_are_sorted_by_their_numbers() -> None:
    names = ["m", "m2", "m10", "own (bias=-7.0)", "own (bias=-6.0)", "own (bias=0.5)", "own (bias=0.25, k=3)"]
    assert sorted(names, key=words.by_value) == [*names[:5], names[6], names[5]]
    assert sorted(["resnet-110", "resnet-20"], key=words.by_value) == ["resnet-20", "resnet-110"]


def test_no_end_of_an_interval_that_excludes_0_is_shown_as_0() -> None:
    assert words.interval(0.00002, 0.0123) == "[0.002, 1.230]"
    assert words.interval(-0.0123, -0.00002, 1) == "[−1.230, −0.002]"
    assert words.interval(-0.00002, 0.0123) == "[0.00, 1.23]"
    assert words.interval(0.0, 0.0123) == "[0.00, 1.23]"
