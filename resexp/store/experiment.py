"""Opening an experiment's folder for a run: the lock, the plan, and handing out attempts."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.catalog.plugins import Plugin
from resexp.errors import StoreError
from resexp.plan.trial import Trial
from resexp.store import changes
from resexp.store.copies import keep
from resexp.store.documents import read_or_empty
from resexp.store.failure import write_failure
from resexp.store.layout import FORMAT, PLAN_FORMAT, ExperimentFolder, State, state_of
from resexp.store.lock import Hold, check_plain, explained, hold


class StoredExperiment:
    """An experiment's folder, locked by this process until `close`. Made by `create`; a context manager.

    `warnings` say why trials that were done are trained again, and how many are left aside.
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
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._told = False
        self._states = dict(states or {})

    @property
    def path(self) -> Path:
        return self._folder.path

    def __enter__(self) -> StoredExperiment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the lock go."""
        self._held.release()

    def state(self, trial: Trial) -> State:
        """What the folder says of a trial now; never `running`: what runs, the lock's holder knows itself."""
        with explained(self.path):
            return state_of(self._folder.trial(trial), trial.id, current_run=None)

    def last_state(self, trial: Trial) -> State:
        """The state as it was first read, unless the trial was claimed since: nobody else writes here."""
        if trial.id not in self._states:
            self._states[trial.id] = self.state(trial)
        return self._states[trial.id]

    def pending(self) -> list[Trial]:
        """The trials that have no intact result; what was damaged is told in `notes`."""
        states = [(trial, self.last_state(trial)) for trial in self.trials]
        self.notes = [note for _, state in states for note in state.notes]
        return [trial for trial, state in states if not state.finished]

    def claim(self, trial: Trial) -> tuple[Path, int]:
        """Take a trial over for a new attempt: its folder and the attempt's number.

        Every earlier attempt is stale from here on, and an earlier outcome is gone.

        Raises StoreError where the system refuses, or the experiment's folder was deleted.
        """
        self._states.pop(trial.id, None)
        folder = self._folder.trial(trial)
        with explained(folder.path):
            if not self._folder.plan.exists():
                raise StoreError(f"{self.path}: was deleted while the experiment ran; start it again")
            self._tell_run()
            durable.make_own_folder(self._folder.trials)
            durable.make_own_folder(folder.path)
            if (folder.log.exists() and not folder.log.is_file()) or folder.log.is_symlink():
                folder.log.unlink()  # the one file that is not replaced, but written into
            number = int(read_or_empty(folder.attempt).get("attempt", 0)) + 1
            folder.result.unlink(missing_ok=True)
            folder.failure.unlink(missing_ok=True)
            durable.write_document(folder.attempt, {"attempt": number, "run": self._held.run}, durable=False)
            durable.sweep_temporaries(folder.path)
            written = {"format": FORMAT, "trial": trial.to_json()}
            if read_or_empty(folder.trial) != written:
                durable.write_document(folder.trial, written, durable=False)
        return folder.path, number

    def holds(self, trial: Trial) -> bool:
        """Whether the folder of a trial that was claimed is still there."""
        return self._folder.trial(trial).attempt.exists()

    def fail(self, trial: Trial, number: int, kind: str, cause: str) -> None:
        """Record the failure of an attempt that could not do so itself."""
        folder = self._folder.trial(trial)
        with explained(folder.path):
            durable.make_folder(folder.path)
            write_failure(folder, number, kind, cause)

    def progress(self, trial: Trial, number: int) -> dict[str, Any]:
        """Where attempt `number` is; {} before its first word."""
        row = read_or_empty(self._folder.trial(trial).progress)
        return row if row.get("attempt") == number else {}

    def _tell_run(self) -> None:
        """Write down where and how this run happens, before its first trial; a run of nothing has none."""
        if not self._told:
            durable.make_own_folder(self._folder.runs)
            durable.write_document(self._folder.run(self._held.run), self._environment)
            self._told = True

    def _keep(self, plugins: Sequence[Plugin]) -> None:
        """Copy the plugins that trials use, so that these stay readable wherever the originals go."""
        used = {sha256 for trial in self.trials for sha256 in trial.plugins}
        keep(self._folder, [plugin for plugin in plugins if plugin.sha256 in used])

    def _compare(self, before: Mapping[str, Any]) -> list[str]:
        """Fill in `warnings`, given the plan before this one; returns the ids of the trials set aside."""
        overrides = self._environment.get("overrides", ())
        self.warnings = changes.reasons(self._folder, self.trials, self.pending())
        aside = changes.set_aside(before, self.trials)
        if aside:
            self.warnings.append(changes.warning(self._folder, self.trials, aside, overrides))
        return aside if overrides else []

    def _write(
        self,
        config_text: str,
        published: Mapping[str, Any],
        notes: Sequence[str],
        aside: Sequence[str],
        look: Mapping[str, Any] | None,
    ) -> None:
        durable.sweep_temporaries(self.path)
        durable.write_atomic(self._folder.config, config_text.encode())
        plan = {
            "format": PLAN_FORMAT,
            "experiment": self.path.name,
            "config_sha256": hashlib.sha256(config_text.encode()).hexdigest(),
            "trials": [trial.to_json() for trial in self.trials],
            "published": dict(published),
            "notes": list(notes),
            "overrides": list(self._environment.get("overrides", ())),
            "aside": list(aside),
            **({"look": dict(look)} if look else {}),
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
    plugins: Sequence[Plugin] = (),
    fresh: bool = False,
    held: Hold | None = None,
    states: Mapping[str, State] | None = None,
) -> StoredExperiment:
    """Open `results`/`name` for a run: lock it, then write its config and plan, durably.

    `fresh` deletes the trials there. Otherwise trials that are not in `trials` stay, left aside. The
    `environment`, of which `overrides` are what narrows the configuration, is written when the first trial
    is claimed: it is that of the trials which this run trains. `held` is the lock, where the caller has
    taken it already; closing the experiment releases it. `states` are those that it has read since.
    `notes` are what a reader must know of the data, `look` is that of a sequential experiment.

    Raises BusyError when another process is running it, StoreError when the folder is of a newer
    format or the system refuses.
    """
    for trial in trials:
        check_plain(trial.name)
    held = held or hold(results, name)
    folder = held.folder
    experiment = StoredExperiment(held, trials, environment, {} if fresh else states)
    try:
        with explained(folder.path):
            same = _shows(refuse_newer(folder), trials)
            if fresh:
                for old in (folder.trials, folder.plugins, folder.runs):
                    _remove_tree(old)
                folder.environment.unlink(missing_ok=True)
                folder.reported.unlink(missing_ok=True)
            durable.make_own_folder(folder.trials)
            aside = experiment._compare({} if fresh or same else read_or_empty(folder.plan))
            experiment._keep(plugins)
            experiment._write(config_text, published or {}, notes, aside, look)
    except BaseException:
        experiment.close()
        raise
    return experiment


def _shows(plan: Mapping[str, Any], trials: Sequence[Trial]) -> bool:
    """Whether a plan, unchecked as it is, is of these very trials, none set aside: a look is all it needs."""
    found = plan.get("trials")
    known = [t.get("id") for t in found if isinstance(t, dict)] if isinstance(found, list) else []
    return known == [trial.id for trial in trials] and not plan.get("aside")


def refuse_newer(folder: ExperimentFolder) -> dict[str, Any]:
    """The plan, unchecked; {} where none can be read. Raises StoreError when a newer resexp wrote it."""
    try:
        plan = durable.read_document(folder.plan)
    except (OSError, durable.Damaged):
        return {}
    found = plan.get("format")
    if isinstance(found, int) and found > PLAN_FORMAT:
        raise StoreError(
            f"{folder.plan}: written by a newer resexp (format {found}, this one knows {PLAN_FORMAT}); "
            "upgrade resexp, or choose another name"
        )
    return plan


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
