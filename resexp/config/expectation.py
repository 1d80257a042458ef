"""Parses the expectations of `resexp check`. Each is one line, and none is run as code:

    residual does not degrade                                 also: degrades, trains
    test_error(residual, 56) < 0.03                           or < 3 %
    test_error(residual, 56) < test_error(plain, 56)
    test_error(skip, 56) < test_error(residual, 56) + 0.01    skip is at most one point worse

A variant is written as reports label it, such as `residual`, `residual (shortcut=projection)`, or `skip` and
`skip (concatenation)`, which are the same. The number after it is the depth; without one, the greatest depth
of that variant is meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, cast

from resexp.catalog.scan import suggest
from resexp.text import label

Claim = Literal["degrades", "does not degrade", "trains"]
LEFT = "write METRIC(VARIANT, DEPTH) on the left"
RIGHT = "write on the right a number such as 0.03 or 3 %, or METRIC(VARIANT, DEPTH) + MARGIN"
Sign = Literal["<", "<=", ">", ">="]
CLAIMS: tuple[Claim, ...] = ("does not degrade", "degrades", "trains")
METRICS = (
    *("train_error", "validation_error", "test_error", "train_loss", "validation_loss", "test_loss"),
    *("seconds", "step_seconds", "peak_memory_bytes", "params", "macs"),
)
_COMPARED = re.compile(r"(?P<left>[^<>]+?)\s*(?P<sign><=|>=|<|>)\s*(?P<right>[^<>]+)")
_SIDE = re.compile(r"(?P<metric>\w+)\s*\(\s*(?P<variant>.+?)\s*(?:,\s*(?P<depth>\d{1,6})\s*)?\)")
_NUMBER = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?P<percent>%?)", re.IGNORECASE)
_MARGIN = re.compile(r"(?P<side>.+\))\s*(?P<margin>[+-]\s*[^()]+)")


class NotUnderstoodError(ValueError):
    """A text is not an expectation. `right` says what would be right."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(wrong)
        self.right = right


@dataclass(frozen=True)
class Side:
    """A metric of one variant at one depth. The depth None means the greatest depth of that variant."""

    metric: str
    variant: str
    depth: int | None


@dataclass(frozen=True)
class Expectation:
    """One expectation: a claim about `variant`, or a comparison. For a comparison, `claim` is None.

    A comparison expects `left - right`, or `left` if `right` is None, to be below or above `bound`; `sign`
    says which.
    """

    text: str
    variant: str = ""
    claim: Claim | None = None
    left: Side | None = None
    sign: Sign = "<"
    right: Side | None = None
    bound: float = 0.0


def parse(text: str) -> Expectation:
    """The expectation in a text. Raises NotUnderstoodError."""
    text = " ".join(text.split())
    for claim in CLAIMS:
        if text.endswith(f" {claim}"):
            return Expectation(text, variant=label(text.removesuffix(claim).strip()), claim=claim)
    match = _COMPARED.fullmatch(text)
    if match is None:
        right = f"write METRIC(VARIANT, DEPTH) < NUMBER, or a variant with one of {', '.join(CLAIMS)}"
        raise NotUnderstoodError("is neither a comparison nor a claim", right)
    left = _side(match["left"], LEFT)
    side, bound = _right(match["right"], left.metric)
    return Expectation(text, left=left, sign=cast("Sign", match["sign"]), right=side, bound=bound)


def unknown(expectation: Expectation, depths: Mapping[str, Collection[int]]) -> Iterator[tuple[str, str]]:
    """For each variant or depth that an expectation names but that does not exist: what is wrong, and what
    would be right. `depths` has the depths of each variant.
    """
    if expectation.claim and expectation.variant not in depths:
        yield f"there is no variant {expectation.variant!r}", suggest(expectation.variant, depths)
    for side in filter(None, (expectation.left, expectation.right)):
        if side.variant not in depths:
            yield f"there is no variant {side.variant!r}", suggest(side.variant, depths)
        elif side.depth is not None and side.depth not in depths[side.variant]:
            has = ", ".join(map(str, sorted(depths[side.variant])))
            yield f"there is no depth {side.depth}", f"{side.variant} has {has}"


def _side(text: str, right: str) -> Side:
    """The side in a text. `right` says what to write there instead of anything else."""
    match = _SIDE.fullmatch(text)
    if match is None:
        raise NotUnderstoodError(f"has {text!r}", right)
    if match["depth"] is None and re.search(r",\s*\d+$", match["variant"]):
        raise NotUnderstoodError("has too large a depth", "give at most six digits")
    if match["metric"] not in METRICS:
        raise NotUnderstoodError(f"{match['metric']} is not a metric", suggest(match["metric"], METRICS))
    return Side(match["metric"], label(match["variant"]), int(match["depth"]) if match["depth"] else None)


def _right(text: str, metric: str) -> tuple[Side | None, float]:
    """The right of a comparison: either a side and the margin added to it, or None and a number."""
    if _NUMBER.fullmatch(text):
        return None, _number(text, metric)
    with_margin = _MARGIN.fullmatch(text)
    side = _side(with_margin["side"] if with_margin else text, RIGHT)
    if side.metric != metric:
        wrong = f"compares {metric} with {side.metric}"
        raise NotUnderstoodError(wrong, "compare one metric with itself, or with a number")
    return side, _number(with_margin["margin"], metric, margin=True) if with_margin else 0.0


def _number(text: str, metric: str, *, margin: bool = False) -> float:
    match = _NUMBER.fullmatch(text.replace("- ", "-").replace("+ ", "+"))
    if match is None:
        raise NotUnderstoodError(f"has {text!r}", "give a number, such as 0.03 or 3 %")
    value = float(match["number"])
    if not metric.endswith("_error"):
        if match["percent"] or not isfinite(value):
            raise NotUnderstoodError(f"gives {text} for {metric}", "give a finite number, without %")
        return value
    value /= 100 if match["percent"] else 1
    if not -1 < value < 1 or (value <= 0 and not margin):
        right = "give a fraction between 0 and 1, or a percentage such as 3 %"
        raise NotUnderstoodError(f"gives {text} as an error, which decides nothing", right)
    return value
