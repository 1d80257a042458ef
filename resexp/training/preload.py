"""Imported once by the process that trials are forked from: all that a trial would else load for itself.

So a trial starts in hundredths of a second, and a sweep ends with the code it began with, though a
file may be edited while it runs.
"""

from __future__ import annotations

import numpy.ma  # noqa: F401 (the first np.unique would import it)
import torch._dynamo  # the first optimiser would
import torch.utils.serialization.config  # noqa: F401 (the first torch.save would)

from resexp.catalog import scan
from resexp.config.settings import Settings
from resexp.training import run, trial  # noqa: F401 (run is what a network's trunk names as its learner)

Settings.model_rebuild(force=True)
for role in scan.ROLES:
    for kind in scan.parts(role):
        scan.load_part(role, kind)
