"""The matched size is the one that a walk from size to size finds: it is part of a trial's identity."""

from __future__ import annotations

import math
import random

import pytest

from resexp.models.match import nearest

BUDGETS = {
    "square": lambda size: 3 * size * size + size,
    "steps": lambda size: (size // 8) ** 2,
    "long steps": lambda size: 1000 * (size // 50),
    "line": lambda size: 7 * size,
    "constant": lambda size: 12,
}


def walked(budget, target: int, start: int) -> int:  # type: ignore[no-untyped-def]
    """One size after another, from the guess until the target is passed."""
    guess = max(1, round(start * math.sqrt(target / max(1, budget(start)))))
    low = high = guess
    while low > 1 and budget(low) > target:
        low -= 1
    while budget(high) < target:
        high += 1
    return min(range(low, high + 1), key=lambda size: (abs(budget(size) - target), size))


@pytest.mark.parametrize("kind", BUDGETS)
def test_nearest_is_what_a_walk_finds(kind: str) -> None:
    dice, budget = random.Random(0), BUDGETS[kind]
    for _ in range(400):
        start = dice.randint(1, 300)
        target = budget(dice.randint(1, 400)) + dice.choice([0, 0, 1, -1, 5, 500])
        if kind != "constant" or target <= 12:
            assert nearest(budget, max(0, target), start) == walked(budget, max(0, target), start)


def test_a_far_size_is_found_in_few_questions() -> None:
    asked = []

    def budget(size: int) -> int:
        asked.append(size)
        return size

    assert nearest(budget, 10**6, 1) == 10**6
    assert len(asked) < 100
