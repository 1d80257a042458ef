"""Loads what trials need, once, in the process from which trials are forked.

A trial therefore starts in hundredths of a second. All trials of a sweep also run the same code, even if a
file is edited meanwhile.
"""

from __future__ import annotations

import numpy.ma  # noqa: F401 (the first np.unique would import it)
import torch._dynamo  # the first optimiser would import it
import torch.utils.serialization.config  # noqa: F401 (the first torch.save would import it)

from resexp.catalog import scan
from resexp.config.settings import Settings
from resexp.training import run  # noqa: F401 (it has the class that trains networks)
from resexp.training.trial import train  # noqa: F401 (what workers call: entry.TRAINER)

Settings.model_rebuild(force=True)
for role in scan.ROLES:
    for part in scan.parts(role).values():
        scan.part_class(part)
