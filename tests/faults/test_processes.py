"""Every process of a run alone: stopped, killed, out of memory, short of streams, or left by its parent."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stub
from processes import Run, folders, wait_until
from tally import Record

from resexp import store
from resexp.store.layout import read_or_empty

SLOW: list[dict[str, Any]] = [
    {"name": f"t{n}", "seed": n, "steps": 400, "epoch": 400, "sleep": 0.02} for n in range(2)
]
SHORT: list[dict[str, Any]] = [{"name": f"t{n}", "seed": n} for n in range(2)]


def started(results: Path, trials: list[dict[str, Any]], **variables: str) -> Run:
    """A run whose trials are under way."""
    run = Run(results, trials, **variables)
    all_of_them = folders(results, trials)
    assert wait_until(lambda: all(read_or_empty(each.progress) for each in all_of_them), 600), run.alive()
    return run


def workers(run: Run) -> list[int]:
    return [pid for pid in run.alive() if os.getsid(pid) == pid and pid != run.process.pid]


@pytest.mark.parametrize("end", ["normal", "crash", "interrupt", "supervisor", "server"])
def test_what_a_trial_has_started_ends_with_it(end: str, tmp_path: Path, record: Record) -> None:
    """A plugin's own processes, or a data loader's: they hold memory, a GPU and the trial's log."""
    trials = [{**(SHORT[0] if end in ("normal", "crash") else SLOW[0]), "helper": True}]
    if end == "crash":
        trials[0]["misbehave"] = {"at": 7, "how": "abort"}
    run = Run(tmp_path, trials) if end in ("normal", "crash") else started(tmp_path, trials)
    match end:
        case "interrupt":
            run.process.send_signal(signal.SIGINT)
        case "supervisor":
            run.process.kill()
        case "server":
            trial = folders(tmp_path, trials)[0]
            os.kill(run.server(), signal.SIGKILL)
            assert wait_until(lambda: read_or_empty(trial.attempt)["attempt"] == 2, 600)
            run.process.send_signal(signal.SIGINT)
    run.finish()
    gone = wait_until(lambda: not run.alive(), 5)
    record("what a trial had started ended with it", 1, int(not gone))


@pytest.mark.parametrize("whom", ["server", "workers", "all"])
def test_processes_that_are_stopped_do_not_hold_up_a_stop(whom: str, tmp_path: Path, record: Record) -> None:
    run = started(tmp_path, SLOW)
    steps = [read_or_empty(folder.progress)["step"] for folder in folders(tmp_path, SLOW)]
    for pid in {"server": [run.server()], "workers": workers(run)}.get(whom, [run.server(), *workers(run)]):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    status, told = run.finish()
    gone = wait_until(lambda: not run.alive(), 5 - (time.monotonic() - began))
    record("a stop of a run whose processes are stopped: left within 5 s", 1, int(not gone))
    assert (status, told.count("stopped")) == (130, 2), told
    for folder, step in zip(folders(tmp_path, SLOW), steps, strict=True):
        assert read_or_empty(folder.checkpoints()[-1])["step"] >= step


def test_a_stopped_server_does_not_hold_up_the_sweep(tmp_path: Path, record: Record) -> None:
    """Trials that ended unheard are found when they have made no step for too long, and are not blamed."""
    trials = [{**trial, "gate": str(tmp_path / "gate")} for trial in SHORT]
    run = started(tmp_path, trials, STALL="3")
    os.kill(run.server(), signal.SIGSTOP)
    (tmp_path / "gate").touch()
    status, told = run.finish()
    record("a stopped server: the sweep went on", 1, int(status != 0))
    assert told.count("done") == 2, told


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "killed"])
def test_nothing_is_left_of_a_server_that_still_loads(how: str, tmp_path: Path, record: Record) -> None:
    """As one that loads PyTorch, which takes seconds, or minutes from a slow disk."""
    run = Run(tmp_path, SHORT, PRELOAD="slow_import", LOADING=str(tmp_path / "loading"))
    assert wait_until((tmp_path / "loading").exists, 600)
    began = time.monotonic()
    run.process.send_signal(signal.SIGKILL if how == "killed" else getattr(signal, how))
    status, told = run.finish()
    gone = wait_until(lambda: not run.alive(), 5 - (time.monotonic() - began))
    record("stops while the server loads: left within 5 s", 1, int(not gone))
    assert "Traceback" not in told
    assert status == (-signal.SIGKILL if how == "killed" else 130)


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_obstacle(closed: str, tmp_path: Path, record: Record) -> None:
    assert Run(tmp_path, SHORT, shell=f'exec "$@" {closed}').finish()[0] == 0
    done = all(folder.result.exists() for folder in folders(tmp_path, SHORT))
    record("runs with closed standard streams", 1, int(not done))


