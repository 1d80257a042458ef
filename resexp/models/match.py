"""Equal budgets: the width or growth at which a variant costs what its baseline costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from resexp.models.build import network_budget

if TYPE_CHECKING:
    from resexp.models.base import Purpose
    from resexp.settings import ModelConfig


def match_size(model: ModelConfig, baseline: ModelConfig, purpose: Purpose) -> dict[str, int]:
    """The size option of `model` at which its budget (`model.match`: params or macs) is nearest to
    `baseline`'s: the connection's `growth` if it has one, else the trunk's `width`.

    Returns the option's dotted key below `model` and the size, as {"connection.growth": 17}.
    """
    growing = "growth" in model.connection.options()
    name = "growth" if growing else "width"
    start = int((model.connection if growing else model).options()[name])
    target = network_budget(baseline, purpose, model.match)

    @cache
    def budget(size: int) -> int:
        return network_budget(model, purpose, model.match, **{name: size})

    size = nearest(budget, target, start)
    return {f"connection.{name}" if growing else name: size}


def nearest(budget: Callable[[int], int], target: int, start: int) -> int:
    """The size >= 1 whose budget, which grows with it, is nearest to `target`; the smaller one in a tie.

    Budgets grow about with the square of the size, which gives the first guess.
    """
    guess = max(1, round(start * math.sqrt(target / max(1, budget(start)))))
    low = high = guess
    while low > 1 and budget(low) > target:
        low -= 1
    while budget(high) < target:
        high += 1
    return min(range(low, high + 1), key=lambda size: (abs(budget(size) - target), size))
