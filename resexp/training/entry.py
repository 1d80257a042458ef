"""The names of the modules that a worker process imports: the trainer, and those loaded before any trial.

This module is light, so that a command can name the modules of training without loading PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resexp.config.settings import Settings

PRELOAD = "resexp.training.preload"
TRAINER = f"{PRELOAD}:train"
"""The function that trains a trial. A node of a cluster is told only this name. The name is in PRELOAD, so
that the node loads PRELOAD before its trials.
"""

LEARNERS = {
    "AdversarialTask": "resexp.training.adversarial.run:AdversarialRun",
    "PolicyGradient": "resexp.training.playing.run:PlayingRun",
    "Booster": "resexp.training.boosting.run:BoostingRun",
    "Trunk": "resexp.training.run:Run",
}
"""The class that trains, by the base class of the task. If that class has no entry, the base class of the
model decides. The class that trains is a `learner.Learner`, constructed from settings, data and device.
"""


def learner_name(settings: Settings) -> str:
    """The module and name of the class that trains with these settings."""
    return LEARNERS.get(settings.task.info.base) or LEARNERS[settings.model.info.base]


def preloaded(settings: Iterable[Settings]) -> list[str]:
    """The modules to load before trials with these settings.

    PRELOAD loads what every trial needs. The other modules are listed only for the trials that need them. For
    example, boosters load scikit-learn, and networks must not wait for it.
    """
    others = {name for each in settings if (name := learner_name(each)) != LEARNERS["Trunk"]}
    return [PRELOAD, *sorted(name.partition(":")[0] for name in others)]
