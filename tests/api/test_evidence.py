"""Experiments with seeds that are added at looks, with made-up results."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from runs_made_up import TEXT, noisy, opening, trained

from resexp import api, durable, store
from resexp.api import evidence
from resexp.config.load import Experiment
from resexp.errors import ConfigError
from resexp.execution.supervisor import SweepSummary
from resexp.plan.looks import Look, with_seeds
from resexp.report import statistics
from resexp.store.layout import ExperimentFolder
from resexp.store.reported import add_reported

DECIDED = "none of the report's main verdicts, claims and published values needs more seeds"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces training by made-up results without a clear effect; receives the seeds of each look."""
    seeds: list[int] = []

    def run(grown: Experiment, *, results: Path, look: Look, **_: Any) -> SweepSummary:
        seeds.append(look.seeds)
        return trained(grown, results, noisy(0.02), look)

    monkeypatch.setattr(evidence, "run", run)
    return seeds


@pytest.mark.parametrize(
    ("gap", "seeds", "state"), [(0.5, [3], DECIDED), (0.02, [3, 5, 8], "undecided: plain")]
)
def test_seeds_are_added_until_the_verdicts_are_decided(  # noqa: PLR0917
    experiment: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gap: float,
    seeds: list[int],
    state: str,
) -> None:
    looks: list[Look] = []

    def run(grown: Experiment, *, results: Path, look: Look, **_: Any) -> SweepSummary:
        looks.append(look)
        return trained(grown, results, noisy(gap), look)

    monkeypatch.setattr(evidence, "run", run)
    said: list[str] = []
    api.run_until_decided(experiment, most=8, results=tmp_path / "r", tell=said.append)
    assert [look.seeds for look in looks] == seeds
    assert [line.partition("; ")[2].rstrip(".") for line in said] == [state] * len(seeds)
    records = api.results("x", tmp_path / "r")
    assert records.look == {"seeds": seeds[-1], "planned": [3, 5, 8]}
    assert len(records.trials) == 2 * seeds[-1]


def test_an_interrupted_look_is_the_last(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "run", lambda *_, **__: SweepSummary({"pending": 6}, interrupted=True))
    assert api.run_until_decided(experiment, results=tmp_path).exit_status == 130


def test_seeds_added_after_a_report_are_remembered(experiment: Experiment, tmp_path: Path) -> None:
    trained(experiment, tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()
    store.note_reported(tmp_path / "x")
    store.note_reported(tmp_path / "x")
    assert api.results("x", tmp_path).seeds_before == ()
    trained(with_seeds(experiment, 5), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == (3,)
    store.note_reported(tmp_path / "x")
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == (3, 5)


def test_a_damaged_record_of_reports_is_told_of_from_then_on(experiment: Experiment, tmp_path: Path) -> None:
    trained(experiment, tmp_path, noisy(0.02))
    store.note_reported(tmp_path / "x")
    reported = tmp_path / "x" / "reported.json"
    reported.write_bytes(reported.read_bytes().replace(b'"seen"', b'"sean"'))
    trained(with_seeds(experiment, 5), tmp_path, noisy(0.02))
    for _ in range(2):
        records = api.results("x", tmp_path)
        assert records.seeds_before == ()
        (note,) = [note for note in records.notes if "reported.json" in note]
        assert "not known with which seeds the experiment was reported before" in note
        store.note_reported(tmp_path / "x")
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == (5,), "later reports count all the same"


def test_reports_that_end_at_the_same_moment_are_all_remembered(tmp_path: Path) -> None:
    folders = [ExperimentFolder(tmp_path / f"{number}") for number in range(9)]
    for number, folder in enumerate(folders):
        folder.path.mkdir()
        look = {"plan": {f"id{number}": [0, 0]}, "seen": [[1]]}
        durable.write_document(folder.reported, {"looks": [look]})
    together = Barrier(8)

    def add(other: ExperimentFolder) -> None:
        together.wait()
        add_reported(folders[0], other)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, folders[1:]))
    assert len(durable.read_document(folders[0].reported)["looks"]) == 9


