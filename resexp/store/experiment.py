"""What a run does with an experiment's folder: locks it, writes the plan, and starts and ends attempts."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.catalog.plugins import Plugin
from resexp.errors import StoreError
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store import changes
from resexp.store.copies import keep
from resexp.store.documents import read_or_empty
from resexp.store.experiment_lock import Hold, check_plain, explained, hold
from resexp.store.failure import write_failure
from resexp.store.job_notes import JobNotes
from resexp.store.layout import FORMAT, PLAN_FORMAT, State, state_of


class StoredExperiment:
    """An experiment's folder, locked by this process until `close`. A context manager, made by `create`.

    notes: sentences on damage, set by `pending`. warnings: sentences on why trials are trained again, and on
    trials that the plan leaves out, set by `create`.
    """

    def __init__(
        self,
        held: Hold,
        trials: Sequence[Trial],
        environment: Mapping[str, Any],
        states: Mapping[str, State] | None = None,
    ) -> None:
        self._folder = held.folder
        self._held = held
        self._environment = environment
        self.trials = tuple(trials)
        self.job_notes = JobNotes(held.folder)
        self._by_id = {trial.id: trial for trial in self.trials}
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._run_recorded = False
        self._states = dict(states or {})

    @property
    def path(self) -> Path:
        return self._folder.path

    def __enter__(self) -> StoredExperiment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._held.release()

    def check(self) -> None:
        """Raises BusyError if a run on another machine has taken the folder over. Users may ask for a
        takeover, which succeeds if the other machine sees no sign of life of this run.
        """
        self._held.check()

    def check_signs(self) -> None:
        """Like `check`, but reads no file, so that it may notice a takeover some seconds later."""
        self._held.check_signs()

    def state(self, trial: Trial) -> State:
        """The state of a trial, read now. One that this process trains is pending until it ends."""
        with explained(self.path):
            return state_of(self._folder.trial(trial), trial.id, current_run=None)

    def last_state(self, trial: Trial) -> State:
        """The state of a trial. It is read once, and again after `claim` or `adopt` of the trial."""
        if trial.id not in self._states:
            self._states[trial.id] = self.state(trial)
        return self._states[trial.id]

    def pending(self) -> list[Trial]:
        """The trials without an intact result. Sets `notes`."""
        states = [(trial, self.last_state(trial)) for trial in self.trials]
        self.notes = [note for _, state in states for note in state.notes]
        return [trial for trial, state in states if not state.finished]

    def finished_meanwhile(self, trial: Trial) -> bool:
        """Whether a trial has a valid result that an earlier run's worker has written since `last_state`."""
        with explained(self.path):
            if not self._folder.trial(trial).result.exists():
                return False
        self._states[trial.id] = self.state(trial)
        return self._states[trial.id].finished

    def claim(self, trial: Trial) -> tuple[Path, int]:
        """Register a new attempt at a trial; returns the trial's folder and the attempt's number, from 1.

        Earlier attempts become stale, and their result or failure is deleted. Raises StoreError if the system
        refuses, or if the experiment's folder was deleted, and BusyError if another run took it over.
        """
        self._states.pop(trial.id, None)
        folder = self._folder.trial(trial)
        self.check()
        with explained(folder.path):
            if not self._folder.plan.exists():
                raise StoreError(f"{self.path}: was deleted while the experiment ran; start it again")
            self._record_run()
            durable.make_own_folder(self._folder.trials)
            durable.make_own_folder(folder.path)
            if (folder.log.exists() and not folder.log.is_file()) or folder.log.is_symlink():
                folder.log.unlink()  # the worker appends to this file, and would follow a link
            number = int(read_or_empty(folder.attempt).get("attempt", 0)) + 1
            folder.result.unlink(missing_ok=True)
            folder.failure.unlink(missing_ok=True)
            attempt = {"attempt": number, "run": self._held.run, "token": secrets.token_hex(8)}
            durable.write_document(folder.attempt, attempt, durable=False)
            durable.sweep_temporaries(folder.path)
            document = {"format": FORMAT, "trial": trial.to_json()}
            if read_or_empty(folder.trial) != document:
                durable.write_document(folder.trial, document, durable=False)
        return folder.path, number

    def adopt(self, folder: Path, number: int) -> Trial | None:
        """Take over attempt `number` at the trial in `folder`, which an earlier run has started.

        Returns the trial, or None if the plan does not have it, if it needs no more training, or if the
        attempt is not its latest or has failed.
        """
        trial = self._by_id.get(folder.name.rpartition("-")[2])
        if trial is None or self.last_state(trial).status is not Status.PENDING:
            return None
        own = self._folder.trial(trial)
        record = read_or_empty(own.attempt)
        if own.path.name != folder.name or record.get("attempt") != number:
            return None
        self._states.pop(trial.id, None)
        with explained(own.path):
            self._record_run()
            durable.write_document(own.attempt, {**record, "run": self._held.run}, durable=False)
        return trial

    def holds(self, trial: Trial) -> bool:
        """Whether the folder of a claimed trial still exists."""
        return self._folder.trial(trial).attempt.exists()

    def fail(self, trial: Trial, number: int, kind: str, cause: str) -> None:
        """Record the failure of an attempt whose worker could not record it. Raises BusyError if another run
        has taken the folder over.
        """
        folder = self._folder.trial(trial)
        self.check()
        with explained(folder.path):
            durable.make_folder(folder.path)
            write_failure(folder, number, kind, cause)

    def progress(self, trial: Trial, number: int) -> dict[str, Any]:
        """The last progress row of attempt `number`; {} if there is none yet or if it cannot be read now."""
        row: dict[str, Any] = {}
        with suppress(OSError):  # a file server may fail for a moment
            row = read_or_empty(self._folder.trial(trial).progress)
        return row if row.get("attempt") == number else {}

    def _record_run(self) -> None:
        """Record this run's environment, once. A run that trains nothing leaves no record."""
        if not self._run_recorded:
            durable.make_own_folder(self._folder.runs)
            durable.write_document(self._folder.run(self._held.run), self._environment)
            self._run_recorded = True

    def _keep(self, plugins: Sequence[Plugin]) -> None:
        """Copy those plugins that the trials use."""
        used = {sha256 for trial in self.trials for sha256 in trial.plugins}
        keep(self._folder, [plugin for plugin in plugins if plugin.sha256 in used])

    def _compare(self, before: Mapping[str, Any]) -> list[str]:
        """Set `warnings` by comparison with the plan `before`. If the command has overrides, returns the ids
        of the trials that the new plan leaves out, so that the new plan can list them.
        """
        self.warnings, aside = changes.compared(self._folder, self.trials, self.pending(), before)
        return aside if self._environment.get("overrides") else []

    def _write(self, config_text: str, further: Mapping[str, Any]) -> None:
        """Write the configuration and the plan. `further` has keys of the plan for readers of results."""
        durable.sweep_temporaries(self.path)
        shutil.rmtree(self._folder.unpacking, ignore_errors=True)  # of a `resexp unpack` that was killed
        durable.write_atomic(self._folder.config, config_text.encode())
        plan = {
            "format": PLAN_FORMAT,
            "experiment": self.path.name,
            "config_sha256": hashlib.sha256(config_text.encode()).hexdigest(),
            "trials": [trial.to_json() for trial in self.trials],
            "overrides": list(self._environment.get("overrides", ())),
            **further,
        }
        durable.write_document(self._folder.plan, plan, indent=None)  # it may hold 20,000 trials


