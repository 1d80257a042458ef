"""One run at a time, also where the file system has no locks."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import stub

from resexp import durable, store
from resexp.errors import BusyError, StoreError

TRIALS = (stub.trial("plain-8"),)


def create(results: Path) -> store.StoredExperiment:
    return store.create(results, "exp", config_text="", trials=TRIALS, environment={})


@pytest.fixture(params=[errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none."""

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_one_runs_and_the_other_is_refused(tmp_path: Path) -> None:
    with create(tmp_path) as experiment:
        taken = tmp_path / "exp/taken"
        experiment.claim(TRIALS[0])
        assert list(store.read(tmp_path / "exp").trials["status"]) == ["running"]
        with pytest.raises(BusyError, match=rf"process {os.getpid()}, since 20[^.]*; wait until it ends"):
            store.hold(tmp_path, "exp", take_over=True)  # it lives
    assert not taken.exists()
    assert list(store.read(tmp_path / "exp").trials["status"]) == ["pending"]
    create(tmp_path).close()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_dead_process_of_this_host_is_taken_over_and_one_elsewhere_is_not(
    tmp_path: Path,
) -> None:
    create(tmp_path).close()
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    holder = {"run": "dead", "host": socket.gethostname(), "pid": int(gone.stdout), "started": "2026"}
    taken = tmp_path / "exp/taken"
    durable.write_document(taken, holder)
    assert list(store.read(tmp_path / "exp").trials["status"]) == ["pending"]
    with create(tmp_path):
        assert durable.read_document(taken)["pid"] == os.getpid()
    durable.write_document(taken, {**holder, "host": "elsewhere"})
    told = rf"host elsewhere, .* no locks.* --take-over .* delete {re.escape(str(taken))}"
    with pytest.raises(BusyError, match=told):
        create(tmp_path)
    taken.unlink()  # what the message says
    create(tmp_path).close()


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize(
    "inside", [b"", b"{}", durable.seal({"host": [], "pid": -1}), durable.seal({"pid": 2**80})]
)
def test_without_locks_a_holder_that_says_nothing_useful_is_never_taken_over(
    tmp_path: Path, inside: bytes
) -> None:
    create(tmp_path).close()
    (tmp_path / "exp/taken").write_bytes(inside)
    with pytest.raises(BusyError, match=r"no locks.*delete"):
        create(tmp_path)
    assert (tmp_path / "exp/taken").read_bytes() == inside


@pytest.mark.usefixtures("no_locks")
def test_without_locks_nothing_is_left_where_nothing_came_of_it(tmp_path: Path) -> None:
    store.hold(tmp_path / "new/results", "exp").release()
    assert os.listdir(tmp_path) == []


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    create(tmp_path).close()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "exp/lock").unlink()
    (tmp_path / "exp/lock").symlink_to(tmp_path / "mine")
    with pytest.raises(StoreError, match="lock"):
        create(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_lock_whose_file_was_deleted_while_it_was_waited_for_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = fcntl.flock, []

    def delete_first(fd: int, how: int) -> None:
        whole(fd, how)
        calls.append(fd)
        if len(calls) == 1:
            (tmp_path / "exp/lock").unlink()

    monkeypatch.setattr(fcntl, "flock", delete_first)
    with store.hold(tmp_path, "exp"):
        monkeypatch.undo()
        assert (tmp_path / "exp/lock").exists()
        with pytest.raises(BusyError):
            store.hold(tmp_path, "exp")


def test_another_refusal_of_the_lock_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match="Input/output error"):
        create(tmp_path)
