"""What is known of a data set without decoding it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resexp.data.base import Facts

FACTS = Facts((3, 8, 8), "labels", ("a", "b"), (60, 20), (5, 15), "key")


def test_chance_is_the_error_of_the_class_that_training_has_most_of() -> None:
    assert FACTS.chance() == {"train": pytest.approx(0.25), "test": pytest.approx(0.75)}
    assert replace(FACTS, targets="masks").chance() == {}
