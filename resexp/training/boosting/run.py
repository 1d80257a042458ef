"""Boosting as a training run, in which a round is both a step and an epoch."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import sklearn.svm  # noqa: F401 (otherwise the first round of each trial would import it)
import torch
from torch import Tensor, nn

from resexp.connections.base import Connection, Site
from resexp.tasks.base import Task
from resexp.training.boosting.rounds import Boosting, votes
from resexp.training.boosting.weights import RULES, Connect
from resexp.training.evaluation import evaluations

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.opening import Data
    from resexp.models.base import Booster


class Carried(nn.Module):
    """S w = b w: the shortcut of a round, where w are the weights of the rows and b is `beta`."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, w: Any) -> Any:
        return self.beta * w


class Votes(nn.Module):
    """Rows (B, features) -> logits (B, classes): twice the votes, because a vote is half of the log odds."""

    def __init__(self, boosting: Boosting) -> None:
        super().__init__()
        self.boosting = boosting

    def forward(self, x: Tensor) -> Tensor:
        scores = votes(self.boosting.done, x.double().cpu().numpy(), self.boosting.classes)
        return torch.from_numpy(2 * scores).to(x.device)


class BoostingRun:
    """The ensemble of a trial, and how far its training has come: a `training.learner.Learner`."""

    def __init__(self, settings: Settings, data: Data, device: torch.device) -> None:
        self.settings = settings
        self.data = data
        self.device = device
        self.task: Task = settings.task.build()
        self.total = self.epochs = settings.model.depth
        self.step = 0
        self.seconds = 0.0
        self.batch_size = len(data.train)
        booster: Booster = settings.model.build()
        x, y = (part.cpu().numpy() for part in data.train.batch(torch.arange(len(data.train))))
        self.boosting = Boosting(
            x.astype("float64"),
            y,
            len(data.facts.classes),
            self.total,
            booster.weak_learner,
            self._connection,
            booster.beta,
            RULES[booster.rule],
        )
        self.forward: nn.Module = Votes(self.boosting)

    def _connection(self, round: int, beta: float) -> Connect:
        """The connection by which the weights of all rows flow past a round (from 0)."""
        rows = self.batch_size
        site = Site(round, self.total, rows, rows, 1, lambda *_, **__: Carried(beta), nn.Linear)
        connection: Connection = self.settings.model.connection.build(site)
        return connection

    @property
    def epoch(self) -> int:
        return self.step

    def train_step(self) -> None:
        start = time.perf_counter()
        self.boosting.step()
        self.step += 1
        self.seconds += time.perf_counter() - start

    def chance(self) -> dict[str, float]:
        return self.data.facts.chance()

    def epoch_ended(self) -> bool:
        return True

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the round. There is no learning rate. `loss` is the loss of the evaluation on
        the training split.
        """
        found = evaluations(self)
        row = {"epoch": self.step, "step": self.step, "seconds": self.seconds, "lr": None}
        return {**row, "loss": found["train_loss"], "running_error": found["train_error"], **found}

    def autocast(self) -> nullcontext[None]:
        return nullcontext()

    def state(self) -> dict[str, Any]:
        """How far training has come. `restore` trains the earlier rounds again, since ten of them take less
        than a second.
        """
        return {"step": self.step, "seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        while self.step < state["step"]:
            self.train_step()
        self.seconds = state["seconds"]
