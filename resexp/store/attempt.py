"""One worker's hold on one trial: what training may read and write, and how it ends.

A checkpoint is a pair: `<name>.pt`, the bytes given, and its sidecar `<name>.json`, which records
their SHA-256 and how far the row files reached. It counts only if all of that can be found again, so
it needs no fsync to be safe, only to survive a power loss.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.catalog.plugins import Plugin
from resexp.errors import StoreError
from resexp.plan.trial import Trial
from resexp.store.copies import plugins_of
from resexp.store.documents import read, read_or_empty
from resexp.store.failure import check_current, fail
from resexp.store.layout import FORMAT, TrialFolder, rows_of

DURABLE_EVERY = 10.0
"""Seconds between checkpoints that are fsynced: more often costs more than it can save."""

PROGRESS_EVERY = 0.5
"""Seconds between writes of the progress file."""


class Attempt:
    """The hold of attempt `number` on the trial in `folder`, on `device` with `threads` CPU threads.

    Training calls `begin` once, then `metric`, `probe`, `progress` and `save_checkpoint` as it goes,
    and `commit` at the end. When `stopping` is true it saves a checkpoint and returns without `commit`.

    Raises StoreError when the folder does not hold the trial; OSError where the disk refuses.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        device: str = "cpu",
        threads: int = 1,
        allow_environment_change: bool = False,
        data: Any = None,
    ) -> None:
        """`data` is what training was told of the trial's data; what it means is training's own business."""
        self._folder = TrialFolder(folder)
        try:
            self.trial = Trial.from_json(read(self._folder.trial)["trial"])
        except (OSError, durable.Damaged) as problem:
            raise StoreError(f"{self._folder.trial}: {problem}; delete the folder to redo it") from problem
        self.number = number
        self.device = device
        self.threads = threads
        self.data = data
        self.stopping = False
        self.notes: list[str] = []
        self._allow_environment_change = allow_environment_change
        self._fingerprint: Mapping[str, Any] = {}
        self._mixed = False
        self._useless: list[Path] = []
        self._run: str | None = None
        self._logs: dict[str, durable.RowLog] = {}
        self._beat = 0
        self._last_progress = float("-inf")
        self._last_durable = time.monotonic()

    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that the trial uses. Raises StoreError where their copies are missing or damaged."""
        return plugins_of(self._folder, self.trial)

    def begin(self, fingerprint: Mapping[str, Any], load: Callable[[bytes], Any] = bytes) -> Any:
        """Take up the trial where the newest checkpoint left it that fits; returns what `load` makes of it.

        None means: start anew, with empty row files. Where `load` raises, the checkpoint is of no use though
        its bytes are whole: the one before it is taken, with a note. `fingerprint` (device, processor, torch
        version, threads, ...) must equal the checkpoint's, else the trial starts again, or goes on and its
        result says `mixed` where an environment change is allowed.
        """
        self._check_current()
        self._run = read_or_empty(self._folder.attempt).get("run")
        self._fingerprint = durable.unseal(durable.seal(fingerprint))  # as it will be read back
        rows = rows_of(self._folder)
        kept, loaded = dict.fromkeys(rows, 0), None
        for sidecar in reversed(self._folder.checkpoints()):
            found = read_or_empty(sidecar)
            data = self._fitting(sidecar, found, rows)
            if data is None:
                _remove(sidecar)
                continue
            try:
                loaded = load(data)
            except Exception as problem:
                self._put_aside(sidecar, problem)
                continue
            kept = {name: found["rows"][name]["bytes"] for name in rows}
            self._mixed = found["mixed"] or found["fingerprint"] != self._fingerprint
            break
        for orphan in set(self._folder.path.glob("checkpoint-*.pt")) - self._with_sidecar():
            orphan.unlink(missing_ok=True)
        self._logs = {
            name: durable.RowLog(self._folder.path / name, content[: kept[name]])
            for name, content in rows.items()
        }
        return loaded

    def _put_aside(self, sidecar: Path, problem: Exception) -> None:
        """Do without a checkpoint that cannot be loaded. It stays until there is a new one: where memory was
        short, it can be loaded next time.
        """
        self._useless.append(sidecar)
        self.notes.append(f"{sidecar}: cannot be loaded ({problem!r}); the trial went on from the one before")
        print(self.notes[-1])

    def _fitting(self, sidecar: Path, found: Mapping[str, Any], rows: Mapping[str, bytes]) -> bytes | None:
        """The checkpoint's bytes, if all that its sidecar records is still there."""
        if found.get("format") != FORMAT or found["trial"] != self.trial.id:
            return None
        if found["fingerprint"] != self._fingerprint and not self._allow_environment_change:
            return None
        if not all(durable.fits(found["rows"][name], content) for name, content in rows.items()):
            return None
        try:
            data = durable.read_bytes(sidecar.with_suffix(".pt"))
        except (FileNotFoundError, durable.NotAFile):
            return None
        return data if hashlib.sha256(data).hexdigest() == found["sha256"] else None

    def metric(self, row: Mapping[str, Any]) -> None:
        """Append one row to the metrics."""
        self._logs[self._folder.metrics.name].append([row])

    def probe(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append the rows of one measurement to the probe rows, in one write."""
        self._logs[self._folder.probes.name].append(rows)

    def progress(
        self,
        *,
        epoch: int,
        epochs: int,
        step: int,
        steps: int,
        error: float | None = None,
        loss: float | None = None,
    ) -> None:
        """Tell the supervisor that the trial lives and where it is; cheap enough for every step.

        It lives as long as this file changes, so call it during long evaluations too.
        """
        now = time.monotonic()
        if now - self._last_progress < PROGRESS_EVERY and step < steps:
            return
        self._last_progress = now
        self._beat += 1
        row: dict[str, Any] = {"attempt": self.number, "beat": self._beat, "epoch": epoch, "epochs": epochs}
        row |= {"step": step, "steps": steps, "error": error, "loss": loss}
        durable.write_document(self._folder.progress, row, durable=False)

    def save_checkpoint(self, data: bytes | memoryview, step: int) -> None:
        """Keep `data` as the state after `step` steps, together with how far the rows reach.

        The newest two are kept, and the newest that was fsynced. Raises StaleAttempt.
        """
        self._check_current()
        sync = time.monotonic() - self._last_durable >= DURABLE_EVERY
        if sync:
            self._sync_rows()
        sidecar = self._folder.checkpoint(step, self.number)
        durable.write_atomic(sidecar.with_suffix(".pt"), data, durable=sync)
        durable.write_document(
            sidecar,
            {
                "format": FORMAT,
                "trial": self.trial.id,
                "attempt": self.number,
                "step": step,
                "durable": sync,
                "sha256": hashlib.sha256(data).hexdigest(),
                "rows": self._extents(),
                "fingerprint": self._fingerprint,
                "mixed": self._mixed,
            },
            durable=sync,
        )
        if sync:
            self._last_durable = time.monotonic()
        while self._useless:
            _remove(self._useless.pop())
        self._prune()

    def commit(self, result: Mapping[str, Any]) -> None:
        """Make `result` the trial's result, durably, with its rows and its last checkpoint, which stays.

        Raises StaleAttempt when a later attempt has taken the trial over.
        """
        self._sync_rows()
        sidecars = self._folder.checkpoints()
        for last in sidecars[-1:]:
            durable.sync(last.with_suffix(".pt"))
            durable.sync(last)
        self._check_current()
        durable.write_document(
            self._folder.result,
            {
                "format": FORMAT,
                "trial": self.trial.id,
                "attempt": self.number,
                **result,
                **({"notes": self.notes} if self.notes else {}),
                "run": self._run,
                "fingerprint": self._fingerprint,
                "mixed": self._mixed,
                "rows": self._extents(),
            },
        )
        for sidecar in sidecars[:-1]:
            _remove(sidecar)
        for log in self._logs.values():
            log.close()

    def fail(self, kind: str, cause: str) -> None:
        """Record why this attempt ended without a result. Raises StaleAttempt."""
        fail(self._folder, self.number, kind, cause)

    def _check_current(self) -> None:
        check_current(self._folder, self.number)

    def _sync_rows(self) -> None:
        for log in self._logs.values():
            log.sync()

    def _extents(self) -> dict[str, dict[str, int]]:
        return {name: log.extent() for name, log in self._logs.items()}

    def _with_sidecar(self) -> set[Path]:
        return {sidecar.with_suffix(".pt") for sidecar in self._folder.checkpoints()}

    def _prune(self) -> None:
        older = self._folder.checkpoints()[:-2]
        if older and not any(read_or_empty(path).get("durable") for path in self._folder.checkpoints()[-2:]):
            older = [path for path in older if not read_or_empty(path).get("durable")]
        for sidecar in older:
            _remove(sidecar)


def _remove(sidecar: Path) -> None:
    """Remove a checkpoint, the sidecar first: bytes without a sidecar are nothing."""
    sidecar.unlink(missing_ok=True)
    sidecar.with_suffix(".pt").unlink(missing_ok=True)
