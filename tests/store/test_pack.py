"""An experiment as one file: what is packed, what is unpacked, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stub
from test_store import TRIALS, attempt, create, run_all, stop_after

from resexp import durable, store
from resexp.errors import BusyError, DataError, StoreError
from resexp.plan.trial import Trial
from resexp.store import archive

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> dict[str, bytes]:
    """Every file that is packed, by its path."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if archive.PACKED.fullmatch(name)}


def run_first(results: Path, steps: int | None = None, trials: Sequence[Trial] = TRIALS) -> None:
    """Train the first trial, and if `steps` is given, the second one so far."""
    with create(results, trials) as experiment:
        stub.train(attempt(experiment, trials[0]))
        if steps is not None:
            stop_after(steps, attempt(experiment, trials[1]))


def packed(tmp_path: Path, **options: Any) -> Path:
    file = tmp_path / "exp.tar.gz"
    store.pack(tmp_path / "there" / "exp", file, **options)
    return file


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


def test_what_is_unpacked_is_what_was_packed(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there", steps=12)
    file = packed(tmp_path)
    done = store.unpack(file, here)
    assert (done.folder, done.added, done.kept, done.left) == (here / "exp", 2, 0, 0)
    assert files(here / "exp") == files(tmp_path / "there" / "exp")
    assert any(name.endswith(".pt") for name in files(here / "exp"))
    assert store.read(here / "exp").trials["status"].tolist() == ["done", "pending"]
    left_over = {path.name for path in (here / "exp").iterdir()}
    assert left_over == {"config.yaml", "plan.json", "runs", "trials", "lock", "holder"}
    with tarfile.open(file) as tar:  # any tar program can read it
        assert set(tar.getnames()) == {"manifest.json", *files(here / "exp")}
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_an_unfinished_trial_goes_on_from_its_checkpoint(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there", steps=12)
    store.unpack(packed(tmp_path), here)
    assert run_all(here) == [TRIALS[1].name]
    run_all(tmp_path / "at once")
    for trial in TRIALS:
        rows = [
            store.ExperimentFolder(results / "exp").trial(trial).metrics.read_bytes()
            for results in (here, tmp_path / "at once")
        ]
        ours, theirs = (
            [row["value"] for row in durable.read_rows(each)[0] if "value" in row] for each in rows
        )
        assert ours == theirs
    log = store.ExperimentFolder(here / "exp").trial(TRIALS[1])
    assert durable.read_document(log.result)["attempt"] == 2


def test_weights_and_checkpoints_can_be_left_out(tmp_path: Path) -> None:
    run_first(tmp_path / "there", steps=12)
    for weights in (True, False):
        for checkpoints in (True, False):
            results = tmp_path / f"{weights} {checkpoints}"
            store.unpack(packed(tmp_path, weights=weights, checkpoints=checkpoints), results)
            (tmp_path / "exp.tar.gz").unlink()
            has = [
                bool(store.ExperimentFolder(results / "exp").trial(trial).checkpoints()) for trial in TRIALS
            ]
            assert has == [weights, checkpoints]
            assert store.read(results / "exp").trials["status"].tolist() == ["done", "pending"]


def test_checkpoints_of_attempts_that_a_cluster_started_again_are_packed(tmp_path: Path, here: Path) -> None:
    with create(tmp_path / "there", TRIALS) as experiment:
        stub.train(attempt(experiment, TRIALS[0], restart=1))
        stop_after(12, attempt(experiment, TRIALS[1], restart=2))
    store.unpack(packed(tmp_path), here)
    for trial, restart in zip(TRIALS, (1, 2), strict=False):
        there, unpacked = (
            store.ExperimentFolder(results / "exp").trial(trial).checkpoints()
            for results in (tmp_path / "there", here)
        )
        assert [path.name for path in unpacked] == [path.name for path in there] != []
        assert all(path.stem.endswith(f"-{restart:05d}") for path in unpacked)


def test_the_same_experiment_makes_the_same_bytes_and_overwrites_nothing(tmp_path: Path) -> None:
    run_first(tmp_path / "there")
    file = packed(tmp_path)
    before = file.read_bytes()
    with pytest.raises(DataError, match=r"exp\.tar\.gz: exists already, and nothing is overwritten"):
        packed(tmp_path)
    assert file.read_bytes() == before
    with pytest.raises(DataError, match=r"absent/x\.tar\.gz: there is no folder .*absent; make it, or give"):
        store.pack(tmp_path / "there" / "exp", tmp_path / "absent" / "x.tar.gz")
    file.unlink()
    assert packed(tmp_path).read_bytes() == before


def test_nothing_is_packed_or_unpacked_while_the_experiment_runs(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here)
    file = packed(tmp_path)
    for results in (tmp_path / "there", here):
        code = "from pathlib import Path\nfrom resexp import store\n"
        code += f"with store.hold(Path({str(results)!r}), 'exp'): print(flush=True); input()"
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
            assert other.stdout is not None
            other.stdout.readline()
            with pytest.raises(BusyError):
                store.pack(results / "exp", tmp_path / "other.tar.gz")
            with pytest.raises(BusyError):
                store.unpack(file, results)
            other.communicate(b"\n")
    assert not (tmp_path / "other.tar.gz").exists()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written into the folder, by root either, as on a disk that is mounted to be read."""
    if any(
        subprocess.run(["mount", *words, folder], check=False, capture_output=True).returncode
        for words in (["--bind", folder], ["-o", "remount,bind,ro"])
    ):
        pytest.skip("this user may not mount a folder")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="there is no program `mount`")
def test_a_folder_that_can_only_be_read_is_packed_unless_a_run_holds_it(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    with read_only(tmp_path / "there"):
        store.unpack(packed(tmp_path), here)
    assert files(here / "exp") == files(tmp_path / "there" / "exp")
    (tmp_path / "there" / "exp" / "taken").write_text("a run on another machine")
    with read_only(tmp_path / "there"), pytest.raises(BusyError, match="taken says that a run holds it"):
        store.pack(tmp_path / "there" / "exp", tmp_path / "other.tar.gz")


def test_finished_trials_are_added_to_the_same_experiment(tmp_path: Path, here: Path) -> None:
    with create(tmp_path / "there") as experiment:
        stub.train(attempt(experiment, TRIALS[1]))
    run_first(here, steps=7)
    before = files(here / "exp")
    done = store.unpack(packed(tmp_path), here)
    assert (done.added, done.kept, done.left) == (1, 0, 0)
    after = files(here / "exp")
    second = f"trials/{TRIALS[1].name}-{TRIALS[1].id}/"
    assert {n: c for n, c in after.items() if n.startswith(second)} == {
        n: c for n, c in files(tmp_path / "there" / "exp").items() if n.startswith(second)
    }
    assert {n: c for n, c in after.items() if not n.startswith((second, "runs/"))} == {
        n: c for n, c in before.items() if not n.startswith((second, "runs/"))
    }
    assert len(store.read(here / "exp").runs) == 1  # both machines were alike
    assert store.read(here / "exp").notes == []
    assert run_all(here) == []
    again = store.unpack(tmp_path / "exp.tar.gz", here)
    assert (again.added, again.kept, again.left) == (0, 1, 0)


def test_readings_that_were_measured_elsewhere_are_added(tmp_path: Path, here: Path) -> None:
    """An experiment is packed, probed on another machine, and comes back."""
    there = tmp_path / "there"
    run_first(there)
    store.unpack(packed(tmp_path), here)

    def probed(results: Path, value: float) -> list[float]:
        (finished,) = store.finished(results / "exp")
        finished.add([{"probe": "cka", "step": 20, "at": 1, "name": "x", "value": value}])
        return readings(results)

    def readings(results: Path) -> list[float]:
        return store.read(results / "exp").probes.query("probe == 'cka'")["value"].tolist()

    def brought_back() -> store.Unpacked:
        (tmp_path / "exp.tar.gz").unlink()
        return store.unpack(packed(tmp_path), here)

    assert probed(there, 1.5) == [1.5]
    done = brought_back()
    assert (done.added, done.kept, done.probed, done.unread) == (0, 1, 1, 0)
    assert readings(here) == [1.5]
    done = brought_back()
    assert (done.probed, done.unread) == (0, 0)
    probed(there, 2.5)
    done = brought_back()
    assert (done.probed, done.unread) == (0, 1)
    assert readings(here) == [1.5]


def test_trials_that_err_differently_in_the_archive_are_counted(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here)
    assert store.unpack(packed(tmp_path), here).unequal == 0
    result = store.ExperimentFolder(here / "exp").trial(TRIALS[0]).result
    errors = durable.read_document(result)
    durable.write_document(result, {**errors, "test_error": 0.25})
    done = store.unpack(tmp_path / "exp.tar.gz", here)
    assert (done.added, done.kept, done.unequal) == (0, 1, 1)


@pytest.mark.parametrize("damage", [b"", b"{}", b"not a plan"])
def test_a_damaged_plan_is_not_unpacked(damage: bytes, tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    (tmp_path / "there" / "exp" / "plan.json").write_bytes(damage)
    with pytest.raises(DataError, match=r"exp\.tar\.gz: cannot be unpacked, because a plan is damaged"):
        store.unpack(packed(tmp_path), here)
    assert not (here / "exp" / "plan.json").exists()
    assert not (here / "exp" / ".unpacking").exists()


def test_unfinished_trials_stay_out_of_an_experiment_that_is_there(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there", steps=12)
    with create(here):
        pass
    done = store.unpack(packed(tmp_path), here)
    assert (done.added, done.kept, done.left) == (1, 0, 1)


def test_a_result_that_is_damaged_here_is_replaced(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here)
    store.ExperimentFolder(here / "exp").trial(TRIALS[0]).metrics.write_bytes(b"")
    assert store.unpack(packed(tmp_path), here).added == 1
    assert store.read(here / "exp").trials["status"].tolist() == ["done", "pending"]


def test_another_experiment_of_the_same_name_is_refused(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here, trials=(stub.trial("plain-8", steps=5), TRIALS[1]))
    before = files(here / "exp")
    with pytest.raises(
        DataError, match=r"has 1 finished trials that the plan in .* 1 of 2 planned trials are the same"
    ):
        store.unpack(packed(tmp_path), here)
    assert files(here / "exp") == before
    assert not (here / "exp" / ".unpacking").exists()


def test_a_registration_must_be_the_same_on_both_sides(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here)
    durable.write_document(here / "exp" / "registered.json", {"format": 1})
    before = files(here / "exp")
    with pytest.raises(DataError, match="does not have the same registration as"):
        store.unpack(packed(tmp_path), here)
    assert files(here / "exp") == before


def test_reports_that_were_seen_elsewhere_count(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    run_first(here)
    for results, ids in ((tmp_path / "there", "ac"), (here, "bc")):
        looks = [{"plan": {id: [0, 0]}, "seen": [[ord(ids[0])]]} for id in ids]
        durable.write_document(results / "exp" / "reported.json", {"looks": looks})
    store.unpack(packed(tmp_path), here)
    assert durable.read_document(here / "exp" / "reported.json")["looks"] == [
        {"plan": {"b": [0, 0]}, "seen": [[98]]},
        {"plan": {"c": [0, 0]}, "seen": [[98], [97]]},
        {"plan": {"a": [0, 0]}, "seen": [[97]]},
    ]


def test_every_cut_and_every_wrong_byte_is_noticed(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there", steps=12)
    file = packed(tmp_path)
    whole, dice = file.read_bytes(), random.Random(0)
    right = files(tmp_path / "there" / "exp")
    unnoticed = 0
    for number in range(120):
        content = bytearray(whole)
        if number % 2:
            del content[dice.randrange(len(whole)) :]
        else:
            content[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        file.write_bytes(content)
        try:
            store.unpack(file, here / str(number))
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017 - whether it is refused depends on the byte
            assert not (here / str(number)).exists()
        else:  # such as the date in gzip's header
            unnoticed += 1
            assert files(here / str(number) / "exp") == right
    assert unnoticed < 5
    for content in (b"", b"no archive", gzip.compress(b""), gzip.compress(bytes(5000))):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"exp\.tar\.gz: "):
            store.unpack(file, here)
    assert list(here.glob("exp*")) == []


@pytest.mark.parametrize("there_already", [False, True])
def test_an_interrupted_command_can_be_repeated(
    there_already: bool, tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(tmp_path / "there") as experiment:
        stub.train(attempt(experiment, TRIALS[1]))
    file, rename = packed(tmp_path), Path.rename
    interrupted = 0
    for moment in range(20):
        results, calls = here / str(moment), list[Path]()
        if there_already:
            run_first(results, steps=7)

        def stopped(path: Path, target: Path, calls: list[Path] = calls, moment: int = moment) -> Path:
            calls.append(path)
            if len(calls) > moment:
                raise KeyboardInterrupt
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", stopped)
        try:
            store.unpack(file, results)
        except KeyboardInterrupt:
            interrupted += 1
        monkeypatch.setattr(Path, "rename", rename)
        store.unpack(file, results)
        expected = ["done", "done"] if there_already else ["pending", "done"]
        assert store.read(results / "exp").trials["status"].tolist() == expected
    assert interrupted >= 3


def made(members: dict[str, bytes], **changes: Any) -> bytes:
    """An archive as `pack` would write it, of these files; `changes` are made to its list."""
    entries = [[name, len(content), hashlib.sha256(content).hexdigest()] for name, content in members.items()]
    told = {"format": 1, "experiment": "exp", "weights": True, "checkpoints": True, "files": entries}
    return tarred([("manifest.json", durable.seal(told | changes)), *members.items()])


def tarred(
    members: Sequence[tuple[str | tarfile.TarInfo, bytes]], format: int = tarfile.USTAR_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


PLAN = {"config.yaml": b"name: exp\n", "plan.json": durable.seal({"format": 2})}
OUTSIDE = (
    *("../x", "/etc/x", "trials/../../x", "trials/a/../x", "a/../../x", "trials//result.json", "x", ""),
    *("lock", ".unpacking/plan.json", "trials/.a/result.json", "trials/a/b/result.json", "report/x.html"),
    *("plugins/../x.py", "plugins/" + "0" * 64 + "/../../x.py", "runs/../x.json", "trials/a\\b/result.json"),
    *("trials/a\n/result.json", "config.yaml\n", "PLAN.json"),
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_paths_that_are_no_files_of_an_experiment_are_refused(name: str, tmp_path: Path, here: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(made({**PLAN, name: b"bad"}))
    with pytest.raises(DataError, match="which is not a file of an experiment; nothing was unpacked"):
        store.unpack(tmp_path / "x.tar.gz", here)
    assert not here.exists()


def with_link(kind: bytes) -> bytes:
    """An archive in which the first listed file is a link or a device."""
    info = tarfile.TarInfo("config.yaml")
    info.type, info.linkname = kind, "/etc/passwd"
    listed = [[name, 0, hashlib.sha256(b"").hexdigest()] for name in PLAN]
    told = {"format": 1, "experiment": "exp", "weights": True, "checkpoints": True, "files": listed}
    return tarred([("manifest.json", durable.seal(told)), (info, b"")])


def with_long_header() -> bytes:
    info = tarfile.TarInfo("manifest.json")
    info.pax_headers = {"comment": "x" * 5000}
    return tarred([(info, b"")], tarfile.PAX_FORMAT)


def with_size(size: int) -> bytes:
    """An archive whose list of files says in its header that it has this size, which may be negative."""
    header = bytearray(tarfile.TarInfo("manifest.json").tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = size.to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1000))


def listed(**hashes: str) -> list[list[Any]]:
    """The list of the files of PLAN, with other hashes for some."""
    right = {name: hashlib.sha256(content).hexdigest() for name, content in PLAN.items()}
    return [[name, len(PLAN[name]), digest] for name, digest in (right | hashes).items()]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "a link": (with_link(tarfile.SYMTYPE), "holds 'config.yaml', which is a link"),
    "a hard link": (with_link(tarfile.LNKTYPE), "holds 'config.yaml', which is a link"),
    "a device": (with_link(tarfile.CHRTYPE), "which is a link, a folder or a device"),
    "a long header": (with_long_header(), "which is a link, a folder or a device"),
    "a list of less than nothing": (with_size(-1), "does not begin with a list of its files"),
    "no list": (tarred([*PLAN.items()]), "does not begin with a list of its files"),
    "a file twice": (made(PLAN, files=listed() * 2), "holds a file twice"),
    "no plan": (made({"config.yaml": b""}), "no plan or configuration"),
    "a bomb": (
        made(PLAN, files=[[name, 10**15, ""] for name in PLAN]),
        "it unpacks to 2,000,000,000,000,000 bytes; a file of its size may have at most",
    ),
    "another order": (made(PLAN, files=listed()[::-1]), "holds another file where its list has 'plan.json'"),
    "one more": (
        made({**PLAN, "runs/a.json": b""}, files=listed()),
        "holds more than its list of files says",
    ),
    "one less": (made(PLAN, files=[*listed(), ["runs/a.json", 0, ""]]), "was cut off"),
    "a wrong hash": (made(PLAN, files=listed(**{"plan.json": "0" * 64})), "holds a damaged plan.json"),
    "a negative size": (made(PLAN, files=[["plan.json", -1, ""]]), "faulty list of files"),
    "a number for a path": (made(PLAN, files=[[1, 1, ""]]), "faulty list of files"),
    "a number for the list": (made(PLAN, files=7), "faulty list of files"),
    "a newer format": (made(PLAN, format=2), "has format 2, but only 1 is known"),
    "an outside name": (made(PLAN, experiment="../x"), "whose name is refused"),
    "a hidden name": (made(PLAN, experiment=".ssh"), "whose name is refused"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_before_anything_is_written(
    case: str, tmp_path: Path, here: Path
) -> None:
    content, message = HOSTILE[case]
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=message):
        store.unpack(tmp_path / "x.tar.gz", here)
    assert not here.exists()
    assert not (tmp_path / "x").exists()


def test_a_run_removes_what_a_killed_unpack_has_left(here: Path) -> None:
    run_first(here)
    left = store.ExperimentFolder(here / "exp").unpacking
    (left / "trials").mkdir(parents=True)
    with create(here):
        assert not left.exists()


def test_modules_of_plugins_may_have_names_outside_of_ascii(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    names = {f"plugins/{'0' * 64}/größe.py", f"plugins/{'0' * 64}/大小/मान.py"}
    for name in names:
        file = tmp_path / "there" / "exp" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("ONE = 1\n")
    store.unpack(packed(tmp_path), here)
    assert names <= {path.relative_to(here / "exp").as_posix() for path in here.rglob("*.py")}


def test_a_trial_is_not_left_out_because_of_its_name(tmp_path: Path) -> None:
    run_first(tmp_path / "there")
    trials = tmp_path / "there" / "exp" / "trials"
    (own,) = trials.iterdir()
    own.rename(trials / f"the best (so far)-{TRIALS[0].id}")
    assert store.read(tmp_path / "there" / "exp").trials["status"].tolist() == ["done", "pending"]
    with pytest.raises(
        StoreError, match=r"the best \(so far\)-\w+: has a name that cannot be packed; rename"
    ):
        packed(tmp_path)


def test_a_path_that_no_archive_can_hold_is_refused_in_words(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there")
    trials = tmp_path / "there" / "exp" / "trials"
    (own,) = trials.iterdir()
    long = own.rename(trials / f"{'a' * 150}-{TRIALS[0].id}")
    with pytest.raises(StoreError, match="cannot be packed, because its path has more than about 150"):
        packed(tmp_path)
    assert list(tmp_path.glob("*.tar.gz*")) == []
    long.rename(trials / f"a-{TRIALS[0].id}")
    store.unpack(packed(tmp_path), here)
    assert store.read(here / "exp").trials["status"].tolist()[0] == "done"


def test_what_unpack_would_refuse_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_first(tmp_path / "there")
    log = store.ExperimentFolder(tmp_path / "there" / "exp").trial(TRIALS[0]).log
    log.write_bytes(bytes(3_000_000))
    monkeypatch.setattr(archive, "LEAST", 1000)
    with pytest.raises(StoreError, match="so well that `resexp unpack` would take it for an attack"):
        packed(tmp_path)
    assert list(tmp_path.glob("*exp.tar.gz*")) == []


def test_a_link_in_the_folder_is_not_packed(tmp_path: Path) -> None:
    run_first(tmp_path / "there")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    log = store.ExperimentFolder(tmp_path / "there" / "exp").trial(TRIALS[0]).log
    log.unlink(missing_ok=True)
    log.symlink_to(secret)
    with pytest.raises(StoreError, match=r"log\.txt: is a link"):
        packed(tmp_path)
    assert list(tmp_path.glob("*exp.tar.gz*")) == []


def test_the_commands(tmp_path: Path, here: Path) -> None:
    run_first(tmp_path / "there", steps=12)

    def resexp(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "resexp", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = resexp("pack", "exp", "--no-weights", "--results", "there")
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "Elsewhere: resexp unpack exp.tar.gz")
    assert resexp("pack", "exp", "--results", "there").returncode == 2
    done = resexp("unpack", "exp.tar.gz", "--results", here)
    assert (done.returncode, done.stdout) == (
        0,
        f"{here}/exp: 2 trials added.\nNext: resexp report {here}/exp\n",
    )
    done = resexp("unpack", "exp.tar.gz", "--results", here)
    assert "0 trials added, 1 already finished here and kept, 1 unfinished and left out." in done.stdout
    for words in (("unpack", "none"), ("unpack", tmp_path), ("pack", "none", "--results", "there")):
        done = resexp(*words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
