import errno
import json
import math
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import durable, store
from resexp.errors import BusyError, ResexpError, StaleAttempt, StoreError
from resexp.plan.trial import Cost, Trial
from resexp.store import attempt as attempt_module

TRIALS = (stub.trial("plain-8"), stub.trial("plain-20", seed=1, depth=20))

FORMATS = Path(__file__).with_name("formats")


latest = partial(store.find, None)


def create(results: Path, trials: Sequence[Trial] = TRIALS, **options: Any) -> store.StoredExperiment:
    environment = {"processor": "a test's"}
    return store.create(
        results, "exp", config_text="name: exp\n", trials=trials, environment=environment, **options
    )


def attempt(experiment: store.StoredExperiment, trial: Trial, **options: Any) -> store.Attempt:
    folder, number = experiment.claim(trial)
    return store.Attempt(folder, number, **options)


def run_all(results: Path, trials: Sequence[Trial] = TRIALS) -> list[str]:
    """Run what is pending, inline; returns the names of the trials that were run."""
    with create(results, trials) as experiment:
        pending = experiment.pending()
        for trial in pending:
            stub.train(attempt(experiment, trial))
        return [trial.name for trial in pending]


def stop_after(steps: int, hold: store.Attempt) -> None:
    """Let the stub train so far, then be told to stop."""
    progress = hold.progress

    def counted(**row: Any) -> None:
        progress(**row)
        hold.stopping = row["step"] >= steps

    hold.progress = counted  # type: ignore[method-assign]
    stub.train(hold)


def folder_of(results: Path, trial: Trial = TRIALS[0]) -> store.TrialFolder:
    return store.ExperimentFolder(results / "exp").trial(trial)


def test_a_finished_experiment_reads_back_as_tidy_frames(tmp_path: Path) -> None:
    trials = [
        Trial(
            "1" * 12, "a", "plain", "plain", 8, 0, TRIALS[0].settings, {"model.depth": 8}, Cost(10, 20, 30)
        ),
        stub.trial("b", seed=1),
        stub.trial("c", misbehave={"at": 7, "how": "diverge"}),
    ]
    assert run_all(tmp_path, trials) == ["a", "b", "c"]
    records = store.read(tmp_path / "exp")
    frame = records.trials.set_index("name")
    assert list(frame["status"]) == ["done", "done", "diverged"]
    assert frame.loc["c", "cause"] == "loss is NaN at step 7"
    assert frame.loc["a", "model.depth"] == 8
    assert frame.loc["a", "params"] == 10
    assert records.trials[["train_error", "test_error", "params", "seconds"]].dtypes.eq("float64").all()
    assert frame["test_error"].isna().all()
    assert list(records.metrics.query("id == '111111111111'")["step"]) == [5, 10, 15, 20]
    assert records.metrics["loss"].isna().sum() == 1
    assert len(records.probes) == 5
    assert records.environment == {"processor": "a test's"}
    assert records.notes == []
    assert run_all(tmp_path, trials) == []


def test_tuned_keys_and_the_tasks_own_measures_are_columns(tmp_path: Path) -> None:
    tuned = {"training.optimizer.lr": 0.1}
    trials = [replace(TRIALS[0], axes=tuned, tuned=tuned), TRIALS[1]]
    with create(tmp_path, trials) as experiment:
        hold = attempt(experiment, trials[0])
        hold.begin(stub.FINGERPRINT)
        hold.metric({"epoch": 1, "validation_error": 0.25, "test_measures": {"iou": 0.4}})
        measured = {"validation_error": 0.25, "validation_loss": 0.5, "test_measures": {"iou": 0.4}}
        hold.commit({"status": "done", "cause": None, **measured})
    records = store.read(tmp_path / "exp")
    assert records.tuned == ("training.optimizer.lr",)
    done, pending = records.trials.to_dict("records")
    assert (done["training.optimizer.lr"], done["validation_error"], done["test_iou"]) == (0.1, 0.25, 0.4)
    assert math.isnan(pending["validation_error"])
    assert math.isnan(pending["test_iou"])
    assert list(records.metrics["test_iou"]) == [0.4]


