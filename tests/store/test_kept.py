"""A results folder of an older version: reported, probed, resumed, and found done. See kept/kept.yaml."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from unmeasured import Unmeasured

import resexp
from resexp import api, store
from resexp.cli.trials import show_plan
from resexp.estimate.outline import outline
from resexp.plan import numerics, translation
from resexp.plan.make import make_plan
from resexp.plan.translation import Rewritten
from resexp.plan.trial import Trial
from resexp.report.build import build

KEPT = Path(__file__).with_name("kept")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The folder as it was left: six trials done, one stopped half-way, two never started."""
    shutil.copytree(KEPT / "kept", tmp_path / "kept")
    return tmp_path


def planned() -> list[Trial]:
    return api.trials(resexp.load(KEPT / "kept.yaml"), "cpu")


def opened(results: Path, trials: list[Trial]) -> store.StoredExperiment:
    text = (KEPT / "kept.yaml").read_text()
    return store.create(results, "kept", config_text=text, trials=trials, environment={"processor": "new"})


def test_it_is_reported_a_row_a_setting(results: Path) -> None:
    report = build(store.read(results / "kept"))
    accuracy = report.table("accuracy")
    assert accuracy is not None
    assert [(row["variant"], row["depth"], row["n"]) for row in accuracy.rows] == [
        ("plain (sgd, lr=0.005)", 4, 1),
        ("plain (sgd, lr=0.05)", 4, 2),
        ("plain (sgd, lr=0.05)", 6, 2),
        ("residual", 4, 1),
    ]
    assert report.notes[0].startswith("3 trials are not finished")
    assert len(report.notes) == 1
    assert dict(report.environment)["command"] == "resexp run kept.yaml"


def test_its_trials_are_found_done(results: Path) -> None:
    with opened(results, planned()) as experiment:
        assert [trial.name for trial in experiment.pending()] == [
            "plain-sgd-lr=0.005_d4_s1",
            "plain-sgd-lr=0.005_d6_s0",
            "plain-sgd-lr=0.005_d6_s1",
        ]
        assert experiment.warnings == []
    assert not (results / "kept/runs").exists()


def test_its_half_done_trial_goes_on_where_it_stopped(results: Path) -> None:
    from resexp.training.trial import train

    (cut,) = (trial for trial in planned() if trial.id == "776a9373b734")
    with opened(results, planned()) as experiment:
        folder, number = experiment.claim(cut)
        before = (folder / "metrics.jsonl").read_bytes()
        train(store.Attempt(folder, number, allow_environment_change=True))
        assert (folder.name, number) == ("plain-sgd_d4_s1-776a9373b734", 2)
    assert (folder / "metrics.jsonl").read_bytes().startswith(before)
    records = store.read(results / "kept")
    done = records.trials.set_index("id").loc[cut.id]
    assert (done["status"], done["steps"]) == ("done", 8)
    assert list(records.metrics[records.metrics["id"] == cut.id]["step"]) == [4, 8]
    assert [(run["environment"]["processor"], len(run["trials"])) for run in records.runs] == [
        ("AMD EPYC", 6),
        ("new", 1),
    ]
    assert dict(build(records).environment)["processor"] == "AMD EPYC (6 trials) and new (1 trial)"


def test_its_trained_networks_are_probed(results: Path) -> None:
    assert api.probe("kept", ["cka"], root=results, device="cpu") == 6
    probes = store.read(results / "kept").probes
    assert probes[probes["probe"] == "cka"]["id"].nunique() == 6


def mend(monkeypatch: pytest.MonkeyPatch, choices: dict[str, dict[str, int]]) -> None:
    monkeypatch.setattr(numerics, "CHOICES", choices)


