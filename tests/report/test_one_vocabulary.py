"""Claims and comparisons judge the same pairs: what one table says of a pair, the other may not deny."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import DEPTHS, of, row, trial

from resexp.report import frames
from resexp.report.build import build
from resexp.report.render import html, markdown, terminal
from resexp.report.render import json as json_format
from resexp.report.tables import claims, comparisons, degradation
from resexp.store import Records

Make = Callable[..., Records]
DIFFERENT = {"lower", "higher", "only before correction"}
MATCHES = {
    "direction agrees": {"lower", "only before correction"},
    "direction disagrees": {"higher", "only before correction"},
    "undecided": {"undecided", "equivalent"},
}
"""What a comparison may say of a pair, by the verdict on the claim that the variant is below the baseline."""
TIES = {
    "equivalent": {"equivalent", *DIFFERENT},  # a difference may be certain and smaller than the margin
    "not equivalent": {"answers one class", *DIFFERENT},
    "undecided": {"undecided", "answers one class", *DIFFERENT},
}
OPEN = ("too few seeds", "some seeds fail", "answers one class", "not comparable")
BASE = "residual"


def drawn(seed: int) -> dict[str, list[float | None]]:
    """Errors of a baseline and eight variants: near it, apart, bimodal, and some of them diverged."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))

    def errors() -> list[float | None]:
        mean, sd = 0.2 + rng.choice([0, 0.01, 0.03]), rng.choice([0.001, 0.01])
        values = rng.normal(mean, sd, n)
        values = np.where(rng.random(n) < rng.choice([0, 0, 0.4]), 0.85, values)
        lost = rng.random(n) < rng.choice([0, 0, 0, 0.5, 1])
        return [None if gone else float(value) for value, gone in zip(values, lost, strict=True)]

    found = {name: errors() for name in (BASE, *(f"plain ({k})" for k in range(8)))}
    return {**found, BASE: [0.2, *found[BASE][1:]]}  # a baseline without any result would not be it


def measured(errors: dict[str, list[float | None]]) -> list[dict[str, Any]]:
    return [
        trial(
            variant.split(" ")[0],
            8,
            seed,
            "diverged" if error is None else "done",
            variant=variant,
            id=f"{variant} {seed}",
            train_error=error,
            test_error=error,
            train_chance=0.9,
            test_chance=0.9,
            test_examples=400,
            train_examples=400,
            test_most_answered=1.0 if variant == "plain (7)" else 0.5,
            **{"model.name": variant},
        )
        for variant, values in errors.items()
        for seed, error in enumerate(values)
    ]


def claim(variant: str, **changes: Any) -> dict[str, Any]:
    sides = {"lower": {"model.name": variant}, "higher": {"model.name": BASE}}
    return {"say": f"{variant}{changes}", **sides, "metric": "test_error", "source": "A", **changes}


def both(errors: dict[str, list[float | None]], make: Make) -> list[tuple[str, str, str]]:
    """The verdicts on each variant: that it is lower, that it ties, and in comparison with the baseline."""
    variants = [variant for variant in errors if variant != BASE]
    stated = [claim(variant, **tie) for variant in variants for tie in ({}, {"within": 0.01})]
    records = frames.prepared(make(measured(errors), published={"claims": stated}))
    claimed = claims.table(records)
    compared = comparisons.table(records)
    assert claimed is not None
    if compared is None:
        return []
    lower, ties = claimed.rows[::2], claimed.rows[1::2]
    assert "residual, the residual connection" in compared.caption
    seen = [row(compared, variant=variant, error="test")["verdict"] for variant in variants]
    return [(a["verdict"], b["verdict"], c) for a, b, c in zip(lower, ties, seen, strict=True)]


def test_the_two_tables_never_contradict_each_other(make: Make) -> None:
    found = [verdicts for seed in range(20) for verdicts in both(drawn(seed), make)]
    for lower, tie, compared in found:
        if compared in OPEN:
            assert compared == lower
            assert compared in TIES.get(tie, {tie})
        else:
            assert compared in MATCHES[lower]
            assert compared in TIES[tie]
    assert {*DIFFERENT, "equivalent", "undecided", *OPEN[:3]} == {compared for *_, compared in found}


