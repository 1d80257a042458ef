"""A folder that several machines see: nothing relies on a lock, a clock or a process id of another one."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stub
from machines import Machines, die, silence

from resexp import durable, store
from resexp.errors import BusyError, StaleAttempt, StoreError
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.local import Local
from resexp.execution.options import Options
from resexp.machine import host
from resexp.store import documents, file_lock

TRIALS = (stub.trial("plain-8"),)


def create(results: Path, held: store.Hold | None = None) -> store.StoredExperiment:
    return store.create(results, "exp", config_text="", trials=TRIALS, environment={}, held=held)


def statuses(results: Path) -> list[str]:
    return list(store.read(results / "exp").trials["status"])


@pytest.fixture(params=["shared locks", "locks of one machine"])
def machines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Machines:
    folder = tmp_path_factory.mktemp("machines")
    return Machines(folder, monkeypatch, shared_locks=request.param == "shared locks")


def test_a_run_on_another_machine_is_left_alone_also_where_its_lock_is_not_seen(
    machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    with create(tmp_path) as experiment:
        experiment.claim(TRIALS[0])
        machines.be("b")
        with pytest.raises(BusyError, match=rf"host a, process {os.getpid()}, since .* --take-over"):
            store.hold(tmp_path, "exp")
        told: list[str] = []
        with pytest.raises(BusyError, match=r"host a, .*\. It gave a sign of life, and is not taken over"):
            store.hold(tmp_path, "exp", take_over=True, tell=told.append)
        assert len(told) == 1
        assert statuses(tmp_path) == ["running"]
        experiment.check()
        machines.be("a")
    machines.be("b")
    store.hold(tmp_path, "exp").release()


def test_a_run_that_died_elsewhere_is_taken_over_on_request_and_never_without(
    machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    first = store.hold(tmp_path, "exp")
    experiment = create(tmp_path, first)
    folder, number = experiment.claim(TRIALS[0])
    worker = store.Attempt(folder, number)
    die(first)
    machines.be("b")
    taken = (tmp_path / "exp/taken").read_bytes()
    for _ in range(2):
        with pytest.raises(BusyError, match=r"host a, .* --take-over"):
            store.hold(tmp_path, "exp")
    assert (tmp_path / "exp/taken").read_bytes() == taken
    assert statuses(tmp_path) == ["running"]  # nobody has said that it does not
    told: list[str] = []
    held = store.hold(tmp_path, "exp", take_over=True, tell=told.append)
    assert "has not ended by itself: host a" in told[0]
    assert "was taken over from a run that did not end by itself: host a" in told[1]
    with create(tmp_path, held) as again:
        assert statuses(tmp_path) == ["pending"]
        # If the first machine was only cut off and comes back, it does no harm.
        for refused in (
            experiment.check,
            lambda: experiment.claim(TRIALS[0]),
            lambda: experiment.fail(TRIALS[0], number, "crash", "crashed"),
        ):
            with pytest.raises(BusyError, match="was taken over by another run while this one ran: host b"):
                refused()
        assert not (folder / "failure.json").exists()
        again.claim(TRIALS[0])
        with pytest.raises(StaleAttempt):
            worker.save_checkpoint(b"weights", 1)
        experiment.close()
        again.check()
    assert not (tmp_path / "exp/taken").exists()


def test_a_lock_that_a_server_keeps_for_a_machine_that_is_gone_is_taken_over_too(
    machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    first = store.hold(tmp_path, "exp")
    create(tmp_path, first)
    silence(first)
    machines.be("b")
    with store.hold(tmp_path, "exp", take_over=True) as held:
        machines.be("c")
        with pytest.raises(BusyError, match="host b"):
            store.hold(tmp_path, "exp")
        held.check()
        machines.be("b")


def test_a_live_run_of_this_machine_is_never_taken_over(machines: Machines, tmp_path: Path) -> None:
    machines.be("a")
    with store.hold(tmp_path, "exp") as held:
        silence(held)  # as if it were suspended
        with pytest.raises(BusyError, match="host a"):
            store.hold(tmp_path, "exp", take_over=True)


@pytest.mark.parametrize("container", ["a", "another name of the same machine"])
def test_a_dead_run_of_this_machine_is_followed_by_the_next_without_a_request(
    container: str, machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    first = store.hold(tmp_path, "exp")
    create(tmp_path, first).claim(TRIALS[0])
    die(first)
    if container != "a":
        machines.be(container, same_kernel=True)
    assert statuses(tmp_path) == ["pending"]
    told: list[str] = []
    store.hold(tmp_path, "exp", tell=told.append).release()
    assert told == []


def test_the_same_machine_after_a_restart_follows_and_says_so(machines: Machines, tmp_path: Path) -> None:
    machines.be("a", boot="1", machine="m")
    first = store.hold(tmp_path, "exp")
    create(tmp_path, first)
    die(first)
    machines.be("a", boot="2", machine="another machine of the same name")
    with pytest.raises(BusyError, match="host a"):
        store.hold(tmp_path, "exp")
    machines.be("b", boot="2", machine="m")  # made from the same image
    with pytest.raises(BusyError, match="host a"):
        store.hold(tmp_path, "exp")
    machines.be("a", boot="2", machine="m")
    told: list[str] = []
    store.hold(tmp_path, "exp", tell=told.append).release()
    assert len(told) == 1


@pytest.mark.parametrize("minutes", [-90, 90])
def test_clocks_that_differ_change_nothing(minutes: int, machines: Machines, tmp_path: Path) -> None:
    machines.be("a")
    with create(tmp_path) as experiment:
        experiment.claim(TRIALS[0])
        machines.be("b")
        for file in ("taken", "holder", "lock"):
            if (tmp_path / "exp" / file).exists():
                then = time.time() + 60 * minutes
                os.utime(tmp_path / "exp" / file, (then, then))
        with pytest.raises(BusyError, match="gave a sign of life"):
            store.hold(tmp_path, "exp", take_over=True)
        run = store.running(tmp_path / "exp", wait=5.0)
        assert run is not None
        assert run.seen
        machines.be("a")


def test_status_tells_from_anywhere_who_runs_and_whether_it_was_heard_of(
    machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    first = store.hold(tmp_path, "exp")
    experiment = create(tmp_path, first)
    folder, number = experiment.claim(TRIALS[0])
    store.Attempt(folder, number).progress(epoch=1, epochs=4, step=5, steps=20)
    machines.be("b")
    run = store.running(tmp_path / "exp", wait=5.0)
    assert run is not None
    assert (run.host, run.pid, run.seen) == ("a", os.getpid(), True)
    assert run.progress[TRIALS[0].id]["step"] == 5
    assert run.progress[TRIALS[0].id]["host"] == "a"
    die(first)
    silent = store.running(tmp_path / "exp", wait=0.2)
    assert silent is not None
    assert silent.seen is False
    machines.be("a")
    assert store.running(tmp_path / "exp") is None
    experiment.close()


def test_a_record_of_an_older_version_does_not_stop_a_run_and_shows_one(
    machines: Machines, tmp_path: Path
) -> None:
    machines.be("a")
    create(tmp_path).close()
    # An older version left this file when it ended, and locked the other while it ran.
    record = {"run": "old", "host": "z", "pid": 1, "started": "2026-01-01"}
    durable.write_document(tmp_path / "exp/holder", record)
    assert store.running(tmp_path / "exp") is None
    store.hold(tmp_path, "exp").release()
    durable.write_document(tmp_path / "exp/holder", record)
    unlock = file_lock.lock(store.ExperimentFolder(tmp_path / "exp").lock, 0)
    run = store.running(tmp_path / "exp")
    assert run is not None
    assert (run.name, run.host, run.seen) == ("old", "z", True)
    with pytest.raises(BusyError, match="host z"):
        store.hold(tmp_path, "exp")
    unlock()


def test_a_run_that_is_taken_over_lets_its_workers_save_and_ends(machines: Machines, tmp_path: Path) -> None:
    """The machine was cut off for a while and comes back: it must not go on beside its successor."""
    trial = stub.trial("long", sleep=0.02, steps=100_000, epoch=100_000)
    options = Options(trainer="stub:train")
    with store.create(tmp_path, "exp", config_text="", trials=[trial], environment={}) as experiment:
        record = durable.read_document(tmp_path / "exp/taken")

        class Cut(Display):
            def tick(self, view: Any) -> None:
                if view.running[0].progress:
                    durable.write_document(tmp_path / "exp/taken", {**record, "run": "other", "host": "b"})

        with pytest.raises(BusyError, match="taken over by another run while this one ran: host b"):
            supervisor.supervise(experiment, Local(["stub"]), options, display=Cut())
    folder = store.ExperimentFolder(tmp_path / "exp").trial(trial)
    assert folder.checkpoints()
    assert not folder.failure.exists()
    assert durable.read_document(tmp_path / "exp/taken")["run"] == "other"


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_of_many_that_create_a_file_at_once_one_does(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def create_one(number: int) -> bool:
        together.wait()
        return file_lock.create(tmp_path / "file", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create_one, range(8)))
    assert created.count(True) == 1
    assert (tmp_path / "file").read_bytes() == b"%d" % created.index(True)
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_without_links_leaves_no_half_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def full(path: Path, data: bytes) -> bool:
        with monkeypatch.context() as once:
            once.setattr(durable, "write_all", lambda *_: no_room())
            return fill(path, data)

    def no_room() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fill = file_lock._create_and_fill
    monkeypatch.setattr(os, "link", no_links)
    with monkeypatch.context() as once:
        once.setattr(file_lock, "_create_and_fill", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.hold(tmp_path, "exp")
    store.hold(tmp_path, "exp").release()


def test_a_link_whose_answer_was_lost_counts_as_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def repeated(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)  # the client asks again, and the server says that the file exists

    monkeypatch.setattr(os, "link", repeated)
    assert file_lock.create(tmp_path / "file", b"mine")
    assert not file_lock.create(tmp_path / "file", b"another's")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_file_that_was_replaced_while_it_was_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system says then that the old file is stale."""
    durable.write_document(tmp_path / "a", {"value": 1})
    whole, stale = durable.open_file, [2]

    def open_file(path: Path) -> Any:
        if stale[0]:
            stale[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return whole(path)

    monkeypatch.setattr(durable, "open_file", open_file)
    assert documents.read(tmp_path / "a") == {"value": 1}
    stale[0] = 1000
    with pytest.raises(OSError, match=r"[Ss]tale"):
        documents.read(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, True),
        ({"began": 1}, False),  # the number was given to a later process
        ({"pid": 2**22 + 1}, False),
        ({"namespace": "pid:[1]"}, None),
        ({"boot": "another"}, False),  # this machine has been started again since
        ({"boot": "another", "host": "another"}, None),
        ({"pid": None}, None),
    ],
)
@pytest.mark.skipif(not host.BOOT.exists(), reason="this system has no boot ids")
def test_a_process_is_judged_only_where_its_number_means_something(
    change: dict[str, Any], known: bool | None
) -> None:
    assert host.exists({**host.this_process(), **change}) is known


