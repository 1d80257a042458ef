"""The process that workers are forked from: what it imports, what it forks, and when it has none to give."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stub

import resexp
from resexp import store
from resexp.errors import TrialError
from resexp.execution import server_process, spawn, supervisor, sweep
from resexp.execution.display import Display
from resexp.execution.launcher import Job
from resexp.execution.local import Local
from resexp.execution.server import group_exists
from resexp.execution.server_process import LOST

ROOT = Path(resexp.__file__).parents[1]
COMMON = ["random", "queue", "copy", "logging", "json", "tempfile", "multiprocessing", "resexp"]
"""Names that users give to files of their own."""


@pytest.fixture
def standing_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with such files, which is the current one and named by PYTHONPATH and by sys.path, too."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in COMMON:
        (folder / f"{name}.py").write_text("raise RuntimeError('of the user')")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), "", str(Path(stub.__file__).parent)]))
    monkeypatch.setattr(sys, "path", ["", str(folder), *sys.path])
    return folder


def test_workers_import_nothing_from_the_current_folder(standing_in: Path, tmp_path: Path) -> None:
    found = tmp_path / "found"
    (standing_in / "only_here.py").touch()
    launcher = Local(["stub", "colorsys"])  # a server of its own: it is started here
    assert launcher.together(stub.say_where, [(found, [*COMMON, "only_here"])])
    said = json.loads(found.read_text())
    assert said.pop("only_here") is None
    files = {name: Path(file) for name, file in said.items()}
    assert files["resexp"] == Path(resexp.__file__)
    assert [name for name, file in files.items() if standing_in in file.parents] == []


def test_python_m_resexp_imports_nothing_from_the_current_folder(standing_in: Path) -> None:
    (standing_in / "resexp.py").unlink()  # `python -m` itself would run it
    (standing_in / "torch.py").write_text("raise RuntimeError('of the user')")
    done = subprocess.run(
        [sys.executable, "-m", "resexp", "doctor"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "of the user" not in done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_standard_stream(closed: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = (
        "import sys; from resexp.execution.descriptors import open_standard_descriptors as o; o();"
        "file = open(sys.argv[1], 'w'); print(file.fileno(), file=file); sys.stdin.read();"
        "print('told', file=sys.stderr)"
    )
    shell = f'exec "$0" -c "$1" "$2" {closed}'
    subprocess.run(
        ["sh", "-c", shell, sys.executable, code, told],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert int(told.read_text()) > 2


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="there is no such setting here")
def test_workers_go_first_where_memory_runs_out(tmp_path: Path) -> None:
    own = Path("/proc/self/oom_score_adj").read_text()
    launcher = Local(["stub"])
    assert launcher.together(stub.say_oom_scores, [(tmp_path / "scores",)])
    assert json.loads((tmp_path / "scores").read_text()) == {"worker": 1000, "server": int(own)}


def test_the_end_of_a_worker_is_reported_once_all_that_it_left_is_gone() -> None:
    """Killed processes take a while to give their memory back, which the next trial needs."""
    server = server_process.ServerProcess.start(["stub"])
    worker = server.fork(stub.leave_many_behind, (100,))
    server.wait_for([worker], 600)
    assert (worker.status, worker.pid is None) == (0, False)
    assert not group_exists(worker.pid or 0)
    server.end()


def test_a_suspended_server_holds_up_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that fills the connection is not waited for. Its worker is lost, and the server is continued."""
    monkeypatch.setattr(server_process, "SENDING", 0.1)
    server = server_process.ServerProcess.start(["stub"])
    os.kill(server._process.pid, signal.SIGSTOP)
    lost = server.fork(stub.leave_many_behind, (0, "x" * 10**6))
    assert lost.status == LOST
    sound = server.fork(stub.leave_many_behind, (0,))
    while server.running():
        server.listen(1)
    assert (lost.status, sound.status) == (LOST, 0)
    os.kill(server._process.pid, signal.SIGSTOP)
    small = [server.fork(stub.leave_many_behind, (0,))]
    while server.alive():  # until the requests have filled the connection
        small.append(server.fork(stub.leave_many_behind, (0,)))
    assert {each.status for each in small} == {LOST}


def run(results: Path, preload: str) -> tuple[supervisor.SweepSummary, list[store.State]]:
    trials = [stub.trial("a"), stub.trial("b")]
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        launcher = Local(["stub", preload])
        summary = supervisor.supervise(experiment, launcher, sweep.Options("stub:train"), display=Display())
        return summary, [experiment.state(trial) for trial in trials]


def test_where_there_is_no_process_for_a_moment_the_trial_waits(tmp_path: Path) -> None:
    """The server's first forks are refused, more often than it tries for one worker."""
    summary, states = run(tmp_path, "few_forks")
    assert summary.exit_status == 0
    assert [state.status for state in states] == ["done", "done"]


def test_where_there_is_never_a_process_the_sweep_stops_and_blames_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LOSSES", 2)
    summary, states = run(tmp_path, "no_forks")
    assert summary.exit_status == 3
    assert "memory or processes are short" in (summary.stopped or "")
    assert [state.status for state in states] == ["pending", "pending"]


def test_a_server_that_never_gets_ready_is_a_trial_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_process, "PAUSE", 0.0)
    monkeypatch.setattr(spawn, "BOOT", "raise SystemExit(1)")
    with pytest.raises(TrialError, match="ended while it loaded"):
        Local(["chunk"]).start(Job(tmp_path / "t", 1, "cpu", 1, "stub:train"))
