"""A results folder from before `pad_end` was a kind of shortcut: reported, probed, resumed, and found done.

It was written by the code of the commit 1c445a3. See kept/layouts.yaml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import resexp
from resexp import api, durable, store
from resexp.config.parse import parse_settings
from resexp.config.shortcut_layout import KINDS, folded, unfolded
from resexp.errors import ConfigError
from resexp.plan.trial import Trial
from resexp.report.build import build

KEPT = Path(__file__).with_name("kept")
CONFIG = KEPT / "layouts.yaml"
TODAY = """
    - {kind: residual, shortcut: pad_end}
    - {kind: scaled, initial: 0.5, shortcut: projection}
    - {kind: gated, shortcut: pad_end}
    - {kind: momentum, shortcut: pad_end}
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The folder as it was left: three trials done and one stopped half-way."""
    shutil.copytree(KEPT / "layouts", tmp_path / "layouts")
    return tmp_path


def planned(config: Path = CONFIG) -> list[Trial]:
    return api.trials(resexp.load(config), "cpu")


def opened(results: Path, trials: list[Trial]) -> store.StoredExperiment:
    text = CONFIG.read_text()
    return store.create(results, "layouts", config_text=text, trials=trials, environment={})


def test_the_stored_settings_have_the_old_option_and_are_read_as_todays() -> None:
    stored = durable.read_document(KEPT / "layouts/plan.json")["trials"]
    assert [trial["settings"]["model"]["connection"] for trial in stored] == [
        {"kind": "residual", "shortcut": "pad", "layout": "end"},
        {"kind": "scaled", "initial": 0.5, "shortcut": "projection", "layout": "both"},
        {"kind": "gated", "bias": -2.0, "shortcut": "pad", "layout": "end"},
        {"kind": "momentum", "gamma": 0.9, "layout": "end"},
    ]
    read = [Trial.from_json(trial) for trial in stored]
    assert [trial.settings["model"]["connection"] for trial in read] == [
        {"kind": "residual", "shortcut": "pad_end"},
        {"kind": "scaled", "initial": 0.5, "shortcut": "projection"},
        {"kind": "gated", "bias": -2.0, "shortcut": "pad_end"},
        {"kind": "momentum", "gamma": 0.9, "shortcut": "pad_end"},
    ]
    assert [parse_settings(t.settings) for t in read] == [parse_settings(t.settings) for t in planned()]


@pytest.mark.parametrize("rewritten", [False, True])
def test_its_trials_have_their_ids_in_the_old_words_and_in_todays(tmp_path: Path, rewritten: bool) -> None:
    config = tmp_path / "layouts.yaml"
    head, sweep, connections = CONFIG.read_text().partition("  model.connection:")
    config.write_text(head + sweep + (TODAY if rewritten else connections))
    assert [trial.id for trial in planned(config)] == [
        "42144c5b8492",
        "da23645c7d96",
        "4f204326ccda",
        "652bda73a9c7",
    ]


def test_it_is_reported(results: Path) -> None:
    report = build(store.read(results / "layouts"))
    accuracy = report.table("accuracy")
    assert accuracy is not None
    assert [row["variant"] for row in accuracy.rows] == ["residual", "scaled", "momentum"]
    assert report.status == "4 trials: 3 done and 1 pending"


def test_its_trained_networks_are_probed(results: Path) -> None:
    assert api.probe("layouts", ["cka"], root=results, device="cpu") == 3
    probes = store.read(results / "layouts").probes
    assert probes[probes["probe"] == "cka"]["id"].nunique() == 3


def test_its_half_done_trial_goes_on_where_it_stopped_and_nothing_is_pending_then(results: Path) -> None:
    from resexp.training.trial import train

    with opened(results, planned()) as experiment:
        (cut,) = experiment.pending()
        assert (cut.connection, experiment.warnings) == ("gated", [])
        folder, number = experiment.claim(cut)
        before = (folder / "metrics.jsonl").read_bytes()
        train(store.Attempt(folder, number, allow_environment_change=True))
        assert (folder.name, number) == ("gated_d8_s0-4f204326ccda", 2)
    assert (folder / "metrics.jsonl").read_bytes().startswith(before)
    with opened(results, planned()) as experiment:
        assert experiment.pending() == []
    assert set(store.read(results / "layouts").trials["status"]) == {"done"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layout_is_folded_into_the_shortcut_and_hashed_as_it_was(kind: str) -> None:
    assert folded({"kind": kind, "layout": "both"}) == {"kind": kind, "shortcut": "pad"}
    end = folded({"kind": kind, "layout": "end"})
    assert end == {"kind": kind, "shortcut": "pad_end"}
    assert unfolded(end) == {"kind": kind, "layout": "end"}
    without_effect = {"kind": kind, "shortcut": "pool", "layout": "end"}
    assert folded(without_effect) == {"kind": kind, "shortcut": "pool"}


@pytest.mark.parametrize(
    "connection",
    [
        "residual",
        {"kind": "residual", "shortcut": "pool"},
        {"kind": "residual", "layout": "middle"},
        {"kind": "residual", "shortcut": "pad_end", "layout": "both"},
        {"kind": "a_plugins_own", "shortcut": "pad", "layout": "end"},
    ],
)
def test_what_has_no_old_layout_is_left_alone(connection: object) -> None:
    assert folded(connection) is connection


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ("sweep: {model.connection.layout: [both, end]}", "layouts.yaml:7: model.connection.layout"),
        (
            "overrides: [{when: {model.connection: {kind: residual, layout: both}}, set: {seed: 1}}]",
            "layouts.yaml:7: model.connection.layout",
        ),
    ],
)
def test_an_old_layout_that_cannot_be_read_is_refused_with_what_to_write(
    tmp_path: Path, more: str, where: str
) -> None:
    config = tmp_path / "layouts.yaml"
    config.write_text(CONFIG.read_text().partition("sweep:")[0] + more)
    with pytest.raises(ConfigError) as caught:
        resexp.load(config)
    assert where in str(caught.value)
    assert "write shortcut: pad_end instead of layout: end" in str(caught.value)
