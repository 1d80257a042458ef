"""What do shortcuts do for deep networks? Sweeps depth over connections and reports what depth did.

import resexp
experiment = resexp.load("configs/depth_sweep.yaml", ["model.depth=8,20"])
resexp.run(experiment)
resexp.results("depth_sweep").trials
resexp.judge("runs.csv").sentences  # of runs that resexp did not train
"""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m resexp`: Python has put the folder that the user stands in before its own library.
    del sys.path[0]

from resexp.api import load, register, results, run, run_until_decided, trials
from resexp.foreign.judge import judge

__all__ = ["judge", "load", "register", "results", "run", "run_until_decided", "trials"]
