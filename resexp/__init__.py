"""What do shortcuts do for deep networks? Trains sweeps over depth and connections, and reports their effect.

import resexp
experiment = resexp.load("configs/depth_sweep.yaml", ["model.depth=8,20"])
resexp.run(experiment)
resexp.results("depth_sweep").trials
resexp.judge("runs.csv").sentences  # verdicts on runs that another program trained
"""

import sys

if sys.platform == "win32":
    # Everything else would fail with a traceback, because Windows has no `fcntl`, for example.
    sys.stderr.write("error: resexp does not run on Windows itself; install it in WSL, and run it there\n")
    raise SystemExit(2)

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # With `python -m resexp`, Python searches the current folder before its own library. Remove it.
    del sys.path[0]

from resexp.api import (
    archive,
    load,
    make_launcher,
    open_trial,
    register,
    results,
    run,
    run_until_decided,
    stop,
    trials,
)
from resexp.foreign.judge import judge

__all__ = [
    "archive",
    "judge",
    "load",
    "make_launcher",
    "open_trial",
    "register",
    "results",
    "run",
    "run_until_decided",
    "stop",
    "trials",
]
