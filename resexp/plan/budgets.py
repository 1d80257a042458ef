"""Says how nearly `model.match` has made the budgets of networks equal. It can only choose whole sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from resexp.text import called

NAMES = {"params": "parameters", "macs": "MACs"}
"""The budgets that can be matched, with their names in texts."""
NEAR = (0.95, 1.05)
"""Budgets whose factor lies between these count as equal."""


class Sized(NamedTuple):
    """A network of a plan: `match` is its setting, and `sizes` are its budgets by the keys of NAMES."""

    variant: str
    plain: bool
    depth: int
    match: str
    sizes: Mapping[str, float | None]


def is_near(factors: Iterable[float]) -> bool:
    return all(NEAR[0] <= factor <= NEAR[1] for factor in factors)


def times(factors: Iterable[float]) -> str:
    """The factors as text: `0.89 to 1.24 times`."""
    found = list(factors)
    return f"{' to '.join(dict.fromkeys(f'{end:.2f}' for end in (min(found), max(found))))} times"


def described(networks: Sequence[Sized]) -> Iterator[str]:
    """For each matched budget, how far the networks are from the plain ones of the same depth. If there are
    none to compare with, the smallest and the largest. Variants are named if others are not matched.
    """
    for budget, name in NAMES.items():
        matched = {network.variant: None for network in networks if network.match == budget}
        if not matched:
            continue
        others = any(not network.plain and network.variant not in matched for network in networks)
        subject = f"{', '.join(map(called, matched))} " if others else ""
        factors = by_variant(networks, budget)
        if factors is None:
            yield f"{subject}matched in {name}{_spread(networks, budget)}"
        elif every := [factor for own in factors.values() for factor in own]:
            yield f"{subject}matched in {name}: {times(every)} those of the plain network"


def warnings(networks: Sequence[Sized]) -> Iterator[str]:
    """A sentence for each variant whose matched budget is not near the plain network's."""
    for budget, name in NAMES.items():
        factors = by_variant(networks, budget)
        if factors is None:
            smallest, largest, _ = _widest(networks, budget)
            if not is_near([largest / smallest]):
                yield f"Networks are matched in {name} only roughly{_spread(networks, budget)}."
            continue
        for variant, own in factors.items():
            if not is_near(own):
                yield f"{called(variant)} is matched only roughly: {times(own)} the plain network's {name}."


def other_groups(models: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence if sizes are matched in networks with group norm. `models` are the settings of trials at the
    key `model`.
    """
    if any(model.get("norm") == "group" and model.get("match", "none") != "none" for model in models):
        yield (
            "Group norm has as many groups as the greatest common divisor of 32 and the number of channels, "
            "so networks of matched sizes may differ in their norm, too."
        )


def by_variant(networks: Sequence[Sized], budget: str) -> dict[str, list[float]] | None:
    """The factors of each matched variant's budgets to those of the plain network of the same depth. None if
    one of them has no such network beside it, or plain ones of several sizes.
    """
    plain: dict[int, set[float | None]] = defaultdict(set)
    for network in networks:
        if network.plain:
            plain[network.depth].add(network.sizes.get(budget))
    factors: dict[str, list[float]] = {}
    for network in networks:
        if network.match != budget or network.plain or not (size := network.sizes.get(budget)):
            continue
        base = plain[network.depth]
        if len(base) != 1 or not (other := next(iter(base))):
            return None
        factors.setdefault(network.variant, []).append(size / other)
    return factors


def _widest(networks: Sequence[Sized], budget: str) -> tuple[float, float, int]:
    """The smallest and largest matched budget at the depth at which their factor is greatest."""
    sizes: dict[int, list[float]] = defaultdict(list)
    for network in networks:
        if network.match == budget and (size := network.sizes.get(budget)):
            sizes[network.depth].append(size)
    ends = [(min(own), max(own), depth) for depth, own in sizes.items()]
    return max(ends, key=lambda each: each[1] / each[0])


def _spread(networks: Sequence[Sized], budget: str) -> str:
    smallest, largest, depth = _widest(networks, budget)
    if smallest == largest:
        return ""
    return f": {smallest:,.0f} to {largest:,.0f} at depth {depth}, a factor of {largest / smallest:.2f}"
