"""An experiment whose trials end with made-up errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from resexp import api, store
from resexp.config.load import Experiment
from resexp.execution.supervisor import SweepSummary
from resexp.plan.looks import Look
from resexp.plan.trial import Trial
from resexp.report.build import build

TEXT = """\
name: x
data: synthetic
model: {kind: resnet, depth: 8}
training: {epochs: 1}
sweep:
  model.connection: [plain]
  model.depth: [8, 14]
  seed: [0, 1, 2]
"""
Error = Callable[[Trial], float]


def trained(
    experiment: Experiment, results: Path, error: Error, look: Look | None = None, *, below: int = 10**9
) -> SweepSummary:
    """What a run would leave, with a training error for each trial whose seed is below `below`."""
    plan = api.trials(experiment, "cpu")
    arguments: Mapping[str, Any] = {"config_text": experiment.text, "trials": plan, "environment": {}}
    published = experiment.published.model_dump(mode="json")
    shown = look.to_json() if look else None
    with store.create(results, experiment.name, **arguments, look=shown, published=published) as opened:
        for trial in [trial for trial in opened.pending() if trial.seed < below]:
            attempt = store.Attempt(*opened.claim(trial))
            attempt.begin({})
            row = {"train_error": error(trial), "test_error": error(trial)}
            known = {"examples": {"train": 1000, "test": 1000}, "chance": {"train": 0.9, "test": 0.9}}
            attempt.commit({"status": "done", "cause": None, **row, **known})
    return SweepSummary({"done": len(plan)})


def opening(results: Path) -> str:
    """The first sentence of the report."""
    return build(api.results("x", results)).sentences[0].text


def noisy(gap: float) -> Error:
    """Errors around 10 %, deeper ones higher by `gap`, with an sd of 3 points."""

    def error(trial: Trial) -> float:
        noise = np.random.default_rng([0, trial.depth, trial.seed]).normal(0, 0.03)
        return 0.1 + gap * (trial.depth > 8) + float(noise)

    return error
