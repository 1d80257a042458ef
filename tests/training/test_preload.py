"""What trials are forked from has loaded all that they need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SMOKE = Path(__file__).parents[2] / "configs/smoke.yaml"
TRIAL = """\
import io, sys
import resexp.training.preload
from resexp.config.load import load
settings = load(sys.argv[1]).points[0].settings
loaded = set(sys.modules)

import torch
from resexp.data.opening import open_data
from resexp.training.probing import probe_rows
from resexp.training.run import Run
cpu = torch.device("cpu")
run = Run(settings, open_data(settings.data, cpu), cpu)
list(probe_rows(run, [], lambda: None))
while not run.epoch_ended():
    run.train_step()
run.close_epoch()
torch.save(run.state(), io.BytesIO())
print(*sorted(set(sys.modules) - loaded))
"""


def test_a_trial_imports_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRIAL, str(SMOKE)]
    env = {**os.environ, "RESEXP_DATA": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    # The data set is decoded here, which a run does before its trials.
    assert [name for name in done.stdout.split() if not name.startswith("concurrent")] == []
