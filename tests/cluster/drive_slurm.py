"""A run of the stub on the cluster, in a process of its own: `drive_slurm.py RESULTS JSON`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from resexp import store
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.options import Options
from resexp.execution.slurm import Slurm
from resexp.plan.trial import Trial


def main(results: Path, trials: list[Trial], jobs: int | None = None, **options: Any) -> int:
    """Run the trials; returns the exit status."""
    launcher = Slurm(poll=0.2, **options)
    slots = launcher.slots("auto", jobs, len(trials))
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        wanted = Options("stub:train", keep_going=True)
        return supervisor.supervise(experiment, launcher, wanted, slots=slots, display=Display()).exit_status


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored where the tests run under nohup
    described, given = json.loads(sys.argv[2])
    sys.exit(main(Path(sys.argv[1]), [Trial.from_json(each) for each in described], **given))
