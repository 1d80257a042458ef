"""Done trials: their last checkpoints, and what `resexp probe` measures on these after training.

Rows that `resexp probe` measures are called later rows. They are kept in a document of their own, so that the
rows of training stay unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from resexp import durable
from resexp.catalog.plugins import Plugin
from resexp.catalog.probe_name import as_asked, probe_name
from resexp.errors import StoreError
from resexp.plan import numerics
from resexp.plan.trial import Trial
from resexp.store.copies import copied_plugins
from resexp.store.documents import read, read_or_empty
from resexp.store.experiment_lock import explained
from resexp.store.layout import FORMAT, TrialFolder

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """A done trial and its result."""

    folder: TrialFolder
    trial: Trial
    result: Mapping[str, Any]

    def checkpoint(self) -> bytes:
        """The bytes of the checkpoint after the last step. Raises StoreError if it is missing or damaged."""
        with explained(self.folder.path):
            for sidecar in reversed(self.folder.checkpoints()):
                record = read_or_empty(sidecar)
                if record and record["step"] == self.result.get("steps") and record["trial"] == self.trial.id:
                    with suppress(FileNotFoundError):  # users may delete weights that they do not need
                        data = durable.read_bytes(sidecar.with_suffix(".pt"))
                        if hashlib.sha256(data).hexdigest() == record["sha256"]:
                            return data
        raise StoreError(
            f"{self.folder.path}: its last checkpoint is missing or damaged; "
            "delete this folder and run the experiment again"
        )

    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that the trial was trained with. Raises StoreError if a copy is missing or damaged."""
        return copied_plugins(self.folder, self.trial)

    def add(
        self,
        rows: Iterable[Row],
        asked: Mapping[str, Row] | None = None,
        code: Mapping[str, str] | None = None,
    ) -> None:
        """Save later rows, in place of those that were saved before for the same kinds of probe.

        asked: the options of each kind of probe that was measured, including kinds that gave no rows.
        code: for each of these kinds that a plugin defines, the hash of the plugin.

        Raises StoreError if the document cannot be written.
        """
        new = list(rows)
        kinds = {row["probe"] for row in new} | set(asked or ())
        settings = self.trial.settings
        old = [row for row in later_rows(self.folder, self.result, [], settings) if row["probe"] not in kinds]
        rows = [*old, *new]
        versions = {
            row["probe"]: numerics.probe_version(row["probe"], settings) for row in rows
        }  # see plan/numerics.py
        before = read_or_empty(self.folder.later_probes)
        options = {**before.get("asked", {}), **(asked or {})}
        options = {kind: options[kind] for kind in versions if kind in options}
        codes = {kind: sha256 for kind, sha256 in before.get("code", {}).items() if kind not in kinds}
        codes = {kind: sha256 for kind, sha256 in {**codes, **(code or {})}.items() if kind in versions}
        document = {"format": FORMAT, **_identity(self.result), "asked": options, "rows": rows}
        if codes:
            document["code"] = codes
        if mended := {kind: version for kind, version in versions.items() if version != 1}:
            document["numerics"] = mended
        with explained(self.folder.path):
            durable.make_own_folder(self.folder.path)
            durable.write_document(self.folder.later_probes, document)


