"""The real trainer, killed at random: its weights, rows and results are those of a whole run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from leavings import left
from processes import wait_until
from tally import Record

from resexp import store
from resexp.durable import read_document

CONFIG = """
name: exp
data: {kind: synthetic, size: 8, groups: 4, train: 128, test: 32, noise: 0.3}
model: {kind: resnet, depth: 8, width: 8}
training: {epochs: 12, batch_size: 16, optimizer: {kind: sgd, lr: 0.05}, schedule: one_cycle}
probes: [{kind: gradient_norms, at: [0, 0.5, 1], batch_size: 16}]
sweep: {model.connection: [plain, residual]}
"""


def start(config: Path, results: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "resexp", "run", str(config), "--results", str(results), "--device", "cpu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def places(results: Path) -> list[store.TrialFolder]:
    return [store.TrialFolder(path) for path in sorted((results / "exp/trials").glob("*"))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="1"), pytest.param(20, id="20", marks=pytest.mark.faults)]
)
def test_a_killed_run_ends_with_the_weights_of_a_whole_one(
    kills: int, tmp_path: Path, record: Record
) -> None:
    config = tmp_path / "exp.yaml"
    config.write_text(CONFIG)
    assert start(config, tmp_path / "whole").wait(120) == 0
    whole = [left(folder) for folder in places(tmp_path / "whole")]
    assert len(whole) == 2
    dice = random.Random(0)
    landed = losses = number = 0
    while landed < kills:
        number += 1
        cut = tmp_path / str(number)
        before = 0
        while landed < kills:
            run = start(config, cut)
            wait_until(lambda r=run, c=cut, b=before: r.poll() is not None or steps(c) > b, 60)  # type: ignore[misc]
            time.sleep(dice.uniform(0, 0.5))
            if run.poll() is not None:
                break
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            landed += 1
            before = steps(cut)
        assert start(config, cut).wait(120) == 0
        losses += [left(folder) for folder in places(cut)] != whole
    record("SIGKILLs survived with the real trainer", landed, losses)


def steps(results: Path) -> int:
    """The steps made by all trials, as far as their progress tells."""
    total = 0
    for folder in places(results):
        if folder.progress.exists():
            total += read_document(folder.progress)["step"]
    return total
