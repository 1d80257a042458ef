"""What a worker process imports, by name: how a trial is trained, and what is loaded before the first one.

This module is light, so that a command can name the modules of training without loading PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable

TRAINER = "resexp.training.trial:train"
PRELOAD = "resexp.training.preload"

LEARNERS = {"Trunk": "resexp.training.run:Run", "Booster": "resexp.training.boosting.run:BoostingRun"}
"""Base class of a model -> the class that trains it: a `learner.Learner`, made of settings, data, device."""


def preloaded(bases: Iterable[str]) -> list[str]:
    """What is loaded before trials of models with these base classes.

    PRELOAD loads what networks need. Boosters also need scikit-learn, and networks must not wait for that.
    """
    return [PRELOAD, *sorted({LEARNERS[base].partition(":")[0] for base in bases if base != "Trunk"})]
