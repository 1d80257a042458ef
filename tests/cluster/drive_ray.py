"""A run of the stub on a Ray cluster, in a process of its own: `drive_ray.py RESULTS JSON`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resexp import store
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.options import Options
from resexp.execution.ray import Ray
from resexp.plan.trial import Trial


def run(
    results: Path,
    trials: Sequence[Trial],
    display: Display | None = None,
    jobs: int | None = None,
    stall_timeout: float = 600.0,
    **options: Any,
) -> tuple[supervisor.SweepSummary, dict[str, store.State]]:
    """Run the trials to their ends."""
    launcher = Ray(**options)
    slots = launcher.slots("auto", jobs, len(trials))
    wanted = Options("stub:train", stall_timeout=stall_timeout, keep_going=True)
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        summary = supervisor.supervise(
            experiment, launcher, wanted, slots=slots, display=display or Display()
        )
        return summary, {trial.name: experiment.state(trial) for trial in trials}


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored where the tests run under nohup
    described, given = json.loads(sys.argv[2])
    summary, _ = run(Path(sys.argv[1]), [Trial.from_json(each) for each in described], **given)
    sys.exit(summary.exit_status)
