"""The loop of a trial: steps, rows of metrics, probes and checkpoints."""

from __future__ import annotations

import io
import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from resexp.errors import Diverged
from resexp.machine.memory import peak_memory
from resexp.training.learner import Learner
from resexp.training.probing import probe_rows

if TYPE_CHECKING:
    from resexp.store.attempt import Attempt

SAVE_SECONDS = 30.0
"""A checkpoint is saved at the end of a step if the last one is more than this many seconds old."""

SAVE_SHARE = 0.02
"""An epoch ends with a checkpoint if saving one takes at most this share of the time since the last
checkpoint. Therefore some short epochs end without one.
"""


class TrainingLoop:
    """Trains the network of an attempt, and writes metrics, probes and checkpoints so that it can resume.

    If a checkpoint and probes are due after the same step, the checkpoint is saved first. A resumed run
    deletes the rows written after its checkpoint, so that each row exists once.
    """

    def __init__(self, run: Learner, attempt: Attempt, started: float) -> None:
        self.run = run
        self.attempt = attempt
        self.started = started
        self.earlier_seconds = 0.0
        self.earlier_peak = 0
        self.saved = started
        self.save_cost = 0.0
        self.row: dict[str, Any] = {}
        self.failed_probes: list[str] = []

    def advance(self) -> bool:
        """Train to the end, or until the attempt must stop. Returns whether everything is done, including the
        probes after the last step.
        """
        run, attempt = self.run, self.attempt
        while not attempt.stopping:
            attempt.probe(probe_rows(run, self.failed_probes, self.tell_progress))
            if run.step == run.total:
                return True
            run.train_step()
            if run.epoch_ended():
                self.row = run.close_epoch()
                attempt.metric({key: self.row[key] for key in self.row if key != "most_answered"})
            if self.save_due():
                self.save()
            self.tell_progress()
        self.save()
        return False

    def tell_progress(self) -> None:
        """Tell the supervisor that the trial is alive, and how far it is."""
        self.attempt.progress(
            epoch=self.run.epoch,
            epochs=self.run.epochs,
            step=self.run.step,
            steps=self.run.total,
            error=self.row.get("test_error"),
            loss=self.row.get("loss"),
        )

    def save_due(self) -> bool:
        """Whether to save now: if an epoch has ended and SAVE_SHARE allows a save, if the last save is
        more than SAVE_SECONDS ago, or if training has ended.
        """
        elapsed = time.monotonic() - self.saved
        affordable = elapsed >= self.save_cost / SAVE_SHARE
        ended = self.run.epoch_ended() and affordable
        return ended or elapsed > SAVE_SECONDS or self.run.step == self.run.total

    def save(self) -> None:
        start = time.monotonic()
        state = {"run": self.run.state(), "row": self.row, "seconds": self.seconds()}
        state |= {"peak_memory_bytes": self.peak_memory(), "failed_probes": self.failed_probes}
        saved = saved_bytes(state)
        self.attempt.save_checkpoint(saved, self.run.step)
        self.saved = time.monotonic()
        self.save_cost = self.saved - start

    def restored(self, data: bytes) -> TrainingLoop:
        """This loop, continued from a checkpoint's bytes.

        Raises Diverged if a loss in the last evaluation was not finite. Older versions went on training then
        and saved such checkpoints.
        """
        state = torch.load(io.BytesIO(data), map_location=self.run.device, weights_only=True)
        for name, loss in state["row"].items():
            if name.endswith("_loss") and loss is not None and not math.isfinite(loss):
                raise Diverged(f"the {name.replace('_', ' ')} was {loss}")
        self.run.restore(state["run"])
        self.row = state["row"]
        self.earlier_seconds = state["seconds"]
        self.earlier_peak = state.get("peak_memory_bytes") or 0  # older versions did not keep it
        self.failed_probes = list(state.get("failed_probes", ()))  # nor these
        return self

    def tell_failures(self) -> None:
        """Add to the attempt's notes which probes failed, because their numbers are missing."""
        name = self.attempt.trial.name
        self.attempt.notes.extend(f"{name}: {failure}" for failure in self.failed_probes)

    def unmeasured(self) -> list[str]:
        """The names of the probes that failed whenever they were due, so that they have measured nothing."""
        moments = Counter(config.name for config in self.run.settings.probes for _ in config.at)
        failed = Counter(failure.partition(" failed at ")[0] for failure in self.failed_probes)
        return [kind for kind, count in moments.items() if failed[kind] == count]

    def seconds(self) -> float:
        """Wall time of this trial, including evaluation and probes. What a killed attempt did after its last
        checkpoint does not count.
        """
        return self.earlier_seconds + time.monotonic() - self.started

    def peak_memory(self) -> int | None:
        """The most bytes that this attempt, or one that it continues, has held; None if that is not known."""
        own = peak_memory(self.run.device)
        return None if own is None else max(own, self.earlier_peak)

    def result(self, row: dict[str, Any]) -> dict[str, Any]:
        """The result, from the last row of metrics and the clocks. What was not measured is None."""
        run = self.run
        step_seconds = run.seconds / run.step if run.step else None
        return {
            **{
                f"{part}_{what}": row.get(f"{part}_{what}")
                for part in ("train", "validation", "test")
                for what in ("error", "loss")
            },
            "test_measures": row.get("test_measures"),
            "most_answered": row.get("most_answered", {}),
            **({"classifier": row["classifier"]} if "classifier" in row else {}),
            "seconds": self.seconds(),
            "step_seconds": step_seconds,
            "images_per_second": run.batch_size / step_seconds if step_seconds else None,
            "peak_memory_bytes": self.peak_memory(),
            "epochs": run.epoch,
            "steps": run.step,
        }


def saved_bytes(state: dict[str, Any]) -> memoryview:
    """A state as `torch.save` writes it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getbuffer()