def test_only_what_is_new_runs_and_the_rest_is_left_aside(tmp_path: Path) -> None:
    run_all(tmp_path)
    other = stub.trial("plain-32", depth=32)
    assert run_all(tmp_path, [TRIALS[0], other]) == ["plain-32"]
    records = store.read(tmp_path / "exp")
    assert list(records.trials["name"]) == ["plain-8", "plain-32"]
    assert set(records.metrics["id"]) == {TRIALS[0].id, other.id}
    assert ["left aside" in note for note in records.notes] == [True]
    assert run_all(tmp_path) == []


def test_what_is_published_is_kept(tmp_path: Path) -> None:
    reference = {"when": {"model.depth": 8}, "metric": "test_error", "value": 0.1}
    reference |= {"statistic": "mean", "source": "B"}
    create(tmp_path, published={"paper": "A", "references": [reference]}).close()
    records = store.read(tmp_path / "exp")
    assert (records.published["paper"], records.references) == ("A", [reference])


def test_fresh_starts_over(tmp_path: Path) -> None:
    run_all(tmp_path)
    with create(tmp_path, fresh=True) as experiment:
        assert experiment.pending() == list(TRIALS)


def test_the_environment_is_of_the_run_that_had_something_to_do(tmp_path: Path) -> None:
    run_all(tmp_path)
    nothing_to_do = {"config_text": "name: exp\n", "trials": TRIALS, "environment": {"processor": "another"}}
    store.create(tmp_path, "exp", **nothing_to_do).close()  # type: ignore[arg-type]
    assert store.read(tmp_path / "exp").environment == {"processor": "a test's"}


def test_states_while_running_after_a_stop_and_after_a_failure(tmp_path: Path) -> None:
    def status() -> list[str]:
        return list(store.read(tmp_path / "exp").trials["status"])

    with create(tmp_path) as experiment:
        assert status() == ["pending", "pending"]
        hold = attempt(experiment, TRIALS[0])
        stop_after(7, hold)
        assert status() == ["running", "pending"]
        hold.fail("error", "error: no luck")
        assert status() == ["failed", "pending"]
        attempt(experiment, TRIALS[0])
        assert status() == ["running", "pending"]
    assert status() == ["pending", "pending"]
    assert store.states(tmp_path / "exp", TRIALS)[TRIALS[0].id].status == "pending"
    assert store.states(tmp_path / "nowhere", TRIALS)[TRIALS[0].id].status == "pending"


def test_resuming_continues_from_the_newest_checkpoint(tmp_path: Path) -> None:
    run_all(tmp_path / "whole")
    with create(tmp_path / "cut") as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        again = attempt(experiment, TRIALS[0])
        assert json.loads(again.begin(stub.FINGERPRINT) or b"")["step"] == 12
        stub.train(attempt(experiment, TRIALS[0]))
        assert experiment.pending() == [TRIALS[1]]
    assert stub.trace(folder_of(tmp_path / "cut")) == stub.trace(folder_of(tmp_path / "whole"))


def test_a_checkpoint_whose_notes_are_none_gives_way_to_the_one_before(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        newest = folder_of(tmp_path).checkpoints()[-1]
        durable.write_document(newest, {**durable.read_document(newest), "notes": 5})
        assert json.loads(attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT) or b"")["step"] == 10


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        place = folder_of(tmp_path)
        sidecars = place.checkpoints()
        assert [json.loads(path.read_text())["step"] for path in sidecars][-2:] == [10, 12]
        sidecars[-1].with_suffix(".pt").write_bytes(b"torn")
        assert json.loads(attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT) or b"")["step"] == 10
        assert len(durable.read_rows(place.metrics.read_bytes())[0]) == 2
        sidecars[-2].unlink()
        for path in place.checkpoints():
            path.unlink()
        assert attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT) is None
        assert place.metrics.read_bytes() == b""