def test_a_difference_that_the_correction_takes_away_is_called_so_in_every_format(make: Make) -> None:
    """Alone, the claim agrees. Among eight comparisons, the difference is there only before correction."""
    errors: dict[str, list[float | None]] = {BASE: [0.2, 0.21, 0.22], "plain (0)": [0.17, 0.18, 0.19]}
    rng = np.random.default_rng(0)
    errors |= {f"plain ({k})": [*map(float, rng.normal(0.21, 0.01, 3))] for k in range(1, 7)}
    assert both(errors, make)[0] == ("direction agrees", "undecided", "only before correction")
    report = build(make(measured(errors), published={"claims": [claim("plain (0)")]}))
    (said,) = [sentence for sentence in report.sentences if sentence.badge == "only before correction"]
    assert said.tone == "open"
    assert said.text.startswith(
        "plain (0) at depth 8: the test error differs from that of residual by an unc"
    )
    for module in (html, markdown, terminal, json_format):
        shown = " ".join(module.render(report).split())
        assert "only before correction" in shown
        assert "direction agrees" in shown


@pytest.mark.parametrize("deep", [[0.215, 0.22, 0.225], [0.23, 0.235, 0.24], [0.195, 0.2, 0.205]])
def test_a_claim_about_the_best_shallower_depth_has_the_interval_of_degradation(
    deep: list[float], make: Make
) -> None:
    errors = {8: [0.2, 0.21, 0.19], 20: [0.2, 0.19, 0.215], 56: deep}
    rows = [
        trial("plain", depth, seed, train_error=error, test_error=error, id=f"{depth} {seed}")
        for depth, values in errors.items()
        for seed, error in enumerate(values)
    ]
    places = [{"model.connection": "plain", "model.depth": depth} for depth in ("best_shallower", "deepest")]
    sides = {"lower": places[0], "higher": places[1]}
    stated = {"say": "s", "metric": "train_error", "source": "A"}
    turned = {"lower": places[1], "higher": places[0]}
    records = frames.prepared(make(rows, published={"claims": [stated | sides, stated | turned]}))
    claimed, gap = of(claims, records), row(of(degradation, records), depth=56)
    deeper, shallower = claimed.rows
    assert (deeper["difference"], deeper["low"], deeper["high"]) == pytest.approx(
        (gap["gap"], gap["gap_low"], gap["gap_high"])
    )
    assert (shallower["low"], shallower["high"]) == pytest.approx((-gap["gap_high"], -gap["gap_low"]))
    assert (deeper["verdict"] == "direction agrees") == (gap["gap_low"] > 0)
    assert (deeper["p"] <= 0.05) == (gap["gap_low"] > 0 or gap["gap_high"] < 0)
    assert "corrected for having looked at every shallower depth" in claimed.caption


def test_more_seeds_are_asked_for_by_claims_and_published_values_that_are_open(make: Make) -> None:
    """At several depths the report opens with degradation, and comparisons ask for nothing."""
    rows = [
        trial("plain", depth, seed, train_error=error, test_error=0.05 * seed)
        for depth, errors in {8: [0.1, 0.1, 0.1], 20: [0.1, 0.1001, 0.1]}.items()
        for seed, error in enumerate(errors)
    ]
    number = {"when": {"model.depth": 8}, "metric": "test_error", "value": 0.06, "source": "A"}
    number |= {"statistic": "single", "tier": "exact"}
    paper = {"protocol": {"data": "digits"}, "references": [number]}
    report = build(make(rows, published=paper))
    published = report.table("published")
    assert published is not None
    assert published.rows[0]["verdict"] == "compatible, too imprecise to tell"
    assert report.undecided == (published.rows[0]["case"],)
    assert build(make(rows, published={})).undecided == ()
    several = [*rows, *(trial("residual", 8, seed, train_error=0.1, test_error=0.1) for seed in range(3))]
    compared = build(make(several, published={}))
    assert row(compared.table("comparisons"), error="test")["verdict"] == "undecided"
    assert compared.undecided == ()


def test_at_looks_captions_of_figures_name_the_level_and_no_power_is_promised(complete: Records) -> None:
    rows = [trial(c, d, s) for c in ("plain", "residual") for d in DEPTHS for s in range(3)]
    rows += [
        {**trial("plain", 20, s), "depth": 14, "model.depth": 14, "id": f"plain14-{s}"} for s in range(3)
    ]
    for look, level, promised in ((None, "95 %", True), ({"seeds": 3, "planned": [3, 5]}, "98.3 %", False)):
        report = build(replace(complete, trials=pd.DataFrame(rows), look=look))
        (pareto,) = [drawing for drawing in report.drawings if drawing.key == "pareto"]
        assert f"the table's {level} interval" in pareto.caption
        table = report.table("degradation")
        assert table is not None
        assert ("three standard deviations" in table.caption) == promised
