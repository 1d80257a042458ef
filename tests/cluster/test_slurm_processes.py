"""A trial that several processes compute together (`training.processes`), started by different launchers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slurm_cluster import SlurmCluster
from subprocesses import Subprocesses

from resexp import durable, store
from resexp.config.parse import parse_settings
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.launcher import Launcher
from resexp.execution.options import Options
from resexp.execution.slurm import Slurm
from resexp.plan.trial import Trial

SETTINGS = {
    "data": {"kind": "synthetic", "train": 24, "test": 8, "size": 8},
    "model": {"kind": "resnet", "depth": 8, "width": 2, "connection": "residual"},
    "training": {"epochs": 1, "batch_size": 8, "processes": 2, "sync_norm": True, "precision": "float32"},
}


def trained(results: Path, launcher: Launcher) -> tuple[Any, ...]:
    """Losses and rows, times aside."""
    dump = parse_settings(SETTINGS).model_dump(mode="json")
    trial = Trial("1" * 12, "two", "residual", "residual", 8, 0, dump)
    with store.create(results, "e", config_text="", trials=[trial], environment={}) as experiment:
        options = Options("resexp.training.trial:train")
        supervisor.supervise(experiment, launcher, options, slots=["cpu"], display=Display())
        state = experiment.last_state(trial)
        assert state.status == "done", state.cause
        folder = store.ExperimentFolder(experiment.path).trial(trial)
    rows, _ = durable.read_rows(folder.metrics.read_bytes())
    assert rows
    losses = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    return state.result["train_loss"], state.result["test_loss"], losses


def test_two_processes_compute_the_same_numbers_with_each_launcher(
    cluster: SlurmCluster, tmp_path: Path
) -> None:
    launchers = {"subprocesses": Subprocesses(), "slurm": Slurm(poll=0.2)}
    alone, queued = (trained(tmp_path / name, launcher) for name, launcher in launchers.items())
    assert queued == alone
