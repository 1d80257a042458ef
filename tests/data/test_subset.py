from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resexp.data.subset import pick_classes, quotas, renumbered, select
from resexp.errors import DataError

LABELS = np.repeat(np.arange(3), [60, 30, 10])


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), data=st.data())
def test_quotas_are_stratified_and_exact(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(sum(c > 0 for c in counts), sum(counts)))
    shares = quotas(counts, size)
    assert sum(shares) == size
    for share, count in zip(shares, counts, strict=True):
        assert (share > 0) == (count > 0)
        assert share <= count
        assert abs(share - size * count / sum(counts)) < len(counts) + 1


def test_proportional() -> None:
    assert quotas([5000] * 10, 1000) == (100,) * 10
    rows = select(LABELS, 50, seed=0)
    assert np.bincount(LABELS[rows]).tolist() == [30, 15, 5]
    assert (np.diff(rows) > 0).all()


def test_depends_on_the_seed_alone() -> None:
    np.random.seed(1)
    first = select(LABELS, 20, seed=7)
    np.random.seed(2)
    assert (select(LABELS, 20, seed=7) == first).all()
    assert (select(LABELS, 20, seed=8) != first).any()
    assert first.tolist()[:5] == [6, 21, 23, 24, 32]  # the same on every machine and numpy


def test_smaller_subset_lies_in_larger() -> None:
    assert set(select(LABELS, 10, 0)) < set(select(LABELS, 50, 0))


def test_classes_are_relabelled_in_the_order_given() -> None:
    assert renumbered(LABELS, (2, 0)).tolist() == [1] * 60 + [-1] * 30 + [0] * 10


@pytest.mark.parametrize(
    ("wanted", "picked"),
    [(None, (0, 1, 2)), (2, (0, 1)), (("cat", "ant"), (2, 0)), ((1,), (1,)), (("7",), (1,)), ((2,), (2,))],
)
def test_pick_classes(wanted: object, picked: tuple[int, ...]) -> None:
    assert pick_classes(("ant", "7", "cat"), wanted) == picked  # type: ignore[arg-type]


def test_a_number_is_a_position_and_never_the_name_of_another_class() -> None:
    names = ("1", "2", "3")
    assert pick_classes(names, (0,)) == (0,)
    assert pick_classes(names, ("1", "3")) == (0, 2)
    assert pick_classes(("0", "1", "2"), (2, 0)) == (2, 0)  # where both meanings agree, nothing is asked
    for wanted in ((0, 2), (1, 2), (2,)):
        with pytest.raises(DataError, match=r"may be the class at position \d, .* or the class named '\d'"):
            pick_classes(names, wanted)


def test_a_number_with_zeros_before_it_is_no_position_of_another_class() -> None:
    """YAML reads [001, 002] as the numbers 1 and 2."""
    with pytest.raises(DataError, match=r"position 1, .*'002', or the class named '001'; write \"001\""):
        pick_classes(("001", "002", "003"), (1, 2))
    with pytest.raises(DataError, match=r'no position, counted from 0, 3; .*write "003", in quotes'):
        pick_classes(("001", "002", "003"), (3,))
    assert pick_classes(("000", "001", "002"), (2, 0)) == (2, 0)
    assert pick_classes(("001", "002"), ("001",)) == (0,)


def test_names_are_compared_in_one_spelling() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert composed != decomposed
    assert pick_classes(("tea", composed), (decomposed,)) == (1,)
    assert pick_classes(("tea", decomposed), (composed,)) == (1,)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (4, "give 1 to 3"),
        (("dog",), "no class 'dog'.*ant, 7, cat"),
        (("ant", 0), "twice"),
        ((), "empty"),
        ((9,), "no position, counted from 0, 9"),
        ((7,), 'write "7", in quotes'),
        ((-1,), "-1"),
    ],
)
def test_wrong_classes(wanted: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        pick_classes(("ant", "7", "cat"), wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "says"), [(101, "there are 100"), (2, "cannot cover 3 classes")])
def test_wrong_sizes(size: int, says: str) -> None:
    with pytest.raises(DataError, match=f"data.train_size: .*{says}"):
        select(LABELS, size, 0, "data.train_size")