def test_a_look_halfway_counts_if_the_plan_is_then_cut_short(experiment: Experiment, tmp_path: Path) -> None:
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02), below=3)
    store.note_reported(tmp_path / "x")
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02), below=4)
    store.note_reported(tmp_path / "x")
    assert api.results("x", tmp_path).seeds_before == ()  # until now, all goes as planned
    trained(with_seeds(experiment, 4), tmp_path, noisy(0.02))
    records = api.results("x", tmp_path)
    assert records.seeds_before == (3, 4)
    assert statistics.level_of(records) == pytest.approx(1 - 0.05 / 3)
    assert "The seeds were changed after reports with 3 and 4 of them" in opening(tmp_path)
    assert "Earlier reports may have been at lower levels" in opening(tmp_path)
    trained(with_seeds(experiment, 6), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()


def test_seeds_that_are_replaced_after_a_report_are_a_further_look_each_time(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    for seeds, before in (("0,1,2", ()), ("0,3,4", (3,)), ("0,5,6", (3, 3)), ("0,1,2", (3, 3))):
        trained(api.load(tmp_path / "x.yaml", [f"seed={seeds}"]), tmp_path, noisy(0.02))
        records = api.results("x", tmp_path)
        assert records.seeds_before == before
        assert statistics.level_of(records) == pytest.approx(1 - 0.05 / (1 + len(before)))
        store.note_reported(tmp_path / "x")
    assert "The seeds were changed after reports with 3 of them" in opening(tmp_path)


def test_looks_at_seeds_that_were_replaced_since_are_further_looks(
    tmp_path: Path, experiment: Experiment, looked: list[int]
) -> None:
    api.run_until_decided(experiment, most=5, results=tmp_path)
    api.run_until_decided(api.load(tmp_path / "x.yaml", ["seed=0,7,8"]), most=5, results=tmp_path)
    assert looked == [3, 5, 3, 5]
    records = api.results("x", tmp_path)
    assert (records.seeds_before, records.seeds_replaced) == ((3, 3, 5), (5,))
    assert statistics.level_of(records) == pytest.approx(1 - 0.05 / 4)
    assert "There were reports with 3 and 5 seeds before" in opening(tmp_path)


def test_another_variant_after_a_look_halfway_is_no_further_look(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    planned = api.load(tmp_path / "x.yaml", ["model.connection=plain,residual", "seed=0,1,2"])
    trained(planned, tmp_path, noisy(0.02), below=2)
    store.note_reported(tmp_path / "x")
    kept = api.load(tmp_path / "x.yaml", ["model.connection=plain", "seed=0,1,2"])
    trained(kept, tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()


def test_another_depth_after_a_report_is_no_further_look(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    trained(api.load(tmp_path / "x.yaml", ["model.depth=8"]), tmp_path, noisy(0.02))
    store.note_reported(tmp_path / "x")
    trained(api.load(tmp_path / "x.yaml"), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()


def test_the_same_command_goes_on_at_the_look_where_it_was(
    experiment: Experiment, tmp_path: Path, looked: list[int]
) -> None:
    api.run_until_decided(experiment, most=5, results=tmp_path)
    api.run_until_decided(experiment, most=5, results=tmp_path)
    assert looked == [3, 5, 5]
    api.run_until_decided(experiment, most=8, results=tmp_path)
    assert looked[3:] == [5, 8]
    api.run_until_decided(api.load(tmp_path / "x.yaml", ["training.epochs=2"]), most=3, results=tmp_path)
    assert looked[5:] == [3]


def test_looks_count_as_reports_when_seeds_are_added_by_hand(
    experiment: Experiment, tmp_path: Path, looked: list[int]
) -> None:
    api.run_until_decided(experiment, most=5, results=tmp_path)
    assert looked == [3, 5]
    trained(with_seeds(experiment, 7), tmp_path, noisy(0.02))
    records = api.results("x", tmp_path)
    assert records.seeds_before == (3, 5)
    assert statistics.level_of(records) == pytest.approx(1 - 0.05 / 3)
    store.note_reported(tmp_path / "x")
    api.run_until_decided(experiment, most=8, results=tmp_path, fresh=False)
    records = api.results("x", tmp_path)
    assert records.look == {"seeds": 8, "planned": [3, 5, 8]}
    assert statistics.level_of(records) == pytest.approx(1 - 0.05 / 4)
    assert "There were reports with 7 seeds before" in opening(tmp_path)


def test_a_report_without_results_is_no_look_and_a_tuned_value_is_no_seed(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = api.load(tmp_path / "x.yaml")
    arguments: Mapping[str, Any] = {"config_text": experiment.text, "environment": {}}
    plan = api.trials(experiment, "cpu")
    store.create(tmp_path, "x", trials=plan, **arguments).close()
    store.note_reported(tmp_path / "x")
    trained(with_seeds(experiment, 5), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()
    store.note_reported(tmp_path / "x")
    text = TEXT.replace("data: synthetic", "data: {kind: synthetic, validation_size: 10}")
    (tmp_path / "x.yaml").write_text(text.replace("sweep:", "tune: {training.optimizer.lr: [0.1]}\nsweep:"))
    trained(api.load(tmp_path / "x.yaml"), tmp_path, noisy(0.02))
    store.note_reported(tmp_path / "x")
    (tmp_path / "x.yaml").write_text(
        text.replace("sweep:", "tune: {training.optimizer.lr: [0.1, 1]}\nsweep:")
    )
    trained(api.load(tmp_path / "x.yaml"), tmp_path, noisy(0.02))
    assert api.results("x", tmp_path).seeds_before == ()


def test_more_seeds_than_the_last_look_has_are_refused(experiment: Experiment, tmp_path: Path) -> None:
    many = with_seeds(experiment, 5)
    with pytest.raises(
        ConfigError, match="has 5 seeds per setting, but the last look has only 4; give --max-seeds 5"
    ):
        api.run_until_decided(many, most=4, results=tmp_path)
    with pytest.raises(ConfigError, match="give --max-seeds 5"):
        api.register(many, most=4, results=tmp_path, device="cpu")
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("looked")
def test_where_there_is_no_verdict_a_look_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT.replace("[8, 14]", "[8]"))
    said: list[str] = []
    api.run_until_decided(api.load(tmp_path / "x.yaml"), results=tmp_path, tell=said.append)
    wanted = "the report has no main verdict and no claim, so more seeds would decide nothing."
    assert said == [f"Look 1 of 4, with 3 seeds; {wanted}"]
