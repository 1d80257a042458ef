"""Updates by layer: thirds of the depth, a sentence a variant, and Drozdzal's picture."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from made_up import make_records, trial

from resexp.report.build import build
from resexp.store import Records


def readings(row: dict[str, Any], at: float, values: list[float]) -> list[dict[str, Any]]:
    return [
        {
            **{"id": row["id"], "probe": "update_ratio", "step": 3, "at": at, "name": "update_ratio"},
            **{"layer": f"blocks.{i}.branch.layer1", "index": i, "value": value},
        }
        for i, value in enumerate(values)
    ]


@pytest.fixture
def records() -> Records:
    """A plain net whose middle third of six layers learns at a tenth of the rate, and a residual one."""
    rows = [
        trial(kind, depth, seed) for kind in ("plain", "residual") for depth in (8, 20) for seed in (0, 1)
    ]
    probes = []
    for row in rows:
        middle = 1e-3 if row["connection"] == "plain" and row["depth"] == 20 else 1e-2
        luck = 2.0 if row["seed"] else 0.5
        for at, rate in ((0.0, 0.0), (0.1, 1.0), (0.5, 0.1)):
            values = [1e-2, 1e-2, middle, middle, 1e-2, 1e-2]
            probes += readings(row, at, [rate * luck * value for value in values])
    return make_records(rows, probes=pd.DataFrame(probes))


def test_thirds_of_the_layers(records: Records) -> None:
    table = build(records).table("update_ratio")
    assert table is not None
    assert len(table.rows) == 2 * 2 * 2, "at initialisation the rate is 0: nothing is updated"
    (found,) = [r for r in table.rows if (r["variant"], r["depth"], r["at"]) == ("plain", 20, 0.1)]
    assert found["n"] == 2
    assert (found["first"], found["middle"], found["last"]) == pytest.approx((1e-2, 1e-3, 1e-2))
    assert found["middle_to_ends"] == pytest.approx(0.1)


def test_layers_that_are_not_updated_keep_their_places() -> None:
    rows = [trial("plain", 8, 0), trial("residual", 8, 0)]
    values = {"plain": [1e-2, 1e-2, 1e-3, 0.0, 0.0, 1e-2], "residual": [1e-2, 1e-2, 0.0, 0.0, 1e-2, 1e-2]}
    probes = [reading for row in rows for reading in readings(row, 0.5, values[row["connection"]])]
    table = build(make_records(rows, probes=pd.DataFrame(probes))).table("update_ratio")
    assert table is not None
    plain, residual = table.rows
    assert [plain[part] for part in ("first", "middle", "last")] == pytest.approx([1e-2, 1e-3, 1e-2])
    assert (residual["middle"], residual["middle_to_ends"]) == (0.0, 0.0)


def test_n_counts_the_networks_that_were_read_at_this_moment() -> None:
    rows = [trial("plain", 8, seed) for seed in range(3)]
    probes = [each for row in rows for each in readings(row, 0.5, [1e-2] * 6)]
    probes += readings(rows[0], 1.0, [1e-2] * 6)
    table = build(make_records(rows, probes=pd.DataFrame(probes))).table("update_ratio")
    assert table is not None
    assert [(row["when"], row["n"]) for row in table.rows] == [("after 50 %", 3), ("at the end", 1)]


def test_a_sentence_for_the_deepest_net_of_each_variant(records: Records) -> None:
    table = build(records).table("update_ratio")
    assert table is not None
    plain, residual = table.sentences
    assert "plain at depth 20, after 10 %" in plain.text
    assert (plain.badge, residual.badge) == ("0.10 ×", "1.00 ×")


def test_a_run_without_the_probe_has_no_table(complete: Records) -> None:
    assert build(complete).table("update_ratio") is None


def test_the_update_ratio_is_drawn_by_layer(records: Records) -> None:
    (drawn,) = [d for d in build(records).drawings if d.key == "update_ratio"]
    for words in (
        "after 10 %",
        "after 50 %",
        "layer, input to output",
        "size of update / size of weights",
        "plain",
        "residual",
    ):
        assert f">{words}<" in drawn.svg
    assert "at initialisation" not in drawn.svg, "no update, no panel"
