"""How often the report's rules err, and find: on made-up distributions and on a bank of real runs.

`python tests/report/rules.py` prints the closing table, which stands in LOG.md.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resexp.plan.looks import LEVEL as LOOK_LEVEL
from resexp.plan.looks import LOOKS
from resexp.report import failed_seeds, pairs, statistics
from resexp.report.tables import degradation

BANK = Path(__file__).with_name("seed_bank.csv.gz")
"""Train and test errors of 200 seeds of six settings (`configs/seed_bank.yaml`)."""
TRAIN, TEST, CHANCE = 1437, 360, 0.898
"""Examples of the digits' train and test set, and what the most frequent class errs."""

Errors = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Errors]
"""Errors of n seeds."""


@cache
def bank() -> Mapping[str, Mapping[str, Errors]]:
    """Setting -> "train" and "test" -> the errors of its seeds."""
    with gzip.open(BANK, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    settings = dict.fromkeys(row["setting"] for row in rows)
    return {
        setting: {
            split: np.array([float(row[f"{split}_error"]) for row in rows if row["setting"] == setting])
            for split in ("train", "test")
        }
        for setting in settings
    }


def made_up() -> dict[str, Draw]:
    """Distributions with an sd of about a point around an error of 30 %."""
    return {
        "normal": lambda rng, n: rng.normal(0.3, 0.01, n),
        "skewed": lambda rng, n: 0.29 + rng.exponential(0.01, n),
        "bimodal": lambda rng, n: np.where(rng.random(n) < 0.2, 0.8, 0.3) + rng.normal(0, 0.01, n),
    }


def drawn(errors: Errors) -> Draw:
    """Seeds of the bank, none twice in one draw."""
    return lambda rng, n: rng.choice(errors, n, replace=False)


@dataclass(frozen=True)
class Outcome:
    """Of many draws: the share with a verdict for either side, with a tie, and the mean seeds per side."""

    decided: float
    tie: float
    seeds: float


def compared(
    a: Draw,
    b: Draw,
    looks: Sequence[int],
    level: float,
    *,
    examples: int | None,
    draws: int,
    shift: float = 0,
) -> Outcome:
    """Comparisons of seeds from `a` with seeds from `b` plus `shift`, until decided."""
    rng = np.random.default_rng(0)
    verdicts: list[str] = []
    seeds: list[int] = []
    for _ in range(draws):
        mine, other = a(rng, looks[-1]), b(rng, looks[-1]) + shift
        verdict = ""
        for n in looks:
            verdict = _verdict(mine[:n], other[:n], level, examples)
            if verdict != "undecided":
                break
        verdicts.append(verdict)
        seeds.append(n)
    one_sided = sum(verdict in ("lower", "higher") for verdict in verdicts) / draws
    return Outcome(one_sided, verdicts.count("equivalent") / draws, float(np.mean(seeds)))


def _verdict(a: Errors, b: Errors, level: float, examples: int | None) -> str:
    estimated = partial(statistics.difference, a, b, examples=examples, level=level)
    found = pairs.evidence([(b, a)], estimated, mixed=any(apart(side) for side in (a, b)))
    return str(pairs.compared(found, found.p, level))


def apart(errors: Errors) -> bool:
    failures = failed_seeds.failures(errors, CHANCE)
    return failures is not None and failures.mixed


def degrades(
    cells: Sequence[Draw], looks: Sequence[int], level: float, *, examples: int | None, draws: int
) -> Outcome:
    """Degradation at the last of several depths, until decided."""
    rng = np.random.default_rng(0)
    found: list[str] = []
    seeds: list[int] = []
    for _ in range(draws):
        errors = {depth: draw(rng, looks[-1]) for depth, draw in enumerate(cells)}
        for n in looks:
            now = {depth: x[:n] for depth, x in errors.items() if not apart(x[:n])}
            badge = "undecided"
            if len(cells) - 1 in now:
                gap = statistics.degradation(now, len(cells) - 1, examples=examples, level=level)
                if gap is not None and gap.low is not None and gap.high is not None:
                    badge = str(degradation.verdict(gap.value, gap.low, gap.high)[0])
            if badge != "undecided":
                break
        found.append(badge)
        seeds.append(n)
    worse = sum(badge.startswith("degrades") for badge in found) / draws
    return Outcome(worse, sum(badge.startswith("does not") for badge in found) / draws, float(np.mean(seeds)))


RULES = {
    "3 seeds": ((3,), statistics.LEVEL),
    "5 seeds": ((5,), statistics.LEVEL),
    "until decided": (LOOKS, LOOK_LEVEL),
}
"""Name -> the looks of the rule, and the level of each."""


def sources() -> dict[str, tuple[Draw, float, int | None]]:
    """Name -> draws, their sd, and the examples that errors are shares of."""
    rng = np.random.default_rng(0)
    invented = {name: (draw, float(np.std(draw(rng, 20_000))), None) for name, draw in made_up().items()}
    real = {
        f"{setting}, {split} error": (drawn(errors[split]), float(errors[split].std(ddof=1)), examples)
        for setting, errors in bank().items()
        for split, examples in (("train", TRAIN), ("test", TEST))
    }
    return invented | real


def table(draws: int) -> list[tuple[str, ...]]:
    """A row per source and rule: errors without an effect, findings at 2 sd, seeds per side, degradation."""
    rows = [("source", "rule", "wrong", "found at 2 sd", "tie at 2 sd", "seeds at 2 sd", "degrades, wrongly")]
    for name, (draw, sd, examples) in sources().items():
        for rule, (looks, level) in RULES.items():
            same = compared(draw, draw, looks, level, examples=examples, draws=draws)
            apart_by_2 = compared(draw, draw, looks, level, examples=examples, draws=draws, shift=2 * sd)
            depth = degrades([draw] * 5, looks, level, examples=examples, draws=draws // 2)
            numbers = (same.decided, apart_by_2.decided, apart_by_2.tie)
            shown = (*(f"{100 * x:.1f} %" for x in numbers), f"{apart_by_2.seeds:.1f}")
            rows.append((name, rule, *shown, f"{100 * depth.decided:.1f} %"))
    return rows


if __name__ == "__main__":
    lines = table(1000)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
