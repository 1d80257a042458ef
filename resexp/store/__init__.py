"""Reads and writes the results folder. No other package knows the names of an experiment's files.

    results/<experiment>/
      config.yaml  plan.json  registered.json  reported.json  lock  holder  taken
      report/  plugins/<SHA-256>.py  plugins/<SHA-256>/  (modules that this plugin imports)
      runs/<run>.json  (of one command that trained trials; older versions: one environment.json)
      jobs/<submission>.json  jobs/<submission>/  (of launchers whose jobs outlive the supervisor)
      trials/<name>-<id>/
        trial.json  attempt  progress  log.txt
        metrics.jsonl  probes.jsonl  checkpoint-*.{json,pt}
        result.json | failure.json
        later-probes.json

`layout.py` names each file. `fields.py` and `row_fields.py` say what is in documents and rows. A trial is
done only if it has a `result.json` and the rows of metrics and probes that belong to it are intact. Every
JSON document and every row contains a checksum of its own bytes.
"""

from resexp.plan.status import Status
from resexp.store.attempt import Attempt
from resexp.store.existing import changed, experiments, find, finished, running, states
from resexp.store.experiment import StoredExperiment, create
from resexp.store.experiment_lock import Hold, explained, hold
from resexp.store.failure import fail, place_of
from resexp.store.finished import Finished
from resexp.store.half_done import begun_otherwise
from resexp.store.holder import GLANCE, Running
from resexp.store.job_notes import JobNotes, read_note
from resexp.store.layout import FORMAT, PLAN_FORMAT, PUBLISHED, ExperimentFolder, State, TrialFolder
from resexp.store.pack import pack
from resexp.store.records import Records, read
from resexp.store.registration import register
from resexp.store.reported import note_reported, seeds_at_last_look
from resexp.store.submitted import Submitted, submitted
from resexp.store.unpack import Unpacked, unpack

__all__ = [
    "FORMAT",
    "GLANCE",
    "PLAN_FORMAT",
    "PUBLISHED",
    "Attempt",
    "ExperimentFolder",
    "Finished",
    "Hold",
    "JobNotes",
    "Records",
    "Running",
    "State",
    "Status",
    "StoredExperiment",
    "Submitted",
    "TrialFolder",
    "Unpacked",
    "begun_otherwise",
    "changed",
    "create",
    "experiments",
    "explained",
    "fail",
    "find",
    "finished",
    "hold",
    "note_reported",
    "pack",
    "place_of",
    "read",
    "read_note",
    "register",
    "running",
    "seeds_at_last_look",
    "states",
    "submitted",
    "unpack",
]
