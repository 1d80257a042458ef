"""Loaded by a server: takes longer than anybody waits, and says that it has begun."""

import os
import time
from pathlib import Path

Path(os.environ["LOADING"]).touch()
time.sleep(1000)