def test_mended_numbers_are_named_and_trained_again(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mend(monkeypatch, {"model.init": {"orthogonal": 2}, "training.schedule.low_rate": {"*": 3}})
    notes = store.read(results / "kept").notes
    assert notes == [
        "orthogonal computes other numbers in this version: 9 of 9 trials shown were trained by an older "
        "version. `resexp run` trains them again",
        "low_rate computes other numbers in this version: 4 of 9 trials shown were trained by an older "
        "version. `resexp run` trains them again",
    ]
    trials = planned()
    assert not {trial.id for trial in trials} & {path.name[-12:] for path in results.glob("kept/trials/*")}
    why = [
        "this version computes other numbers for orthogonal: 4 of 9 trials are trained again.",
        "this version computes other numbers for orthogonal and low_rate: 2 of 9 trials are trained again.",
    ]
    plan = outline(resexp.load(KEPT / "kept.yaml"), "cpu", 1, results)
    show_plan(plan)
    said = " ".join(capsys.readouterr().out.split())
    assert list(plan.warnings) == why
    assert all(sentence in said for sentence in why)
    with opened(results, trials) as experiment:
        assert len(experiment.pending()) == 9
        assert experiment.warnings == why
    records = store.read(results / "kept")
    assert set(records.trials["status"]) == {"pending"}, "nothing old is averaged with new"


def test_a_mended_part_changes_only_its_own_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned()
    monkeypatch.setattr(numerics, "_revised", {"connection": {"residual": 2}, "probe": {}}.get)
    monkeypatch.setattr(numerics.scan, "ROLES", {"connection": (), "probe": ()})
    after = planned()
    kept = [new.id == old.id for new, old in zip(after, before, strict=True)]
    assert kept == [old.connection == "plain" for old in before]
    assert after[-1].numerics == {"model.connection.residual": 2}


def test_later_rows_of_a_mended_probe_are_left_out_with_a_note(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.probe("kept", ["cka"], root=results, device="cpu")
    monkeypatch.setattr(numerics, "probe_version", {"cka": 2}.get)
    records = store.read(results / "kept")
    assert "cka" not in set(records.probes["probe"])
    assert sum("this version measures cka in another way" in note for note in records.notes) == 6


def test_changes_are_made_in_order_and_undone_latest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(one: str, other: str) -> Rewritten:
        return Rewritten("model.init", {one: other}.__getitem__, {other: one}.__getitem__)

    monkeypatch.setattr(translation, "CHANGES", (replaced("first", "second"), replaced("second", "third")))
    old, new = ({"model": {"init": init, "depth": 4}, "seed": 0} for init in ("first", "third"))
    assert (translation.translated(old), translation.as_hashed(new)) == (new, old)
    assert translation.axes({"seed": 0, "model.init": "first"}) == {"seed": 0, "model.init": "third"}
    assert translation.translated({"seed": 0}) == {"seed": 0}


def test_a_run_of_less_than_the_plan_says_so_everywhere(tmp_path: Path) -> None:
    """It does not say that leaving out its overrides is enough: an earlier run may have had one of them."""
    back = (
        "They are kept: `resexp run` with the configuration and overrides that planned them brings them back."
    )
    whole = resexp.load(KEPT / "kept.yaml", ["name=e"])
    part = resexp.load(KEPT / "kept.yaml", ["name=e", "seed=0"])

    def create(trials: list[Trial], overrides: list[str]) -> store.StoredExperiment:
        environment = {"overrides": overrides, "processor": "x"}
        return store.create(tmp_path, "e", config_text="", trials=trials, environment=environment)

    trials = make_plan(whole, Unmeasured())
    with create(trials, ["training.epochs=1"]) as experiment:
        assert experiment.warnings == []
        hold = store.Attempt(*experiment.claim(trials[1]))
        hold.begin({})
        hold.commit({"status": "done"})
    fewer = make_plan(part, Unmeasured())
    for _ in range(2):  # told again by a second run of the same
        with create(fewer, ["training.epochs=1", "seed=0"]) as experiment:
            assert experiment.warnings == [
                "This plan covers 5 trials, with 4 others (1 finished) left aside, which `report` does not "
                f"show. {back}"
            ]
    said = "4 other trials left aside: the last run covered 5 only, with training.epochs=1 seed=0. " + back
    records = store.read(tmp_path / "e")
    assert records.aside == said
    assert build(records).status == f"5 trials: 5 pending. {said.rstrip('.')}"
    with create(trials, ["training.epochs=1"]) as experiment:
        assert experiment.warnings == []
        assert len(experiment.pending()) == 8
    assert store.read(tmp_path / "e").aside == ""


def test_why_trials_are_pending_is_told_of_data_and_code_too(tmp_path: Path) -> None:
    trials = make_plan(resexp.load(KEPT / "kept.yaml", ["name=e"]), Unmeasured())[:2]
    with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
        for trial in trials:
            hold = store.Attempt(*experiment.claim(trial))
            hold.begin({})
            hold.commit({"status": "done"})
    new = [
        replace(trials[0], id="0" * 12, data="other"),
        replace(trials[1], id="1" * 12, plugins={"f": "p.py"}),
    ]
    with store.create(tmp_path, "e", config_text="", trials=new, environment={}) as experiment:
        assert experiment.warnings == [
            "the data changed: 1 of 2 trials is trained again.",
            "the code of p.py changed: 1 of 2 trials is trained again.",
        ]


def test_only_the_plugin_that_was_edited_is_told_to_have_changed(tmp_path: Path) -> None:
    (trial,) = make_plan(resexp.load(KEPT / "kept.yaml", ["name=e"]), Unmeasured())[:1]
    before = replace(trial, plugins={"1" * 64: "connection.py", "2" * 64: "probe.py"})
    with store.create(tmp_path, "e", config_text="", trials=[before], environment={}) as experiment:
        hold = store.Attempt(*experiment.claim(before))
        hold.begin({})
        hold.commit({"status": "done"})
    after = replace(before, id="0" * 12, plugins={"1" * 64: "connection.py", "3" * 64: "probe.py"})
    with store.create(tmp_path, "e", config_text="", trials=[after], environment={}) as experiment:
        assert experiment.warnings == ["the code of probe.py changed: 1 of 1 trial is trained again."]
