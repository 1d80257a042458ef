"""Reads an experiment, even while it runs, into tidy pandas frames with notes for the reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp import durable
from resexp.errors import NoExperimentError
from resexp.plan.groups import labelled
from resexp.plan.status import Status
from resexp.store import provenance
from resexp.store.copies import readable
from resexp.store.documents import sound_rows
from resexp.store.experiment_lock import explained
from resexp.store.finished import Finished, later_rows, merged, notes_of_ways, ways
from resexp.store.holder import running_in
from resexp.store.layout import ExperimentFolder, rows_of, state_of
from resexp.store.planned import configuration, planned, published, refuse_newer
from resexp.store.registration import registration
from resexp.store.reported import is_lost, seeds_before
from resexp.store.trial_rows import RESULT_COLUMNS, columns_of, measures, row_of

if TYPE_CHECKING:
    import pandas as pd

    from resexp.catalog.plugins import Plugin

METRIC_COLUMNS = (
    *("epoch", "step", "seconds", "lr", "loss", "running_error"),
    *("train_error", "train_loss", "validation_error", "validation_loss", "test_error", "test_loss"),
)
APART = ("test_measures", "picture")
"""Keys of a row of metrics that are not columns of `Records.metrics`."""
PROBE_COLUMNS = ("probe", "step", "at", "name", "layer", "index", "value")


@dataclass(frozen=True)
class Records:
    """One experiment as tidy frames. A missing number is NaN or None, never 0.

    trials: one row per trial of the present plan, with these columns. X stands for train, validation and
        test, and S for train and test.
        id, name, connection, variant (how reports label the trial), depth, seed, data and model (kinds);
        status (done, diverged, failed, running, pending) and cause (why it diverged or failed);
        params; macs and activation_bytes (of one example; the bytes are those kept for the backward pass);
        X_error (fractions), X_loss (nats), test_M for each measure M of the task, B_loss for each baseline B;
        S_examples, S_chance (the error of always answering the most frequent class), S_blind (the same where
        errors are of pixels, characters or generators; only where it is known), S_most_answered (the share of
        the answer that was given most often), samples (texts that a language model wrote);
        confused (class -> answer -> number of test examples);
        classifier (the SHA-256 of the classifier in whose features generated images were compared);
        seconds (of training), step_seconds, images_per_second, peak_memory_bytes, epochs, steps;
        mixed (whether the environment changed during the trial);
        redrawn (the share of all examples that each seed draws for its own test set; None if it draws none);
        and each swept axis, by its dotted key.
    metrics: one row per epoch: id (of the trial), epoch, step, seconds, lr; loss and running_error, which are
        means over the epoch's batches; errors and losses as above, of the epochs that were evaluated.
    probes: one row per reading: id, probe (its kind), step, at (fraction of training), name, layer, index,
        value.
    environment: machine, versions and command of the latest run.
    runs: the environments of all runs, each as {"environment": ..., "trials": ids}.
    published: what papers report, as JSON data of `config.published.Published`; {} if there is nothing.
    notes: sentences that the reader must know, such as on damaged files.
    aside: a sentence that reports show first, such as on trials that the plan leaves out, or "".
    settings: the settings of each trial as plain JSON data, by its id.
    config: the text of the configuration that was run, or "" if it is not known.
    plugins: by a trial's id, the plugins whose parts it uses; () if a copy of one cannot be read.
    tuned: dotted keys of the axes whose value is chosen by validation error.
    look: the look of a sequential experiment, as JSON data of `plan.looks.Look`.
    seeds_before: the numbers of seeds per group in earlier reports, if other seeds are planned since.
    seeds_replaced: those of them whose seeds were replaced by others, and not only added to or left out.
    registered: what was registered before the first result; None if there is nothing usable.
    unusable: why what was registered cannot be used, or "".
    foreign: whether another program trained the runs (`resexp judge`).
    checks: what `resexp check` expects, as the configuration has it.
    unjudged: sentences on what cannot be judged because the runs are foreign.
    pictures: images that generators made during training: id (of the trial), step, and the keys of
        `store.row_fields.Picture`.
    """

    experiment: str
    trials: pd.DataFrame
    metrics: pd.DataFrame
    probes: pd.DataFrame
    environment: dict[str, Any]
    published: dict[str, Any]
    notes: list[str]
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tuned: tuple[str, ...] = ()
    runs: list[dict[str, Any]] = field(default_factory=list)
    aside: str = ""
    look: Mapping[str, Any] | None = None
    seeds_before: tuple[int, ...] = ()
    seeds_replaced: tuple[int, ...] = ()
    registered: Mapping[str, Any] | None = None
    unusable: str = ""
    foreign: bool = False
    unjudged: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    config: str = ""
    plugins: Mapping[str, tuple[Plugin, ...]] = field(default_factory=dict)
    pictures: tuple[Mapping[str, Any], ...] = ()

    @property
    def references(self) -> list[dict[str, Any]]:
        """The published numbers, as JSON data of `config.published.Reference`."""
        return list(self.published.get("references", ()))


def read(path: Path) -> Records:
    """Read the experiment in the folder `path`, even while it runs.

    Raises NoExperimentError if there is none, and StoreError if it has a newer format or cannot be read.
    """
    folder = ExperimentFolder(path)
    with explained(path):
        if not folder.plan.exists() and not folder.trials.is_dir():
            raise NoExperimentError(f"{path}: no experiment here; `resexp run` makes one")
        refuse_newer(folder)
        return _read(folder)


def _read(folder: ExperimentFolder) -> Records:
    import pandas as pd

    notes: list[str] = []
    plan, trials = planned(folder, notes)
    trials = labelled(trials)
    trained_by: dict[str, list[str]] = {}
    run = running_in(folder)
    trial_rows, metrics, probes, measured_in, pictures = [], [], [], [], []
    for trial in trials:
        own = folder.trial(trial)
        state = state_of(own, trial.id, run.name if run else None)
        notes += state.notes
        if state.status.ended:
            trained_by.setdefault(provenance.run_of(own, state), []).append(trial.id)
        trial_rows.append(row_of(trial, state) | measures(state.result))
        rows = rows_of(own)
        found = _with_id(trial.id, own.metrics, rows, notes)
        metrics += [
            {key: value for key, value in row.items() if key not in APART} | measures(row) for row in found
        ]
        drawn = [row for row in found if row.get("picture")]
        pictures += [{**row["picture"], "id": trial.id, "step": int(row.get("step") or 0)} for row in drawn]
        later = later_rows(own, state.result, notes, trial.settings) if state.status is Status.DONE else []
        measured = _with_id(trial.id, own.probes, rows, notes)
        if state.status is Status.DONE:
            measured_in.append(ways(Finished(own, trial, state.result), later))
        probes += merged(measured, [{"id": trial.id, **row} for row in later])
    aside = provenance.left_aside(folder, trials, plan, notes)
    provenance.note_older(trials, notes)
    notes += notes_of_ways(measured_in)
    runs = provenance.runs(folder, trained_by, notes)
    registered, unusable = registration(folder)
    before, replaced = seeds_before(folder, trials)
    if is_lost(folder):
        notes.append(
            f"{folder.reported}: is or was damaged, so it is not known with which seeds the experiment was "
            "reported before; no interval is corrected for seeds that were added or changed after that"
        )
    frame = pd.DataFrame(trial_rows, columns=_columns(trial_rows, columns_of(trials)))
    for name in ("params", "macs", "activation_bytes", *RESULT_COLUMNS[:-1]):
        frame[name] = pd.to_numeric(frame[name])  # a column of nothing but None would not be numeric
    return Records(
        experiment=folder.path.name,
        trials=frame,
        metrics=pd.DataFrame(metrics, columns=_columns(metrics, METRIC_COLUMNS)),
        probes=pd.DataFrame(probes, columns=_columns(probes, PROBE_COLUMNS)),
        environment=max((run["environment"] for run in runs), key=lambda e: e.get("date", ""), default={}),
        published=published(plan, folder, notes),
        notes=notes,
        settings={trial.id: trial.settings for trial in trials},
        tuned=tuple(dict.fromkeys(key for trial in trials for key in trial.tuned)),
        runs=runs,
        aside=aside,
        look=plan.get("look"),
        seeds_before=before,
        seeds_replaced=replaced,
        registered=registered,
        unusable=unusable,
        checks=tuple(plan.get("checks", ())),
        config=configuration(folder, plan) or "",
        plugins=readable(folder, trials),
        pictures=tuple(pictures),
    )


def _with_id(
    trial_id: str, path: Path, contents: Mapping[str, bytes], notes: list[str]
) -> list[dict[str, Any]]:
    """The rows of a file, each with its trial's id. If a row is damaged, only those before it are returned,
    and a note is added.
    """
    data = contents[path.name]
    rows, good = durable.read_rows(data)
    count, wrong = sound_rows(path.name, rows)
    if wrong:
        notes.append(f"{path}: row {count + 1}: {wrong}; the {count} rows before it are shown")
        return [{"id": trial_id, **row} for row in rows[:count]]
    # An incomplete last line is no damage: it is being written, or its writer was killed.
    if b"\n" in data[good:]:
        notes.append(f"{path}: damaged at byte {good}; the {len(rows)} rows before it are shown")
    return [{"id": trial_id, **row} for row in rows]


def _columns(rows: list[dict[str, Any]], fixed: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(["id", *fixed, *(key for row in rows for key in row)]))
