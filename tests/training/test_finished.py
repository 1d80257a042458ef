"""Probes of finished trials: the rows that training would have written, in a place of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resexp import api, store
from resexp.cli.app import main
from resexp.config.parse import parse_probes
from resexp.config.settings import Settings
from resexp.errors import BusyError, ConfigError, DataError, NoExperimentError, StoreError
from resexp.plan import numerics
from resexp.plan.trial import Trial
from resexp.probes.base import Reading, Snapshot
from resexp.probes.cka import Cka
from resexp.store import Attempt, TrialFolder
from resexp.store.planned import planned
from resexp.training.finished import check_unchanged
from resexp.training.trial import train

SETTINGS: dict[str, Any] = {
    "data": {"kind": "synthetic", "train": 32, "test": 16},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": "residual"},
    "training": {"epochs": 1, "batch_size": 16},
    "probes": ({"kind": "lesion", "at": (0.0, 1.0), "batch_size": 16, "draws": 2},),
}
LESION = "{kind: lesion, batch_size: 16, draws: 2}"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment `e` below the folder: one done trial, one pending."""
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    settings = Settings.model_validate(SETTINGS).model_dump(mode="json")
    trials = [
        Trial(c * 12, f"small-{c}", "residual", "residual", 8, seed, {**settings, "seed": seed})
        for seed, c in enumerate("ab")
    ]
    with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
        train(Attempt(*experiment.claim(trials[0])))
    return tmp_path


def folder(trained: Path) -> TrialFolder:
    return TrialFolder(trained / "e/trials" / f"small-a-{'a' * 12}")


