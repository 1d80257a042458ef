"""A run of the stub in a process of its own, as the command line does it: `drive.py RESULTS JSON`, or,
where there are too many trials for that, with the variable TRIALS, a file of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

import stub

from resexp import store
from resexp.cli import console
from resexp.cli.endings import ended_by_a_signal
from resexp.errors import ResexpError
from resexp.execution import supervisor
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.local import Local
from resexp.execution.options import Options
from resexp.execution.signals import stop_signals


def main(results: Path, trials: list[dict[str, object]]) -> int:
    """Run the trials, two at once; returns the exit status. Limits are taken from the environment."""
    if limit := os.environ.get("LARGEST_FILE"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    if limit := os.environ.get("OPEN_FILES"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), int(limit)))
    try:
        with (
            console.watching() as (_, display, _),
            store.create(
                results,
                "exp",
                config_text="a: 1\n",
                trials=[stub.trial(**trial) for trial in trials],  # type: ignore[arg-type]
                environment={},
            ) as experiment,
        ):
            return supervisor.supervise(
                experiment,
                Local(["stub", *os.environ.get("PRELOAD", "").split()]),
                Options("stub:train", stall_timeout=float(os.environ.get("STALL", "600")), keep_going=True),
                slots=["cpu", "cpu"],
                display=display(),
            ).exit_status
    except ResexpError as error:
        print(error, file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    open_standard_descriptors()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored where the tests run under nohup
    given = Path(os.environ["TRIALS"]).read_text() if "TRIALS" in os.environ else sys.argv[2]
    with ended_by_a_signal(), stop_signals(lambda: True):
        sys.exit(main(Path(sys.argv[1]), json.loads(given)))