@pytest.fixture
def other_kernel(tmp_path: Path) -> list[str]:
    """A command that begins a program with its own process ids, host name and boot id."""
    boot = tmp_path / "boot_id"
    boot.write_text("b0b0\n")
    script = f'mount --bind {boot} /proc/sys/kernel/random/boot_id && hostname other && exec "$@"'
    begin = ["unshare", "--pid", "--mount", "--uts", "--fork", "--mount-proc", "--kill-child"]
    begin += ["sh", "-c", script, "sh"]
    tried = shutil.which("unshare") and subprocess.run([*begin, "true"], check=False, capture_output=True)
    if not tried or tried.returncode:
        pytest.skip("this user or system cannot make namespaces of processes and mounts")
    return begin


def test_a_process_whose_number_means_something_else_here(other_kernel: list[str], tmp_path: Path) -> None:
    """Its number there is 1 or 2, and a process with such a number lives here."""
    code = f"""
import sys, time
from pathlib import Path
from resexp import store
sys.path.insert(0, {str(Path(stub.__file__).parent)!r})
import stub
trials = [stub.trial("plain-8")]
held = store.hold(Path({str(tmp_path)!r}), "exp")
told = {{"config_text": "", "trials": trials, "environment": {{}}}}
experiment = store.create(held.folder.path.parent, "exp", held=held, **told)
experiment.claim(trials[0])
print("held", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([*other_kernel, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        run = store.running(tmp_path / "exp")
        assert run is not None
        assert (run.host, run.seen) == ("other", True)
        assert run.pid in range(1, 10)
        with pytest.raises(BusyError, match="host other"):
            store.hold(tmp_path, "exp")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert statuses(tmp_path) == ["running"]
    with pytest.raises(BusyError, match=r"host other, .* --take-over"):
        store.hold(tmp_path, "exp")
