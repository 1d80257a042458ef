"""What the launcher `ray` refuses and says without a cluster, and its function for a node."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from resexp import api
from resexp.errors import ConfigError, TrialError
from resexp.execution import ray, ray_task
from resexp.execution.launcher import Job, Outcome
from resexp.execution.ray import Ray


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray seems to be installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as refused:
        api.make_launcher("ray")
    assert str(refused.value).splitlines() == [
        "command line: --launcher ray: the package ray is not installed; "
        "install the package ray, or resexp with its extra `ray`"
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "ray://10.0.0.1:10001"}, "run this command on a node of the cluster"),
        ({"address": "10.0.0.1"}, "write host:port, auto or local"),
        ({"num_gpus": 1.5}, "Ray takes fractions below 1, and whole numbers"),
        ({"address": "10.0.0.1:6379", "local_cpus": 2}, "is for a cluster that is started here"),
    ],
)
def test_what_ray_cannot_do_is_refused(installed: None, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Ray(**options)


def test_an_address_in_the_environment_is_named_in_the_refusal(
    installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(ConfigError, match="RAY_ADDRESS=nowhere"):
        Ray()


def test_an_address_where_nothing_answers_is_refused_soon() -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = Ray(address=f"127.0.0.1:{port}")
    with pytest.raises(ConfigError, match="no Ray cluster could be used") as refused:
        launcher.slots("auto", None, 1)
    assert "refused" in str(refused.value)
    assert "ray start" in str(refused.value)


def test_it_says_which_cluster_is_used_and_that_no_node_has_what_a_trial_needs(installed: None) -> None:
    launcher = Ray(address="10.0.0.1:6379", num_gpus=0.5)
    assert list(launcher.remarks(1)) == [], "nothing is left to train"
    launcher._cluster = {"address": "10.0.0.1:6379", "nodes": [(4.0, 1.0), (8.0, 0.0)]}
    used = "Trials run on the Ray cluster at 10.0.0.1:6379. It has 2 nodes, 12 processors and 1 GPUs."
    assert list(launcher.remarks(4)) == [used]
    waits = "No node of the Ray cluster has 8 processors and 0.5 GPUs, which a trial needs: "
    assert list(launcher.remarks(8)) == [used, f"{waits}trials wait until one joins."]


def test_a_node_that_does_not_see_the_results_says_so(tmp_path: Path) -> None:
    job = Job(tmp_path / "elsewhere", 1, "cpu", 1, "stub:train")
    values = {each.name: getattr(job, each.name) for each in fields(job)}
    handler = signal.getsignal(signal.SIGINT)
    name, outcome = ray_task.train({**values, "folder": str(job.folder)}, None)
    assert Outcome(*outcome) == Outcome(
        None, "crash", f"the machine {name} does not see the folder {job.folder}"
    )
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started instead of those that use Ray. They never connect."""
    started: list[subprocess.Popen[bytes]] = []

    def sleeps(control: Any, errors: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        started.append(subprocess.Popen(command, pass_fds=[control.fileno()]))
        return started[-1]

    monkeypatch.setattr(ray, "spawn_driver", sleeps)
    monkeypatch.setattr(ray, "LEAVING", 0.0)
    return started


def test_a_stop_does_not_wait_for_a_cluster_that_does_not_answer(
    installed: None, silent: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    launcher = Ray()
    task = launcher.start(Job(tmp_path, 1, "cpu", 1, "stub:train"))
    began = time.monotonic()
    launcher.wait([task], 0.01)
    assert launcher.poll(task) is None
    launcher.stop(task, kill=False)
    launcher.wait([task], 0.01)
    assert launcher.poll(task) == Outcome(None, "cancelled", "it was stopped before it was submitted")
    launcher.close()
    assert time.monotonic() - began < ray.CONNECTING / 2
    assert [process.poll() for process in silent] == [-signal.SIGKILL]


def test_a_cluster_is_waited_for_only_so_long(
    installed: None,
    silent: list[subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "CONNECTING", 0.0)
    launcher = Ray()
    launcher.start(Job(tmp_path, 1, "cpu", 1, "stub:train"))
    with pytest.raises(TrialError, match="Ray did not answer within 0 s"):
        launcher.wait([], 0.01)
    assert [process.poll() for process in silent] == [-signal.SIGKILL]
