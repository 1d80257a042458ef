"""One attempt at a trial by one worker: everything that training reads and writes in the trial's folder.

A checkpoint is a pair of files: `<name>.pt` holds the state of training, and its sidecar `<name>.json` holds
the hash of that file, and the size and checksum of each row file at that moment. A checkpoint is used only if
the hash is right and each row file still begins with the same bytes. If not, an older one is used. Finished
writes can be lost only if the power fails. Some are fsynced to survive that.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.catalog.plugins import Plugin
from resexp.errors import StoreError, out_of_memory
from resexp.machine.arithmetic import are_mixed, may_continue, not_continued
from resexp.machine.host import time_here
from resexp.plan.trial import Trial
from resexp.store.copies import copied_plugins
from resexp.store.documents import read, read_if_sound, read_or_empty
from resexp.store.failure import check_current, write_failure
from resexp.store.layout import FORMAT, TrialFolder, remove_checkpoint, rows_of

DURABLE_EVERY = 10.0
"""The least seconds between two checkpoints that are fsynced, because an fsync takes time."""

PROGRESS_EVERY = 0.5
"""The least seconds between two writes of the progress file, except after the last step."""


class Attempt:
    """Attempt `number` at the trial in `folder`, on `device` with `threads` CPU threads.

    Training calls `begin` once, then `metric`, `probe`, `progress` and `save_checkpoint` as often as it
    likes, and `commit` at the end. If `stopping` becomes true, training saves a checkpoint and returns
    without calling `commit`.

    Raises StoreError if the folder does not hold a trial. All methods raise OSError if reading or writing
    fails. Some methods raise StaleAttempt: a later attempt has taken the trial over, a cluster has begun this
    attempt again, or the folder is gone.
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
        restart: int = 0,
    ) -> None:
        """`data` describes the prepared data; only training knows its type. `restart` is explained in Job."""
        self._folder = TrialFolder(folder)
        try:
            self.trial = Trial.from_json(read(self._folder.trial)["trial"])
        except (OSError, durable.Damaged) as problem:
            raise StoreError(f"{self._folder.trial}: {problem}; delete the folder to redo it") from problem
        self.number, self._restart = number, restart
        self.device, self.threads, self.data = device, threads, data
        self.stopping = False
        self.notes: list[str] = []
        self._allow_environment_change, self._mixed = allow_environment_change, False
        self._fingerprint: Mapping[str, Any] = {}
        self._begun_again = ""  # why, if no checkpoint of this environment is found
        self._unloadable: list[Path] = []
        claimed = read_or_empty(self._folder.attempt)
        self.run = str(claimed.get("run", ""))
        # On a shared folder, this may still be the record of an earlier attempt.
        self._token = claimed.get("token", "") if claimed.get("attempt") == number else None
        self._logs: dict[str, durable.RowLog] = {}
        self._place = {"host": socket.gethostname(), "since": time_here()}
        self._beat, self._last_progress = 0, float("-inf")
        self._last_durable = time.monotonic()

    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins that the trial uses. Raises StoreError if a copy is missing or damaged."""
        return copied_plugins(self._folder, self.trial)

    def begin(self, fingerprint: Mapping[str, Any], load: Callable[[bytes], Any] = bytes) -> Any:
        """Resume from the newest usable checkpoint, and return what `load` makes of its bytes.

        If there is none, the row files are emptied, and None is returned: training starts at its first step.
        `fingerprint` describes the environment: see `machine/arithmetic.py`. A checkpoint is deleted if it is
        damaged, or of another trial or format. One of another environment is used if
        `allow_environment_change` was given, and the result will say `mixed`; otherwise it is deleted. A note
        says if training begins again for this reason, or if `load` raises, and the next older checkpoint is
        tried. But if memory runs out, the error is raised, and nothing is deleted. Raises StaleAttempt.
        """
        self._check_current()
        self._fingerprint = durable.unseal(durable.seal(fingerprint))  # with lists, as in stored ones
        rows = rows_of(self._folder)
        kept, loaded = dict.fromkeys(rows, 0), None
        for sidecar in reversed(self._folder.checkpoints()):
            record = read_if_sound(sidecar)
            if (data := self._intact(sidecar, record, rows)) is None:
                remove_checkpoint(sidecar)
                continue
            try:
                loaded = load(data)
            except Exception as problem:
                if out_of_memory(problem):  # another attempt may have more, and finds all as it is now
                    raise
                self._unloadable.append(sidecar)  # and deleted when another one has been saved
                self._note(f"{sidecar}: cannot be loaded ({problem!r}); an older one is used if there is one")
                continue
            kept = {name: record["rows"][name]["bytes"] for name in rows}
            self.notes = [*record.get("notes", ()), *self.notes]  # older versions did not keep them
            self._mixed = record["mixed"] or are_mixed(record["fingerprint"], self._fingerprint)
            break
        else:
            if self._begun_again:
                self._note(self._begun_again)
        with_sidecar = {sidecar.with_suffix(".pt") for sidecar in self._folder.checkpoints()}
        for orphan in set(self._folder.path.glob("checkpoint-*.pt")) - with_sidecar:
            orphan.unlink(missing_ok=True)
        self._logs = {
            name: durable.RowLog(self._folder.path / name, content[: kept[name]])
            for name, content in rows.items()
        }
        return loaded

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
            print(sentence)

    def _intact(self, sidecar: Path, record: Mapping[str, Any], rows: Mapping[str, bytes]) -> bytes | None:
        """The bytes of a checkpoint, or None if the checkpoint is not usable (see `begin`)."""
        if record.get("format") != FORMAT or record["trial"] != self.trial.id:
            return None
        if not (self._allow_environment_change or may_continue(record["fingerprint"], self._fingerprint)):
            why = not_continued(record["fingerprint"], self._fingerprint)
            self._begun_again = self._begun_again or f"{self.trial.name} {why}"
            return None
        if not all(durable.fits(record["rows"][name], content) for name, content in rows.items()):
            return None
        try:
            data = durable.read_bytes(sidecar.with_suffix(".pt"))
        except (FileNotFoundError, durable.NotAFile):
            return None
        return data if hashlib.sha256(data).hexdigest() == record["sha256"] else None

    def metric(self, row: Mapping[str, Any]) -> None:
        """Append one row to the metrics."""
        self._logs[self._folder.metrics.name].append([row])

    def probe(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append the rows that one probe measured at one step, all in one write."""
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
        """Tell the supervisor how far the trial is. Most calls write nothing (see PROGRESS_EVERY)."""
        now = time.monotonic()
        if now - self._last_progress < PROGRESS_EVERY and step < steps:
            return
        self._last_progress = now
        self._beat += 1
        row: dict[str, Any] = {"attempt": self.number, "beat": self._beat, "epoch": epoch, "epochs": epochs}
        row |= {"step": step, "steps": steps, "error": error, "loss": loss, **self._place}
        durable.write_document(self._folder.progress, row, durable=False)

    def save_checkpoint(self, data: bytes | memoryview, step: int) -> None:
        """Save `data` as the state after `step` steps. Raises StaleAttempt.

        The two newest checkpoints are kept. If neither of them was fsynced, the newest fsynced checkpoint is
        kept, too. All others are deleted.
        """
        self._check_current()
        sync = time.monotonic() - self._last_durable >= DURABLE_EVERY
        if sync:
            self._sync_rows()
        sidecar = self._folder.checkpoint(step, self.number, self._restart)
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
                "notes": self.notes,
            },
            durable=sync,
        )
        if sync:
            self._last_durable = time.monotonic()
        while self._unloadable:
            remove_checkpoint(self._unloadable.pop())
        self._prune()

    def commit(self, result: Mapping[str, Any]) -> None:
        """Fsync rows and last checkpoint, write `result`, delete older checkpoints. Raises StaleAttempt."""
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
                "run": self.run,
                "fingerprint": self._fingerprint,
                "mixed": self._mixed,
                "rows": self._extents(),
            },
        )
        for sidecar in sidecars[:-1]:
            remove_checkpoint(sidecar)
        for log in self._logs.values():
            log.close()

    def fail(self, kind: str, cause: str) -> None:
        """Record why this attempt ended without a result (see `failure`). Raises StaleAttempt."""
        self._check_current()
        write_failure(self._folder, self.number, kind, cause)

    def _check_current(self) -> None:
        check_current(self._folder, self.number, self._restart, self._token)

    def _sync_rows(self) -> None:
        for log in self._logs.values():
            log.sync()

    def _extents(self) -> dict[str, dict[str, int]]:
        return {name: log.extent() for name, log in self._logs.items()}

    def _prune(self) -> None:
        """Delete the checkpoints that `save_checkpoint` does not keep."""
        older = self._folder.checkpoints()[:-2]
        if older and not any(read_or_empty(path).get("durable") for path in self._folder.checkpoints()[-2:]):
            older = [path for path in older if not read_or_empty(path).get("durable")]
        for sidecar in older:
            remove_checkpoint(sidecar)
