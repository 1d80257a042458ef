"""The functions that commands and notebooks call. Slow imports wait until a function needs them."""

from resexp.api.evidence import register, run_until_decided
from resexp.api.finished import archive, open_trial, probe, results
from resexp.api.launching import jobs, make_launcher, stop
from resexp.api.training import RESULTS, load, run, trials

__all__ = [
    "RESULTS",
    "archive",
    "jobs",
    "load",
    "make_launcher",
    "open_trial",
    "probe",
    "register",
    "results",
    "run",
    "run_until_decided",
    "stop",
    "trials",
]