def later_rows(
    folder: TrialFolder, result: Mapping[str, Any], notes: list[str], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The later rows of this result of a trial with these settings. Rows of an earlier attempt, of another
    trial, or of a version in which the probe measured differently are left out.

    If rows are left out, the reason is added to `notes`, except for rows of an earlier attempt.
    """
    try:
        document = read(folder.later_probes)
    except FileNotFoundError:
        return []
    except durable.Damaged as damage:
        notes.append(f"{folder.later_probes}: {damage}; `resexp probe` measures again")
        return []
    if "trial" not in document:
        old = "was written by an older resexp, which did not record the trial; it is left out"
        notes.append(f"{folder.later_probes}: {old}. `resexp probe` measures again")
        return []
    if document["trial"] != result["trial"]:
        notes.append(f"{folder.later_probes}: is of another trial; `resexp probe` measures again")
        return []
    if any(document.get(key) != value for key, value in _identity(result).items()):
        return []
    versions = document.get("numerics", {})
    rows: list[dict[str, Any]] = document["rows"]
    older = {row["probe"] for row in rows}
    older = {kind for kind in older if versions.get(kind, 1) != numerics.probe_version(kind, settings)}
    for kind in sorted(older):
        notes.append(
            f"{folder.later_probes}: this version measures {kind} in another way, so its rows are left out; "
            "`resexp probe` measures again"
        )
    return [row for row in rows if row["probe"] not in older]


@dataclass(frozen=True)
class Way:
    """How a kind of probe measured a trial after its last step.

    options: the probe's options as text. later: whether `resexp probe` made the measurement. code: the hashes
    of plugins, of which one defines the probe if any plugin does; empty if it is not known.
    """

    options: str
    later: bool
    code: frozenset[str]


def ways(finished: Finished, later: Iterable[Row]) -> dict[str, Way]:
    """How each kind of probe measured a trial after its last step."""
    options_of: dict[str, list[Any]] = {}
    for probe in finished.trial.settings.get("probes", ()):
        if 1 in probe["at"]:
            options = {key: value for key, value in probe.items() if key not in ("kind", "at", "of")}
            options_of.setdefault(_name(probe), []).append(options)
    plugins = frozenset(finished.trial.plugins)
    by_kind = {kind: Way(_text(options), False, plugins) for kind, options in options_of.items()}
    if again := {row["probe"] for row in later}:
        document = read_or_empty(finished.folder.later_probes)
        asked, code = document.get("asked", {}), document.get("code", {})
        by_kind = {kind: way for kind, way in by_kind.items() if kind not in again}
        # Older versions did not record the options of later measurements, nor the code of plugins.
        by_kind |= {
            kind: Way(_text([asked[kind]]), True, frozenset({code[kind]} if kind in code else ()))
            for kind in again
            if kind in asked
        }
    return by_kind


def _name(probe: Mapping[str, Any]) -> str:
    """The name that rows have for a probe of a trial's settings. Older versions had no `of`."""
    return probe_name(probe["kind"], probe.get("of", "model"))


def _text(options: list[Any]) -> str:
    return "; ".join(sorted(json.dumps(each, sort_keys=True) for each in options))


def notes_of_ways(trials: Sequence[Mapping[str, Way]]) -> list[str]:
    """A note for each kind of probe whose options or code differ between trials because some trials were
    measured later. A mean over such trials would mix two measurements.

    trials: what `ways` returns for each trial.
    """
    notes = []
    for kind in sorted({kind for trial in trials for kind in trial}):
        measured = [trial[kind] for trial in trials if kind in trial]
        if what := _difference(measured):
            notes.append(
                f"{kind}: its {what} between trials, so means over trials mix measurements; "
                f"`resexp probe --probe {as_asked(kind)}` measures all in the same way"
            )
    return notes


def _difference(measured: Sequence[Way]) -> str:
    """What differs between measurements of trials, if some of them were made later; "" if nothing does."""
    later = [way for way in measured if way.later]
    if later and len({way.options for way in measured}) > 1:
        return "options differ"
    known = [way.code for way in measured if way.code]
    if any(way.code for way in later) and not frozenset.intersection(*known):
        return "code, which is in a plugin, differs"
    return ""


def _identity(result: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a result: its trial, its attempt, and the size and checksum of its rows."""
    return {"trial": result["trial"], "attempt": result["attempt"], "of": result["rows"]}


def merged(rows: list[dict[str, Any]], later: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of training together with later rows. If there are later rows of a kind of probe, its rows
    from the end of training are left out.
    """
    again = {row["probe"] for row in later}
    return [row for row in rows if not (row.get("at") == 1 and row["probe"] in again)] + later
