"""The names of the modules that a worker process imports: the trainer, and those loaded before any trial.

This module is light, so that a command can name the modules of training without loading PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable

TRAINER = "resexp.training.trial:train"
PRELOAD = "resexp.training.preload"

LEARNERS = {"Trunk": "resexp.training.run:Run", "Booster": "resexp.training.boosting.run:BoostingRun"}
"""The class that trains a model, by the model's base class. It is a `learner.Learner`, and its constructor
takes settings, data and device.
"""


def preloaded(bases: Iterable[str]) -> list[str]:
    """The modules to load before trials of models with these base classes.

    PRELOAD loads what networks need. Boosters also need scikit-learn, for which networks must not wait.
    """
    return [PRELOAD, *sorted({LEARNERS[base].partition(":")[0] for base in bases if base != "Trunk"})]
