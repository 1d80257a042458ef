"""Masks: the table, the gain of a long skip, and whether it grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import made_up
import pytest

from resexp.report import frames
from resexp.report.table import Row, Table
from resexp.report.tables import segmentation

NOISE = (0.0, 0.004, -0.002, 0.001)


def trial(kind: str, long_skip: str, iou: float | None, seed: int, **axes: Any) -> dict[str, Any]:
    """A U-Net's trial; it diverged where it has no IoU."""
    details = ", ".join([long_skip, *(f"{key}={value}" for key, value in axes.items())])
    name = f"{kind} ({details})"
    status = "done" if iou is not None else "diverged"
    found = {"test_iou": iou, "test_dice": iou and iou + 0.1, "test_error": iou and (1 - iou) / 10}
    same = {"id": f"{name}-{seed}", "variant": name, "model.long_skip": long_skip}
    return made_up.trial(kind, 20, seed, status, **same, **found, **axes)


def table_of(rows: list[dict[str, Any]], **changes: Any) -> Table | None:
    return segmentation.table(frames.prepared(made_up.make_records(rows, **changes)))


def cell(table: Table | None, variant: str) -> Row:
    assert table is not None
    (found,) = [row for row in table.rows if row["variant"] == variant]
    return found


def test_a_run_without_masks_has_no_such_table(complete: Any) -> None:
    assert segmentation.table(frames.prepared(complete)) is None
    assert table_of([trial("plain", "none", None, 0)]) is None


def test_means_and_the_gain() -> None:
    rows = [trial("plain", "none", 0.6 + e, s) for s, e in enumerate(NOISE)]
    rows += [trial("plain", "concat", 0.7 + 2 * e, s) for s, e in enumerate(NOISE[:3])]
    rows += [trial("residual", "none", 0.9, 0)]
    table = table_of(rows)
    bare, joined = cell(table, "plain (none)"), cell(table, "plain (concat)")
    assert bare["iou_mean"] == pytest.approx(0.60075)
    assert bare["dice_mean"] == pytest.approx(0.70075)
    assert bare["error_mean"] == pytest.approx(0.039925)
    assert (bare["n"], bare["gain"], bare["long_skip"]) == (4, None, "none")
    assert joined["n"] == 3
    assert joined["gain"] == pytest.approx(0.1 + 2 * sum(NOISE[:3]) / 3 - sum(NOISE) / 4)
    assert joined["gain_low"] < joined["gain"] < joined["gain_high"]
    assert joined["gain_high"] - joined["gain_low"] == pytest.approx(0.0322, abs=2e-3)
    assert table is not None
    assert not {"nan", "None"} & {word for cells in table.cells() for c in cells for word in c.split()}


@pytest.mark.parametrize("kind", ["none", "concat"])
def test_no_gain_rests_on_the_networks_that_did_not_diverge(kind: str) -> None:
    rows = [trial("plain", "none", 0.6 + e, s) for s, e in enumerate(NOISE)]
    rows += [trial("plain", "concat", 0.7 + e, s) for s, e in enumerate(NOISE)]
    table = table_of(rows)
    assert cell(table, "plain (concat)")["gain"] == pytest.approx(0.1)
    assert table is not None
    assert "Lost" not in [column.title for column in table.columns]
    table = table_of([*rows, trial("plain", kind, None, 4)])
    joined = cell(table, "plain (concat)")
    assert (joined["gain"], joined["gain_low"], joined["gain_high"]) == (None, None, None)
    lost = cell(table, f"plain ({kind})")
    assert (lost["n"], lost["lost"]) == (4, 1)
    assert table is not None
    assert "Lost" in [column.title for column in table.columns]
    assert "There is no gain if a network on either side diverged" in table.caption
    assert "Lost counts the trials that diverged or failed." in table.caption


def test_no_gain_rests_on_a_mean_of_failed_and_trained_seeds() -> None:
    rows = [trial("plain", "none", 0.6 + e, s) | {"train_error": 0.01} for s, e in enumerate(NOISE)]
    rows += [trial("plain", "concat", 0.7, s) | {"train_error": 0.01 if s else 0.88} for s in range(4)]
    assert cell(table_of(rows), "plain (concat)")["gain"] is not None
    table = table_of([{**row, "train_chance": 0.9} for row in rows])
    assert cell(table, "plain (concat)")["gain"] is None


def test_networks_that_all_diverged_are_counted_as_lost() -> None:
    rows = [trial("plain", "none", 0.6, s) for s in range(3)]
    rows += [trial("plain", "concat", None, s) for s in range(3)]
    table = table_of(rows)
    joined = cell(table, "plain (concat)")
    assert (joined["n"], joined["lost"], joined["iou_mean"], joined["gain"]) == (0, 3, None, None)
    assert table is not None
    assert not {"nan", "None"} & {word for cells in table.cells() for c in cells for word in c.split()}


def test_without_a_twin_there_is_no_gain() -> None:
    rows = [trial("plain", "concat", 0.7, 0), trial("residual", "none", 0.6, 0)]
    assert cell(table_of(rows), "plain (concat)")["gain"] is None