def test_a_checkpoint_that_cannot_be_read_or_for_which_memory_is_short_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(data: bytes) -> bytes:
        raise MemoryError

    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        with pytest.raises(MemoryError):
            attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT, short)
        sidecar = folder_of(tmp_path).checkpoints()[-1]
        with monkeypatch.context() as patch:
            whole = durable.read_bytes

            def fails(path: Path, most: int | None = None) -> bytes:
                if path == sidecar:
                    raise OSError(errno.EIO, "Input/output error")
                return whole(path, most)

            patch.setattr(durable, "read_bytes", fails)
            with pytest.raises(OSError, match="Input/output"):
                attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT)
        assert json.loads(attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT) or b"")["step"] == 12


def test_a_short_trial_waits_for_the_disk_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durability may cost 2 % of the time: a fixed few fsyncs a trial, whatever its length in epochs."""
    calls = []
    whole = os.fsync
    with create(tmp_path) as experiment:
        attempt(experiment, TRIALS[1])  # the first of a run tells of the run, too
        monkeypatch.setattr(os, "fsync", lambda fd: calls.append(fd) or whole(fd))  # type: ignore[func-returns-value]
        stub.train(attempt(experiment, TRIALS[0]))
    assert len(calls) == 7


def test_a_checkpoint_whose_rows_are_damaged_does_not_count(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        metrics = folder_of(tmp_path).metrics
        metrics.write_bytes(metrics.read_bytes().replace(b'"step": 10', b'"step": 11'))
        assert attempt(experiment, TRIALS[0]).begin(stub.FINGERPRINT) is None
        assert metrics.read_bytes() == b""


def test_the_newest_fsynced_checkpoint_is_kept_beside_the_newest_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(tmp_path) as experiment:
        stub.train(attempt(experiment, TRIALS[1]))
        hold = attempt(experiment, TRIALS[0])
        hold.begin({})
        monkeypatch.setattr(attempt_module, "DURABLE_EVERY", 0.0)
        hold.save_checkpoint(b"weights", 1)
        monkeypatch.setattr(attempt_module, "DURABLE_EVERY", 1e9)
        for step in range(2, 6):
            hold.save_checkpoint(b"weights", step)
        assert kept_steps(tmp_path) == [1, 4, 5]
        monkeypatch.setattr(attempt_module, "DURABLE_EVERY", 0.0)
        hold.save_checkpoint(b"weights", 6)
        hold.save_checkpoint(b"weights", 7)
        assert kept_steps(tmp_path) == [6, 7]
        hold.commit({"status": "done", "cause": None})
        assert kept_steps(tmp_path) == [7]


def kept_steps(results: Path) -> list[int]:
    return [json.loads(path.read_text())["step"] for path in folder_of(results).checkpoints()]


def test_another_machine_starts_again_unless_a_change_is_allowed(tmp_path: Path) -> None:
    other = {**stub.FINGERPRINT, "device": "another"}
    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        allowed = attempt(experiment, TRIALS[0], allow_environment_change=True)
        assert allowed.begin(other) is not None
        allowed.save_checkpoint(b"mixed", 13)
        same = attempt(experiment, TRIALS[0])
        assert same.begin(other) == b"mixed"
        same.commit({"status": "done", "cause": None})
        assert store.read(tmp_path / "exp").trials["mixed"][0]
        again = attempt(experiment, TRIALS[0])
        assert again.begin(stub.FINGERPRINT) is None
        (note,) = again.notes
        assert note.endswith("not continued in this one (device: another before, stub now)")
        again.commit({"status": "done", "cause": None})
        assert not store.read(tmp_path / "exp").trials["mixed"][0]


def test_that_a_trial_began_again_is_told_although_it_was_stopped_once_more(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        first = attempt(experiment, TRIALS[0])
        first.begin({**stub.FINGERPRINT, "device": "another", "model": "EPYC"})
        first.save_checkpoint(b"first", 5)
        second = attempt(experiment, TRIALS[0])
        assert second.begin({**stub.FINGERPRINT, "model": "Xeon"}) is None
        second.save_checkpoint(b"second", 5)
        third = attempt(experiment, TRIALS[0])
        assert third.begin({**stub.FINGERPRINT, "model": "Xeon"}) == b"second"
        (note,) = third.notes
        # Another model alone is no reason to begin again.
        assert note.endswith("(device: another before, stub now)")


def test_an_older_checkpoint_of_this_environment_is_continued_and_nothing_is_said_to_begin_again(
    tmp_path: Path,
) -> None:
    with create(tmp_path) as experiment:
        first = attempt(experiment, TRIALS[0])
        first.begin(stub.FINGERPRINT)
        first.save_checkpoint(b"first", 5)
        elsewhere = attempt(experiment, TRIALS[0], allow_environment_change=True)
        elsewhere.begin({**stub.FINGERPRINT, "device": "another"})
        elsewhere.save_checkpoint(b"elsewhere", 6)
        again = attempt(experiment, TRIALS[0])
        assert again.begin(stub.FINGERPRINT) == b"first"
        assert not again.notes


@pytest.mark.parametrize(
    ("before", "now", "mixed"),
    [
        ({"model": "EPYC"}, {"model": "EPYC"}, False),
        ({"model": "EPYC"}, {"model": "Xeon"}, True),
        ({}, {"model": "Xeon"}, False),  # an older version did not record it
        ({}, {"model": "Xeon", "ONEDNN_MAX_CPU_ISA": "AVX2"}, False),  # nor such limits
    ],
)
def test_a_trial_that_goes_on_on_another_processor_of_the_same_kind_is_mixed(
    before: dict[str, str], now: dict[str, str], mixed: bool, tmp_path: Path
) -> None:
    with create(tmp_path) as experiment:
        first = attempt(experiment, TRIALS[0])
        first.begin({**stub.FINGERPRINT, **before})
        first.save_checkpoint(b"first", 5)
        again = attempt(experiment, TRIALS[0])
        assert again.begin({**stub.FINGERPRINT, **now}) == b"first"
        again.commit({"status": "done", "cause": None})
        assert bool(store.read(tmp_path / "exp").trials["mixed"][0]) == mixed


def test_a_stale_attempt_can_neither_save_nor_commit(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        stale = attempt(experiment, TRIALS[0])
        stale.begin({})
        current = attempt(experiment, TRIALS[0])
        current.begin({})
        for act in (
            lambda: stale.save_checkpoint(b"", 1),
            lambda: stale.commit({"status": "done"}),
            lambda: stale.fail("error", "late"),
            lambda: stale.begin({}),
        ):
            with pytest.raises(StaleAttempt, match="taken over by attempt 2"):
                act()
        current.commit({"status": "done", "cause": None})
        assert experiment.state(TRIALS[0]).status == "done"


def test_an_attempt_in_a_folder_that_was_made_again_is_stale_although_its_number_is_the_same(
    tmp_path: Path,
) -> None:
    with create(tmp_path) as experiment:
        stale = attempt(experiment, TRIALS[0])
        stale.begin({})
    with create(tmp_path, fresh=True) as experiment:
        current = attempt(experiment, TRIALS[0])
        assert current.number == stale.number
        current.begin({})
        for act in (
            lambda: stale.save_checkpoint(b"", 1),
            lambda: stale.commit({"status": "done", "cause": None}),
            lambda: stale.fail("error", "late"),
        ):
            with pytest.raises(StaleAttempt, match="was deleted and made again"):
                act()
        current.commit({"status": "done", "cause": None})


def test_an_attempt_that_begins_before_its_record_is_visible_is_not_stale(tmp_path: Path) -> None:
    """On a shared folder, another machine may see the record some seconds later."""
    with create(tmp_path) as experiment:
        folder, number = experiment.claim(TRIALS[0])
        record = (folder / "attempt").read_bytes()
        earlier = {**durable.read_document(folder / "attempt"), "attempt": number - 1, "token": "earlier"}
        durable.write_document(folder / "attempt", earlier)
        begun = store.Attempt(folder, number)
        (folder / "attempt").write_bytes(record)
        begun.begin({})
        begun.commit({"status": "done", "cause": None})


def test_a_commit_that_slips_past_the_check_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(tmp_path) as experiment:
        stale = attempt(experiment, TRIALS[0])
        stale.begin({})
        stale.metric({"step": 1, "seconds": 1.5})
        current = attempt(experiment, TRIALS[0])
        current.begin({})
        current.metric({"step": 1, "seconds": 1.7})
        monkeypatch.setattr(stale, "_check_current", lambda: None)
        stale.commit({"status": "done", "cause": None})
        assert not experiment.state(TRIALS[0]).finished
        current.commit({"status": "done", "cause": None})
        assert experiment.state(TRIALS[0]).finished


def read_run(results: Path) -> str:
    """The one run that trained something."""
    (document,) = (results / "exp/runs").iterdir()
    return document.stem


def test_damage_in_any_place_of_any_file_is_told_and_run_again(tmp_path: Path) -> None:
    """500 flips or cuts over the files of a finished experiment: each is noted, or changes nothing read."""
    run_all(tmp_path)
    before = store.read(tmp_path / "exp")
    whole = stub.trace(folder_of(tmp_path))
    read_back = (
        "config.yaml",
        "plan.json",
        f"{read_run(tmp_path)}.json",
        "result.json",
        "metrics.jsonl",
        "probes.jsonl",
    )
    files = [path for name in read_back for path in sorted((tmp_path / "exp").rglob(name))]
    assert len(files) == 3 + 2 * 3
    dice = random.Random(0)
    for number in range(500):
        path = files[number % len(files)]
        data = path.read_bytes()
        place = dice.randrange(len(data))
        flipped = bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]
        path.write_bytes(data[:place] + (flipped if number % 3 else b""))
        records = store.read(tmp_path / "exp")
        assert records.notes, (path, place)
        if path.parent.parent.name == "trials":
            assert "pending" in set(records.trials["status"])
        path.write_bytes(data)
    after = store.read(tmp_path / "exp")
    assert after.trials.equals(before.trials)
    folder_of(tmp_path).result.write_bytes(b"{}")
    assert run_all(tmp_path) == [TRIALS[0].name]
    assert stub.trace(folder_of(tmp_path)) == whole


def test_a_loss_that_is_no_number_is_no_result_of_a_done_trial(tmp_path: Path) -> None:
    """Older versions called a trial done whose net broke in its last step."""
    run_all(tmp_path, TRIALS[:1])
    result = folder_of(tmp_path).result
    broken = durable.read_document(result) | {"test_error": 0.9, "test_loss": math.nan}
    durable.write_document(result, broken)
    records = store.read(tmp_path / "exp")
    assert records.trials.iloc[0]["status"] == "pending"
    assert records.trials[["test_error", "test_loss"]].isna().all(axis=None)
    assert any("its loss is not a finite number" in note for note in records.notes)
    assert run_all(tmp_path, TRIALS[:1]) == [TRIALS[0].name]


def test_a_lost_plan_is_made_up_for_by_the_trials(tmp_path: Path) -> None:
    run_all(tmp_path)
    (tmp_path / "exp/plan.json").unlink()
    records = store.read(tmp_path / "exp")
    assert sorted(records.trials["name"]) == ["plain-20", "plain-8"]
    assert "plan.json" in records.notes[0]
    assert run_all(tmp_path) == []


def test_a_torn_last_line_of_a_running_trial_is_dropped(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        stop_after(12, attempt(experiment, TRIALS[0]))
        metrics = folder_of(tmp_path).metrics
        data = metrics.read_bytes()
        lines = data.splitlines(keepends=True)
        for size in range(len(data) + 1):
            metrics.write_bytes(data[:size])
            records = store.read(tmp_path / "exp")
            assert len(records.metrics) == sum(size >= end for end in (len(lines[0]), len(data)))
            assert records.notes == []
        assert len(lines) == 2


def test_a_second_run_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    with create(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}, since 20") as busy:
        create(tmp_path)
    assert str(busy.value).endswith(f"; wait until it ends, or stop it: resexp stop {tmp_path / 'exp'}")
    assert busy.value.exit_status == 75
    create(tmp_path).close()


def test_a_hold_that_nothing_came_of_leaves_nothing(tmp_path: Path) -> None:
    with store.hold(tmp_path / "results", "exp"), pytest.raises(BusyError):
        store.hold(tmp_path / "results", "exp")
    assert os.listdir(tmp_path) == [], "nor a folder for results that was made for it"
    with store.hold(tmp_path, "exp") as held, create(tmp_path, held=held) as experiment:
        assert experiment.pending() == list(TRIALS)
    assert len(store.read(tmp_path / "exp").trials) == 2


def test_a_newer_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    run_all(tmp_path)
    plan = tmp_path / "exp/plan.json"
    durable.write_document(plan, {**durable.read_document(plan), "format": store.PLAN_FORMAT + 1})
    for act in (lambda: store.read(tmp_path / "exp"), lambda: create(tmp_path)):
        with pytest.raises(StoreError, match="newer resexp"):
            act()


FORMAT_TRIALS = [
    stub.trial("done"),
    stub.trial("diverged", misbehave={"at": 7, "how": "diverge"}),
    stub.trial("cut", seed=1),
]


@pytest.mark.parametrize("version", sorted(path.name for path in FORMATS.iterdir()))
def test_a_folder_of_every_format_so_far_opens_and_resumes(tmp_path: Path, version: str) -> None:
    shutil.copytree(FORMATS / version, tmp_path, dirs_exist_ok=True)
    records = store.read(tmp_path / "exp")
    assert list(records.trials["status"]) == ["done", "diverged", "pending"]
    assert len(records.metrics) == 4 + 2 + 2
    assert records.notes == []
    assert records.references == []
    with create(tmp_path, FORMAT_TRIALS) as experiment:
        hold = attempt(experiment, FORMAT_TRIALS[2])
        assert hold.begin(stub.FINGERPRINT) is not None
        assert [trial.name for trial in experiment.pending()] == ["cut"]


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "a\0b"])
def test_names_do_not_leave_the_results_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a folder's name"):
        store.create(tmp_path / "in", name, config_text="", trials=[], environment={})
    with pytest.raises(StoreError, match="cannot be a folder's name"):
        create(tmp_path / "in", [stub.trial(name)])
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("act", [create, lambda place: store.read(place / "exp"), latest])
def test_a_place_that_is_no_folder_is_told(tmp_path: Path, act: Callable[[Path], object]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ResexpError, match="file"):
        act(tmp_path / "file")


def test_the_latest_experiment_is_the_one_run_last(tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a", "c")):
        store.create(tmp_path, name, config_text="", trials=[], environment={}).close()
        os.utime(tmp_path / name / "plan.json", (number, number))
    os.utime(tmp_path / "b/plan.json", (9, 9))
    assert latest(tmp_path).name == "b"
    assert [path.name for path in store.experiments(tmp_path)] == ["b", "c", "a"]


def test_an_attempt_at_a_damaged_trial_says_what_to_do(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        folder, number = experiment.claim(TRIALS[0])
        (folder / "trial.json").write_text("{")
        with pytest.raises(StoreError, match="delete the folder"):
            store.Attempt(folder, number)


def test_a_configuration_is_read_back_only_if_it_is_the_one_that_was_run(tmp_path: Path) -> None:
    run_all(tmp_path)
    assert store.read(tmp_path / "exp").config == "name: exp\n"
    file = store.ExperimentFolder(tmp_path / "exp").config
    for change in (lambda: file.write_text("name: another\n"), file.unlink):
        change()
        records = store.read(tmp_path / "exp")
        assert records.config == ""
        assert any(note.endswith("is not the configuration that was run") for note in records.notes)
