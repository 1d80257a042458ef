"""Synergy, language, coefficients and token rank, on numbers whose answers can be read off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from made_up import of, reading, trial
from matplotlib import rc_context
from matplotlib.figure import Figure

from resexp.report import frames, style
from resexp.report.figures import coefficients as coefficients_figure
from resexp.report.figures import dropout as dropout_figure
from resexp.report.figures import token_rank as token_rank_figure
from resexp.report.tables import language, other_probes, samples, synergy
from resexp.store import Records

Make = Callable[..., Records]


def grid(make: Make, gain: float, seeds: int = 4) -> Records:
    """Dropout at p costs p, with shortcuts less `gain` and 0.01 for each seed."""
    rows, settings = [], {}
    for span in (0, 1, 2):
        for rate in (0.0, 0.1, 0.5):
            for seed in range(seeds):
                loss = 2 + 0.01 * seed + 0.3 * (span == 0)
                if rate:
                    loss += rate - (gain + 0.01 * seed if span else 0)
                row = trial("residual", 8, seed, id=f"{span}-{rate}-{seed}", test_loss=loss)
                rows.append(row)
                model = {"kind": "transformer", "span": span, "dropout": rate, "dropout_at": "branch"}
                settings[row["id"]] = {"model": model}
    return frames.prepared(replace(make(rows), settings=settings))


def test_an_interaction_is_found_with_its_sign(make: Make) -> None:
    found = synergy.table(grid(make, 0.4))
    assert found is not None
    assert [(r["site"], r["rate"], r["span"]) for r in found.rows] == [
        ("branch", rate, span) for rate in (0.1, 0.5) for span in (1, 2)
    ]
    for row in found.rows:
        assert row["without"] == pytest.approx(row["rate"])
        assert row["with_shortcut"] == pytest.approx(row["rate"] - 0.415)
        assert row["interaction"] == pytest.approx(-0.415)
        assert row["low"] < row["interaction"] < row["high"] < 0
    (sentence,) = found.sentences
    assert sentence.badge == "synergy"
    assert "−0.415 nats" in sentence.text
    (against,) = synergy.table(grid(make, -0.4)).sentences  # type: ignore[union-attr]
    assert against.badge == "in each other's way"
    assert sentence.text.endswith("; it has synergy with shortcuts.")
    assert against.text.endswith("; it and shortcuts are in each other's way.")


def test_one_seed_or_noise_decides_nothing(make: Make) -> None:
    (single,) = synergy.table(grid(make, 0.2, seeds=1)).sentences  # type: ignore[union-attr]
    (noise,) = synergy.table(grid(make, -0.015)).sentences  # type: ignore[union-attr]
    assert (single.badge, noise.badge) == ("undecided", "undecided")
    assert all(
        said.text.endswith("; whether it has synergy with shortcuts is undecided.")
        for said in (single, noise)
    )


def test_no_synergy_rests_on_the_networks_that_did_not_diverge(make: Make) -> None:
    records = grid(make, 0.4)
    lost = records.trials["id"] == "0-0.5-2"
    trials = records.trials.assign(
        status=records.trials["status"].mask(lost, "diverged"),
        test_loss=records.trials["test_loss"].mask(lost),
    )
    (said,) = synergy.table(replace(records, trials=trials)).sentences  # type: ignore[union-attr]
    assert (said.badge, "1 network of those compared diverged" in said.text) == ("some seeds fail", True)


def test_a_missing_cell_is_no_interaction(make: Make) -> None:
    records = grid(make, 0.2)
    bare = records.trials["id"].str.startswith("0-0.5")
    rows = synergy.table(replace(records, trials=records.trials[~bare])).rows  # type: ignore[union-attr]
    assert {row["rate"] for row in rows} == {0.1}
    assert synergy.table(replace(records, settings={})) is None


def test_dropout_on_shortcuts_has_no_interaction(make: Make) -> None:
    """Without shortcuts it drops nothing, so an interaction would be its effect under another name."""
    records = grid(make, 0.2)
    for told in records.settings.values():
        told["model"]["dropout_at"] = "skip"
    found = synergy.table(records)
    assert found is not None
    assert found.sentences == ()
    for row in found.rows:
        assert row["with_shortcut"] == pytest.approx(row["rate"] - 0.215)
        assert (row["without"], row["interaction"], row["low"]) == (None, None, None)


def test_networks_that_are_no_better_than_counting_have_no_synergy(make: Make) -> None:
    records = grid(make, 0.4)
    for trigram, worse, badge in ((3.0, 0, "synergy"), (2.5, 1, "undecided")):
        counted = replace(records, trials=records.trials.assign(trigram_loss=trigram))
        found = synergy.table(counted)
        assert found is not None
        assert [row["unlearned"] for row in found.rows] == [0, 0, worse, worse]
        (sentence,) = found.sentences
        assert sentence.badge == badge
    assert sentence.text.endswith("a trigram count, so whether it has synergy with shortcuts is undecided.")


def test_where_dropout_raises_every_loss_there_is_no_synergy(make: Make) -> None:
    found = synergy.table(grid(make, 0.2))
    assert found is not None
    assert all(row["high"] < 0 for row in found.rows)
    (sentence,) = found.sentences
    assert sentence.badge == "undecided"
    assert sentence.text.endswith(
        "is undecided, because dropout is not shown to lower the loss with shortcuts (+0.085 nats "
        "[+0.074, +0.096])."
    )


def test_a_fall_by_chance_of_the_loss_with_shortcuts_is_no_synergy(make: Make) -> None:
    """If dropout does nothing with shortcuts, its change is negative in every second experiment."""
    records = grid(make, 0.0)
    crossed = ~records.trials["id"].str.startswith("0-")
    dropped = ~records.trials["id"].str.contains("-0.0-")
    loss = 2 + 0.01 * records.trials["seed"] + dropped * (0.5 * ~crossed - 0.001 * crossed)
    found = synergy.table(replace(records, trials=records.trials.assign(test_loss=loss)))
    assert found is not None
    (sentence,) = found.sentences
    assert "−0.501 nats" in sentence.text
    assert sentence.badge == "undecided"
    assert "not shown to lower the loss with shortcuts (−0.001 nats [−0.0" in sentence.text


def test_the_figure_of_dropout_has_a_panel_a_site(make: Make) -> None:
    with rc_context(style.RC):
        drawn = dropout_figure.figure(grid(make, 0.2))
    assert isinstance(drawn, Figure)
    (panel,) = drawn.axes
    assert panel.get_title(loc="left") == "branch output"
    assert dropout_figure.figure(replace(grid(make, 0.2), settings={})) is None


def test_language_is_told_in_nats_and_bits(make: Make) -> None:
    rows = [trial("residual", 8, seed, test_loss=1.0 + seed, test_bits=1.5 + seed) for seed in (0, 1)]
    found = language.table(frames.prepared(make(rows)))
    assert found is not None
    assert found.cells()[0][-3:] == ["1.500 ± 0.707", "2.000 ± 0.707", "2"]
    masked = {row["id"]: {"task": {"kind": "masked_language"}} for row in rows}
    told = language.table(frames.prepared(make(rows, settings=masked)))
    assert told is not None
    assert "Cross-entropy of a masked character" in told.caption
    assert language.table(frames.prepared(make([trial("residual", 8, 0)]))) is None


def measured(make: Make, probe: str, values: dict[str, list[float]]) -> Records:
    row = trial("residual", 8, 0)
    readings: list[dict[str, Any]] = [
        {"id": row["id"], "probe": probe, "step": int(at), "at": at, "name": name, "layer": f"blocks.{i}"}
        | {"index": i, "value": value}
        for at in (0.0, 1.0)
        for name, found in values.items()
        for i, value in enumerate(found)
    ]
    return frames.prepared(make([row], probes=pd.DataFrame(readings)))


def test_a_net_that_is_worse_than_counting_is_said_to_be(make: Make) -> None:
    losses = {"plain": (2.1, 2.11, 2.12), "residual": (1.9, 1.91, 1.92), "skip": (1.9, 1.91, 2.1)}
    rows = [
        trial(kind, 8, seed, test_loss=loss, test_bits=loss / 0.693, trigram_loss=2.0)
        for kind, own in losses.items()
        for seed, loss in enumerate(own)
    ]
    found = language.table(frames.prepared(make(rows)))
    assert found is not None
    beside = {row["variant"]: row["beside"] for row in found.rows}
    assert beside == {"plain": "worse than counting", "residual": "better than counting", "skip": "undecided"}
    (few, *_) = of(language, make([row for row in rows if row["seed"] < 2])).rows
    assert few["beside"] == "too few seeds"
    assert "MacKay" in found.caption
    without = language.table(frames.prepared(make([{**row, "trigram_loss": None} for row in rows])))
    assert without is not None
    assert "MacKay" not in without.caption


def test_samples_are_of_the_first_seed_at_the_greatest_depth_on_one_line(make: Make) -> None:
    texts = {(8, 0): ("no",), (20, 1): ("no",), (20, 0): ("a\nb", "c\x1b[2J")}
    rows = [trial("plain", depth, seed, samples=texts[depth, seed]) for depth, seed in texts]
    found = samples.table(frames.prepared(make(rows)))
    assert found is not None
    assert [(row["depth"], row["seed"], row["text"]) for row in found.rows] == [
        (20, 0, "a⏎b"),
        (20, 0, "c\\x1b[2J"),
    ]
    assert samples.table(frames.prepared(make([trial("plain", 8, 0)]))) is None


def test_coefficients_and_ranks_are_drawn_and_listed(make: Make) -> None:
    weights = {"shortcut_weight": [1.0, 0.5], "branch_weight": [0.1, 0.2], "mean_a": [0.1, -0.2]}
    records = measured(make, "coefficients", weights)
    with rc_context(style.RC):
        drawn = coefficients_figure.figure(records)
    assert drawn is not None
    assert [list(panel.lines[-1].get_ydata()) for panel in drawn.axes] == [[1.0, 0.5], [0.1, 0.2]]
    ends = [line.get_label().endswith("at the end") for panel in drawn.axes for line in panel.lines]
    solid = [line.get_linestyle() == "-" for panel in drawn.axes for line in panel.lines]
    assert solid == ends
    rows = other_probes.table(records).rows  # type: ignore[union-attr]
    assert {(r["quantity"], r["last"]) for r in rows} == {
        ("weight of the shortcut", 0.5),
        ("weight of the branch", 0.2),
        ("mean a", -0.2),
    }
    spreads = measured(make, "token_rank", {"token_spread": [0.9, 0.0]})
    with rc_context(style.RC):
        ranks = token_rank_figure.figure(spreads)
    assert ranks is not None
    assert list(ranks.axes[0].lines[0].get_ydata()) == [0.9, token_rank_figure.FLOOR]
    assert coefficients_figure.figure(spreads) is None


def test_n_of_other_probes_is_the_least_number_of_seeds_at_any_block(make: Make) -> None:
    """Two of three seeds have no reading from the second block on."""
    rows = [trial("residual", 20, seed) for seed in range(3)]
    readings = [
        reading(row, "cka", "cka_last", index, float("nan") if row["seed"] == 1 and index else 0.5)
        for row in rows
        for index in range(3)
        if row["seed"] < 2 or index == 0
    ]
    found = other_probes.table(frames.prepared(make(rows, probes=pd.DataFrame(readings))))
    assert found is not None
    assert [row["n"] for row in found.rows] == [1]
    assert "the least number of seeds" in found.caption


def test_the_weights_at_initialisation_are_of_the_networks_whose_end_is_drawn(make: Make) -> None:
    """All deeper networks diverged, so they have no readings at the end."""
    rows = [trial("residual", 8, 0), trial("residual", 20, 0, "diverged")]
    readings = [
        reading(row, "coefficients", name, index, float(row["depth"]), at=at)
        for row in rows
        for at in (0.0, 1.0)[: 2 if row["depth"] == 8 else 1]
        for name in coefficients_figure.PANELS
        for index in (0, 1)
    ]
    with rc_context(style.RC):
        drawn = coefficients_figure.figure(frames.prepared(make(rows, probes=pd.DataFrame(readings))))
    assert drawn is not None
    assert {y for panel in drawn.axes for line in panel.lines for y in line.get_ydata()} == {8.0}


@pytest.mark.parametrize(("depth", "told"), [(20, ["plain, depth 8", "residual, depth 20"]), (8, None)])
def test_lines_of_networks_of_different_depths_name_their_depths(
    depth: int, told: list[str] | None, make: Make
) -> None:
    rows = [trial("plain", 8, 0), trial("residual", depth, 0)]
    readings = [reading(row, "token_rank", "token_spread", index, 0.5) for row in rows for index in (0, 1)]
    with rc_context(style.RC):
        drawn = token_rank_figure.figure(frames.prepared(make(rows, probes=pd.DataFrame(readings))))
    assert drawn is not None
    shown = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert shown == (told or ["plain", "residual"])
    assert [line.get_label() for line in drawn.axes[0].lines] == shown