@pytest.mark.parametrize("place", ["long", "missing", "read-only"])
def test_no_place_for_temporary_files_is_no_obstacle(place: str, tmp_path: Path, record: Record) -> None:
    folder = tmp_path / {"long": "x" * 90}.get(place, place)
    if place != "missing":
        folder.mkdir(mode=0o500 if place == "read-only" else 0o700)
    record("runs with an unfit TMPDIR", 1, Run(tmp_path, SHORT, TMPDIR=str(folder)).finish()[0])


@contextmanager
def memory_cgroup(limit: int) -> Iterator[Path]:
    """A group of processes that may hold so many bytes together; skips where none can be made."""
    own = {line.split(":")[1]: line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().split()}
    version1 = "memory" in own
    root = Path("/sys/fs/cgroup", *(["memory"] if version1 else []))
    group = root / own.get("memory", own.get("", "/")).lstrip("/") / f"resexp-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError as problem:
        pytest.skip(f"no memory cgroup can be made here: {problem}")
    try:
        try:
            (group / ("memory.limit_in_bytes" if version1 else "memory.max")).write_text(str(limit))
            if not version1:
                (group / "memory.swap.max").write_text("0")
        except OSError as problem:
            pytest.skip(f"no memory cgroup can be limited here: {problem}")
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), 5)
        group.rmdir()


@pytest.mark.parametrize(
    "times", [pytest.param(1, id="1"), pytest.param(10, id="10", marks=pytest.mark.faults)]
)
def test_where_memory_runs_out_the_trial_that_took_it_ends_alone(
    times: int, tmp_path: Path, record: Record
) -> None:
    """A real kill by the kernel, in a group that has memory for all but one of the trials."""
    losses = 0
    for number in range(times):
        results = tmp_path / str(number)
        sound = [{"name": f"t{n}", "seed": n, "steps": 60, "epoch": 20, "sleep": 0.02} for n in range(3)]
        large = {"name": "large", "misbehave": {"at": 3, "how": "eat"}}
        with memory_cgroup(400 << 20) as group:
            shell = f'echo $$ > {group}/cgroup.procs && exec "$@"'
            status, told = Run(results, [large, *sound], shell=shell).finish()
        failed = read_or_empty(folders(results, [large])[0].failure)
        losses += not (
            status == 3
            and failed.get("cause") == "out of memory"
            and all(stub.trace(folder)["result"]["status"] == "done" for folder in folders(results, sound))
            and told.count("started") == 4
        )
    record("kills for want of memory: only the too large trial fell", times, losses)


def test_a_signal_while_the_command_plans_leaves_nothing(tmp_path: Path, record: Record) -> None:
    late = 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        results = tmp_path / number.name
        run = PlannedRun(results, tmp_path / f"data-{number.name}")
        assert wait_until(lambda r=results: list(r.rglob("*lock*")), 600)  # type: ignore[misc]
        run.process.send_signal(number)
        status, told = run.finish()
        late += not wait_until(lambda r=run: not r.alive(), 5)  # type: ignore[misc]
        assert (status, told) == (130, "Interrupted.\n")
        assert not (results / "smoke/plan.json").exists()
        with store.hold(results, "smoke"):
            pass  # nobody holds it any more
    record("stop signals while a run is planned: left within 5 s", 3, late)


class PlannedRun(Run):
    """The real command, which asks a worker about its networks before it writes anything."""

    def __init__(self, results: Path, data: Path) -> None:
        config = Path(__file__).parents[2] / "configs/smoke.yaml"
        command = f'exec "$1" -m resexp run {config} --device cpu --results {results}'
        super().__init__(results, [], shell=command, RESEXP_DATA=str(data))
