"""Equal budgets: finds the width or growth at which a variant costs as much as its baseline."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from resexp.models.build import network_budget
from resexp.models.cost import too_large

if TYPE_CHECKING:
    from resexp.config.settings import ModelConfig
    from resexp.models.base import Purpose

MOST_DEPTH = 1_300
"""The most layers that a network may have if its size is matched, since about eight sizes are tried."""


def match_size(model: ModelConfig, baseline: ModelConfig, purpose: Purpose) -> dict[str, int]:
    """The size option of `model` with which its budget (`model.match`: params or macs) is nearest to
    `baseline`'s. The option is the connection's `growth` if it has one, otherwise the trunk's `width`.

    Returns the option's dotted key below `model` and the size, for example {"connection.growth": 17}.

    Raises:
        ConfigError: the network is too deep for several sizes to be tried in reasonable time.
    """
    if model.depth > MOST_DEPTH:
        wrong = f"a network of {model.depth:,} layers is too deep for its size to be matched"
        raise too_large(wrong, f"at most {MOST_DEPTH:,} are possible, or match: none and a width of your own")
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
    """The size >= 1 whose budget is nearest to `target`. Budgets must never fall as the size grows. If
    several sizes are equally near, which of them is returned depends on `start`.

    The first guess assumes that budgets grow with the square of the size. From there, larger and larger
    strides are taken until the target lies between the budgets of two sizes. The nearest size between these
    two is then found by bisection.
    """
    guess = max(1, round(start * math.sqrt(target / max(1, budget(start)))))
    low = high = guess
    stride = 1
    while low > 1 and budget(low) > target:
        low, stride = max(1, low - stride), 2 * stride
    while budget(high) < target:
        high, stride = high + stride, 2 * stride
    if low < guess:  # compare the largest size whose budget is at most the target with the next size
        above = bisect_right(range(low, high), target, key=budget) + low
        return min((max(1, above - 1), above), key=lambda size: (abs(budget(size) - target), size))
    # `above` is the smallest size whose budget reaches the target. It is compared with `below`: the smallest
    # of the sizes that have the same budget as the size just below `above`.
    above = bisect_left(range(low, high), target, key=budget) + low
    below = bisect_left(range(low, above), budget(max(low, above - 1)), key=budget) + low
    return min((below, above), key=lambda size: (abs(budget(size) - target), size))