def test_a_twin_is_alike_in_all_but_the_long_skip_and_what_was_tuned() -> None:
    rows = [trial("plain", "none", 0.2, 0, **{"data.texture": 0.0})]
    rows += [trial("plain", "none", 0.4, 0, **{"data.texture": 1.0})]
    rows += [trial("plain", "concat", 0.5, 0, **{"data.texture": 1.0})]
    table = table_of(rows)
    assert cell(table, "plain (concat, data.texture=1.0)")["gain"] == pytest.approx(0.1)
    rates = [
        {**trial("plain", kind, iou, 0), "training.optimizer.lr": rate, "validation_error": 0.1}
        for kind, iou, rate in (("none", 0.4, 0.1), ("concat", 0.5, 0.3))
    ]
    table = table_of(rates, tuned=("training.optimizer.lr",))
    assert cell(table, "plain (concat)")["gain"] == pytest.approx(0.1)


def textures(growth: float, noise: float) -> list[dict[str, Any]]:
    """Nets whose long skip gains 0.1 at texture 0, and 0.1 + `growth` at texture 1."""
    rows = []
    for seed, e in enumerate(NOISE):
        for texture in (0.0, 0.5, 1.0):
            gain = 0.1 + growth * texture + noise * e
            rows.append(trial("plain", "none", 0.5, seed, **{"data.texture": texture}))
            rows.append(
                trial(
                    "plain",
                    "concat",
                    0.5 + gain * (1 if texture else 1.02),
                    seed,
                    **{"data.texture": texture},
                )
            )
    return rows


@pytest.mark.parametrize(
    ("growth", "noise", "badge", "told"),
    [
        (0.2, 1, "gain grows", "; the gain grows."),
        (-0.08, 1, "gain shrinks", "; the gain shrinks."),
        (0.0, 100, "undecided", "; whether it grows is undecided."),
    ],
)
def test_whether_the_gain_grows(growth: float, noise: float, badge: str, told: str) -> None:
    table = table_of(textures(growth, noise))
    assert table is not None
    (said,) = table.sentences
    assert said.badge == badge
    assert said.text.endswith(told)
    assert "texture 0" in said.text
    assert "n = 4 seeds of each" in said.text


def test_what_else_differs_with_a_long_skip_or_with_the_texture_is_told() -> None:
    rows = textures(0.2, 1)

    def table(change: Callable[[dict[str, Any]], bool]) -> Table:
        changed = {row["id"]: row | ({"training.epochs": 9} if change(row) else {}) for row in rows}
        found = table_of(rows, settings={id: made_up.settings(row) for id, row in changed.items()})
        assert found is not None
        return found

    told = "Some also differ from the networks without one: "
    skipped = table(lambda row: row["model.long_skip"] == "concat" and row["data.texture"] == 0.5)
    assert (
        f"{told}plain (concat, data.texture=0.5) at depth 20 in training.epochs: 9 against 6."
        in skipped.caption
    )
    assert "differ" not in skipped.sentences[0].text
    coarse = table(lambda row: row["data.texture"] == 1.0)
    assert coarse.sentences[0].text.endswith(" The two also differ in training.epochs: 6 against 9.")
    assert told not in coarse.caption


def test_of_unequal_numbers_of_seeds_the_least_is_said_to_be_the_least() -> None:
    found = table_of([row for row in textures(0.2, 1) if row["seed"] or row["data.texture"]])
    assert found is not None
    assert "n = 3 seeds or more of each" in found.sentences[0].text


def test_a_single_seed_decides_nothing() -> None:
    table = table_of([row for row in textures(0.2, 1) if row["seed"] == 0])
    assert table is not None
    assert [said.badge for said in table.sentences] == ["undecided"]


def test_no_verdict_on_the_gain_rests_on_a_mean_of_failed_and_trained_seeds() -> None:
    blind = {"train_blind": 0.9, "train_error": 0.01}
    rows = [row | blind for row in textures(0.2, 1)]
    assert [said.badge for said in table_of(rows).sentences] == ["gain grows"]  # type: ignore[union-attr]
    rows[-1]["train_error"] = 0.88
    (said,) = table_of(rows).sentences  # type: ignore[union-attr]
    assert (said.badge, said.tone) == ("some seeds fail", "open")
    assert said.text.endswith("Some seeds failed and others trained, so nothing rests on this.")


def test_no_verdict_on_the_gain_rests_on_the_networks_that_did_not_diverge() -> None:
    rows = textures(0.2, 1)
    more = trial("plain", "concat", None, 4, **{"data.texture": 0.5})
    assert [said.badge for said in table_of([*rows, more]).sentences] == ["gain grows"]  # type: ignore[union-attr]
    more = trial("plain", "concat", None, 4, **{"data.texture": 1.0})
    (said,) = table_of([*rows, more]).sentences  # type: ignore[union-attr]
    assert said.badge == "some seeds fail"
    assert said.text.endswith("1 network of those compared diverged, so nothing rests on this.")
