"""What a worker process imports, by name: how a trial is trained, and what is loaded before the first one.

This module is light, so that a command can name the modules of training without loading PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable

TRAINER = "resexp.training.trial:train"
PRELOAD = "resexp.training.preload"

LEARNERS = {"Trunk": "resexp.training.run", "Booster": "resexp.training.boosting.run"}
"""Base class of a model -> the module whose `Run(settings, data, device)` trains it, a `learner.Learner`."""


def preloaded(bases: Iterable[str]) -> list[str]:
    """What is loaded before trials of models with these base classes.

    PRELOAD loads what networks need. Boosters also need scikit-learn, and networks must not wait for that.
    """
    return [PRELOAD, *sorted({LEARNERS[base] for base in bases} - {LEARNERS["Trunk"]})]
