"""What a results folder may say, and may not make us do: links, pipes, names and another trial's rows."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import durable, store
from resexp.catalog.probe_name import as_asked, kind_and_network, probe_name
from resexp.errors import StoreError
from resexp.plan.trial import Trial
from resexp.report.build import build
from resexp.report.write import write

TRIALS = (stub.trial("plain-8"), stub.trial("plain-20", seed=1, depth=20))
ROW = {"probe": "stub", "step": 20, "at": 1.0, "value": 0.078}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return two_finished(tmp_path)


def two_finished(tmp_path: Path) -> Path:
    """A folder of two finished trials."""
    with create(tmp_path / "results") as experiment:
        for trial in TRIALS:
            stub.train(store.Attempt(*experiment.claim(trial)))
    return tmp_path / "results"


def create(results: Path, trials: tuple[Trial, ...] = TRIALS) -> store.StoredExperiment:
    return store.create(results, "exp", config_text="name: exp\n", trials=trials, environment={"cores": 2})


def folder_of(results: Path, trial: Trial = TRIALS[0]) -> store.TrialFolder:
    return store.ExperimentFolder(results / "exp").trial(trial)


def later(results: Path) -> list[float]:
    """The values that were measured after training."""
    probes = store.read(results / "exp").probes
    return [] if "at" not in probes else list(probes["value"][probes["at"] == 1])


def test_rows_measured_later_count_for_the_very_result_they_were_measured_of(results: Path) -> None:
    one, other = store.finished(results / "exp")
    one.add([ROW])
    assert later(results) == [0.078]
    shutil.copy(one.folder.later_probes, other.folder.later_probes)
    one.folder.later_probes.unlink()
    assert later(results) == []
    assert "is of another trial" in str(store.read(results / "exp").notes)
    other.add([{**ROW, "value": 0.047}])
    assert later(results) == [0.047], "what was of another trial is not kept"


def test_what_is_measured_later_of_one_network_leaves_the_other(results: Path) -> None:
    one, _ = store.finished(results / "exp")
    one.add([ROW])
    one.add([{**ROW, "probe": probe_name(ROW["probe"], "discriminator"), "value": 0.5}])
    assert later(results) == [0.078, 0.5]
    assert probe_name("lesion") == as_asked("lesion") == "lesion"
    assert as_asked(probe_name("lesion", "discriminator")) == "'{kind: lesion, of: discriminator}'"
    assert kind_and_network(probe_name("lesion", "discriminator")) == ("lesion", "discriminator")


@pytest.mark.parametrize("lacking", ["trial", "of"])
def test_rows_measured_later_by_an_older_version_are_left_aside(results: Path, lacking: str) -> None:
    one, _ = store.finished(results / "exp")
    one.add([ROW])
    document = durable.read_document(one.folder.later_probes)
    del document[lacking]
    durable.write_document(one.folder.later_probes, document)
    assert later(results) == []
    told = str(store.read(results / "exp").notes)
    assert ("was written by an older resexp" in told) == (lacking == "trial")


def test_rows_measured_later_do_not_outlive_a_second_training(results: Path) -> None:
    one, _ = store.finished(results / "exp")
    one.add([ROW])
    kept = one.folder.later_probes.read_bytes()
    shutil.rmtree(one.folder.path)
    with create(results) as experiment:
        hold = store.Attempt(*experiment.claim(TRIALS[0]))
        hold.probe = lambda rows: store.Attempt.probe(hold, [{**row, "value": 0.5} for row in rows])  # type: ignore[method-assign]
        stub.train(hold)
    one.folder.later_probes.write_bytes(kept)
    assert later(results) == []


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, listener, device, Path.mkdir])
def test_what_is_no_file_is_as_a_damaged_one_and_nothing_waits_for_it(
    results: Path, make: Callable[[Path], object]
) -> None:
    place = folder_of(results)
    ours = [
        path
        for path in (results / "exp").rglob("*")
        if place.path in path.parents or "trials" not in str(path)
    ]
    for path in ours:
        if not path.is_file() or path.name == "lock" or (make is Path.mkdir and path.name != "result.json"):
            continue
        kept = path.read_bytes()
        path.unlink()
        make(path)
        records = store.read(results / "exp")
        assert records.notes or path.name in UNREAD, path
        assert (place.log_tail() == []) or path.name != "log.txt"
        for one in store.finished(results / "exp"):
            with suppress(StoreError):
                one.checkpoint()
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(kept)
    assert store.read(results / "exp").notes == []


UNREAD = {"attempt", "trial.json", "progress", "log.txt", "holder", "failure.json"} | {
    f"checkpoint-0000000020-00001.{suffix}" for suffix in ("json", "pt")
}
"""What no reader of a finished trial needs."""


@pytest.mark.parametrize("make", [pipe, listener])
def test_a_lock_that_is_no_file_makes_nobody_wait(results: Path, make: Callable[[Path], object]) -> None:
    lock = results / "exp/lock"
    lock.unlink(missing_ok=True)
    make(lock)
    assert set(store.read(results / "exp").trials["status"]) == {"done"}
    with suppress(StoreError):
        create(results).close()


@pytest.mark.parametrize("inner", ["", "figures"])
def test_a_report_is_not_written_through_a_link(results: Path, tmp_path: Path, inner: str) -> None:
    outside = tmp_path / "outside"
    (outside / "figures").mkdir(parents=True)
    (outside / "report.md").write_text("mine")
    link = results / "exp/report" / inner
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(OSError, match="is a link, and nothing is written through it"):
        write(build(store.read(results / "exp")), results / "exp/report")
    assert (outside / "report.md").read_text() == "mine"
    assert os.listdir(outside / "figures") == []


def test_a_file_of_a_report_that_is_a_link_is_replaced_itself(results: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    (results / "exp/report").mkdir()
    (results / "exp/report/report.md").symlink_to(tmp_path / "outside")
    write(build(store.read(results / "exp")), results / "exp/report")
    assert (tmp_path / "outside").read_text() == "mine"
    assert not (results / "exp/report/report.md").is_symlink()


@pytest.mark.parametrize("what", ["trials", "trial"])
def test_nothing_is_trained_through_a_link(results: Path, tmp_path: Path, what: str) -> None:
    path = results / "exp/trials" if what == "trials" else folder_of(results).path
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    assert set(store.read(results / "exp").trials["status"]) == {"done"}, "reading does no harm"
    with pytest.raises(StoreError, match="is a link, and nothing is written"), create(results) as experiment:
        experiment.claim(TRIALS[0])


def test_a_log_that_is_a_link_is_replaced(results: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    place = folder_of(results)
    place.log.unlink(missing_ok=True)
    place.log.symlink_to(tmp_path / "outside")
    with create(results) as experiment:
        experiment.claim(TRIALS[0])
    assert not place.log.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../../outside"),
        ("name", ".."),
        ("id", "/etc"),
        ("plugins", {"a" * 64: "../x.py"}),
        ("name", ""),
    ],
)
def test_names_that_lead_out_of_the_folder_are_not_followed(results: Path, key: str, value: Any) -> None:
    plan = results / "exp/plan.json"
    document = durable.read_document(plan)
    document["trials"][0][key] = value
    durable.write_document(plan, document)
    records = store.read(results / "exp")
    assert f"trials.0.{key}" in records.notes[0]
    assert sorted(records.trials["name"]) == ["plain-20", "plain-8"], "what was started is shown"
    trial = folder_of(results).trial
    durable.write_document(
        trial, {"format": 1, "trial": {**durable.read_document(trial)["trial"], key: value}}
    )
    assert list(store.read(results / "exp").trials["name"]) == ["plain-20"]
    with pytest.raises(StoreError, match="delete the folder"):
        store.Attempt(trial.parent, 1)


def test_rows_with_wrong_contents_are_shown_as_far_as_they_are_right(results: Path) -> None:
    with create(results, (stub.trial("running"),)) as experiment:
        hold = store.Attempt(*experiment.claim(experiment.trials[0]))
        hold.begin(stub.FINGERPRINT)
        for row in ({"epoch": 1, "loss": 0.5}, {"epoch": "two", "loss": 0.4}, {"epoch": 3, "loss": 0.3}):
            hold.metric(row)
        records = store.read(results / "exp")
    assert list(records.metrics["epoch"]) == [1]
    assert "metrics.jsonl: row 2: its epoch is not what it should be" in records.notes[0]


def test_bytes_with_a_right_checksum_that_are_no_json_are_damage(tmp_path: Path) -> None:
    def sealed(inside: str) -> bytes:
        good = durable.seal({"a": 0}).replace(b'"a": 0', inside.encode())
        return good[:9] + b"00000000" + good[17:]

    import zlib

    for inside in ("[", '"a": ' + "[" * 100_000, '"a": ' + "1" * 5000):
        blank = sealed(inside)
        whole = blank.replace(b"00000000", f"{zlib.crc32(blank):08x}".encode(), 1)
        with pytest.raises(durable.Damaged, match="no JSON that can be read"):
            durable.unseal(whole)
        rows, size = durable.read_rows(durable.seal({"a": 1}) + whole + durable.seal({"a": 2}))
        assert (rows, size) == ([{"a": 1}], len(durable.seal({"a": 1})))


def test_names_that_are_no_unicode_round_trip(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    trial = Trial("1" * 12, "a", "plain", "plain", 8, 0, {**TRIALS[0].settings, "root": odd})
    results = tmp_path / odd
    with create(results, (trial,)) as experiment:
        hold = store.Attempt(*experiment.claim(trial))
        hold.begin(stub.FINGERPRINT)
        hold.fail("error", f"error: {odd}")
    records = store.read(results / "exp")
    assert list(records.trials["cause"]) == [f"error: {odd}"]
    assert records.settings[trial.id]["root"] == odd
    assert json.loads((results / "exp/plan.json").read_text())["trials"][0]["settings"]["root"] == odd