def create(
    results: Path,
    name: str,
    *,
    config_text: str,
    trials: Sequence[Trial],
    environment: Mapping[str, Any],
    published: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    look: Mapping[str, Any] | None = None,
    checks: Sequence[str] = (),
    plugins: Sequence[Plugin] = (),
    fresh: bool = False,
    held: Hold | None = None,
    states: Mapping[str, State] | None = None,
) -> StoredExperiment:
    """Lock the experiment's folder `results`/`name`, and write its configuration and plan.

    environment: this run's environment, with the command's "overrides". It is recorded when the first trial
        is claimed.
    published: what papers report, as JSON data of `config.published.Published`.
    notes: sentences on the data, for readers of the results.
    look: the look of a sequential experiment, as JSON data of `plan.looks.Look`.
    checks: what `resexp check` expects.
    fresh: delete the old trials, plugins and runs. Otherwise trials not in `trials` are kept, but not shown.
    held: the lock, if the caller has it already; closing the experiment releases it.
    states: the states of trials by id, if the caller has read them since it took the lock.

    Raises BusyError if another process runs the experiment, and StoreError if the folder has a newer format
    or the system refuses.
    """
    for trial in trials:
        check_plain(trial.name)
    held = held or hold(results, name)
    folder = held.folder
    experiment = StoredExperiment(held, trials, environment, {} if fresh else states)
    try:
        with explained(folder.path):
            before = changes.earlier_plan(folder, trials)
            if fresh:
                before = {}
                for old in (folder.trials, folder.plugins, folder.runs):
                    if old.exists():
                        shutil.rmtree(old)
                folder.environment.unlink(missing_ok=True)
                folder.reported.unlink(missing_ok=True)
            durable.make_own_folder(folder.trials)
            aside = experiment._compare(before)
            experiment._keep(plugins)
            further = {"published": dict(published or {}), "notes": list(notes), "aside": list(aside)}
            further |= {"look": dict(look)} if look else {}
            further |= {"checks": list(checks)} if checks else {}
            experiment._write(config_text, further)
    except BaseException:
        experiment.close()
        raise
    return experiment