def probes(trained: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(store.read(trained / "e").probes.to_json(orient="records"))
    return found


def test_a_checkpoint_gives_the_rows_that_training_gave(trained: Path) -> None:
    before, recorded = probes(trained), folder(trained).probes.read_bytes()
    assert {row["at"] for row in before} == {0, 1}
    assert api.probe("e", [LESION], root=trained, device="cpu") == 1
    assert probes(trained) == before
    assert folder(trained).later_probes.exists()
    assert folder(trained).probes.read_bytes() == recorded
    assert store.read(trained / "e").trials["status"].tolist() == ["done", "pending"]


def test_a_notebook_keeps_its_number_of_threads(trained: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        api.probe("e", ["cka"], root=trained, device="cpu", threads=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_command_says_what_to_do_next(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["probe", "e", "--probe", "cka", "--device", "cpu", "--results", str(trained)]
    monkeypatch.setattr("sys.argv", ["resexp", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    command = f"resexp report e --results {trained}"
    assert capsys.readouterr().out == f"Measured 1 trained network.\nNext: {command}\n"
    assert "cka" in {row["probe"] for row in probes(trained)}


def test_other_probes_are_added_and_the_same_ones_replaced(trained: Path) -> None:
    api.probe("e", ["cka"], root=trained, device="cpu")
    api.probe("e", ["{kind: lesion, counts: [1]}", "update_ratio"], root=trained, device="cpu")
    ends = [row["probe"] for row in probes(trained) if row["at"] == 1]
    assert list(dict.fromkeys(ends)) == ["cka", "lesion", "update_ratio"]
    count = len(ends)
    api.probe("e", ["cka", "update_ratio"], root=trained, device="cpu")
    assert len([row for row in probes(trained) if row["at"] == 1]) == count


def test_a_probe_that_fails_leaves_the_others_and_its_own_earlier_rows(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _train_other(trained)
    api.probe("e", ["{kind: cka, batch_size: 8}"], root=trained, device="cpu")
    before = probes(trained)
    measure = Cka.measure
    calls = iter([RuntimeError("no convergence\n[red]"), None])

    def fails_once(self: Cka, snapshot: Snapshot) -> Iterator[Reading]:
        if error := next(calls):
            raise error
        yield from measure(self, snapshot)

    monkeypatch.setattr(Cka, "measure", fails_once)
    words = ["resexp", "probe", "e", "--probe", "cka", "--probe", "update_ratio", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [*words, "--results", str(trained)])
    with pytest.raises(SystemExit, match="3"):
        main()
    told = "cka failed on 1 of 2 networks, small-a first: RuntimeError: no convergence [red]; earlier rows"
    assert told in capsys.readouterr().err
    after = probes(trained)
    of_first = [row for row in before if row["id"] == "a" * 12 and row["probe"] == "cka"]
    assert of_first
    assert [row for row in after if row["id"] == "a" * 12 and row["probe"] == "cka"] == of_first
    assert {row["id"] for row in after if row["probe"] == "update_ratio"} == {"a" * 12, "b" * 12}
    (note,) = [note for note in store.read(trained / "e").notes if note.startswith("cka")]
    assert "its options differ between trials" in note


def test_a_probe_of_other_options_in_other_trials_is_told(trained: Path) -> None:
    """A later seed has the rows of the configuration's own probe."""
    api.probe("e", [LESION], root=trained, device="cpu")
    _train_other(trained)
    assert not [note for note in store.read(trained / "e").notes if "options differ" in note]
    api.probe("e", ["{kind: lesion, batch_size: 8, draws: 1}"], root=trained, device="cpu")
    assert not [note for note in store.read(trained / "e").notes if "options differ" in note]
    (one, _) = store.finished(trained / "e")
    one.folder.later_probes.unlink()  # as if it had been trained afterwards
    (note,) = [note for note in store.read(trained / "e").notes if "options differ" in note]
    assert note.startswith("lesion: its options differ between trials")


def _train_other(trained: Path) -> None:
    _, trials = planned(store.ExperimentFolder(trained / "e"), [])
    with store.create(trained, "e", config_text="", trials=trials, environment={}) as experiment:
        (pending,) = experiment.pending()
        train(Attempt(*experiment.claim(pending)))


def test_rows_of_an_earlier_attempt_or_damaged_ones_do_not_count(trained: Path) -> None:
    api.probe("e", ["cka"], root=trained, device="cpu")
    file = folder(trained).later_probes
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"cka_last", b"cka_lost"))
    records = store.read(trained / "e")
    assert "cka" not in set(records.probes["probe"])
    assert any("later-probes.json" in note for note in records.notes)
    file.write_bytes(whole)
    with store.create(
        trained, "e", config_text="", trials=[store.finished(trained / "e")[0].trial], environment={}
    ) as again:
        train(Attempt(*again.claim(again.trials[0])))
    assert "cka" not in {row["probe"] for row in probes(trained)}


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_without_its_checkpoint_a_trial_cannot_be_measured(damage: str, trained: Path) -> None:
    (weights,) = folder(trained).path.glob("*.pt")
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    else:
        weights.unlink()
    with pytest.raises(StoreError, match=r"small-a.*: its last checkpoint is missing or damaged; delete"):
        api.probe("e", ["cka"], root=trained, device="cpu")
    assert not folder(trained).later_probes.exists()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"data": "0123456789abcdef"}, DataError, "its data have changed since it was trained"),
        ({"numerics": {"model.connection.residual": 2}}, StoreError, "was trained when residual gave other"),
    ],
)
def test_a_network_is_not_measured_on_other_data_or_by_other_code(
    change: dict[str, Any], error: type[Exception], said: str, trained: Path
) -> None:
    (one,) = store.finished(trained / "e")
    changed = replace(one.trial, **change)
    with store.create(trained, "e", config_text="", trials=[changed], environment={}):
        pass
    with pytest.raises(error, match=said):
        api.probe("e", ["cka"], root=trained, device="cpu")
    assert not folder(trained).later_probes.exists()


def test_a_discriminator_of_other_numbers_is_refused_unless_only_its_first_weights_were_others() -> None:
    """The discriminator decides what its own probes measure, and the loss of the generator's."""
    judge = {"kind": "discriminator", "depth": 7, "norm": "none", "order": "pre"}
    settings = {
        "data": {"kind": "digits"},
        "model": {"kind": "generator", "depth": 4, "init": "he", "connection": {"kind": "residual"}},
        "discriminator": {**judge, "init": "dirac", "connection": {"kind": "dynamic_hyper"}},
    }
    today = numerics.versions(settings)
    assert today == {"discriminator.connection.dynamic_hyper": 2, "discriminator.init.dirac": 2}
    trial = Trial("a" * 12, "small", "residual", "residual", 4, 0, settings, numerics=today)
    check_unchanged(trial, (), "", Path("small"))
    without_init = {key: n for key, n in today.items() if "init" not in key}
    check_unchanged(replace(trial, numerics=without_init), (), "", Path("small"))
    with pytest.raises(StoreError, match="was trained when dynamic_hyper gave other numbers"):
        check_unchanged(replace(trial, numerics={}), (), "", Path("small"))


def test_a_network_whose_branches_began_otherwise_is_still_measured() -> None:
    model = {"kind": "masked_autoencoder", "depth": 2, "zero_outputs": True, "span": 2}
    settings = {"data": {"kind": "digits"}, "model": {**model, "connection": {"kind": "residual"}}}
    assert len(numerics.versions(settings)) == 1
    trial = Trial("a" * 12, "small", "residual", "residual", 2, 0, settings, numerics={})
    check_unchanged(trial, (), "", Path("small"))


def test_not_while_it_runs_and_not_before(trained: Path) -> None:
    with store.hold(trained, "e"), pytest.raises(BusyError):
        api.probe("e", ["cka"], root=trained, device="cpu")
    folder(trained).result.unlink()
    with pytest.raises(NoExperimentError, match="none of its trials is done"):
        api.probe("e", ["cka"], root=trained, device="cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lesions", "did you mean lesion"),
        ("{kind: lesion, drawz: 2}", "drawz"),
        ("{kind: lesion, draws: 0}", "draws"),
        ("{kind: lesion, at: [0]}", "remove it"),
        ("[lesion]", "known: "),
        ("{", "command line"),
    ],
)
def test_a_wrong_probe_is_explained(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="command line") as caught:
        parse_probes([text])
    assert said in str(caught.value)


def test_no_probe_is_no_wish() -> None:
    with pytest.raises(ConfigError, match="--probe: is missing"):
        parse_probes([])


COUNT = """
from resexp.probes.base import Probe, Reading

class Count(Probe):
    def measure(self, snapshot):
        yield Reading("count", "", 0, {value})
"""


def test_another_code_of_a_plugins_probe_in_other_trials_is_told(trained: Path, tmp_path: Path) -> None:
    """As when `resexp probe` was interrupted after a change of the plugin."""
    _train_other(trained)
    plugin = tmp_path / "count.py"

    def measured(value: str) -> None:
        plugin.write_text(COUNT.format(value=value))
        api.probe("e", ["count"], plugins=[plugin], root=trained, device="cpu")

    measured("1.0")
    first, _ = store.finished(trained / "e")
    old = first.folder.later_probes.read_bytes()
    measured("2.0")
    assert not [note for note in store.read(trained / "e").notes if note.startswith("count")]
    api.probe("e", ["cka"], root=trained, device="cpu")  # this keeps the rows and what is known of them
    assert not [note for note in store.read(trained / "e").notes if note.startswith("count")]
    first.folder.later_probes.write_bytes(old)
    records = store.read(trained / "e")
    assert set(records.probes.query("probe == 'count'")["value"]) == {1.0, 2.0}
    (note,) = [note for note in records.notes if note.startswith("count")]
    assert "its code, which is in a plugin, differs between trials, so means over trials mix" in note
