"""What all tests share."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("launcher_contract")

# PyTorch's threads turn idle loops while they wait for each other, and on the tests' small tensors they do
# little else. Threads that sleep instead compute the same numbers. OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Otherwise each of several hundred processes would compile the package's files again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def _no_data_folder_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees or changes the user's data folder; nor do workers, whose server keeps the environment that
    the first test to need it had.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESEXP_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def turn() -> Iterator[float]:
    """Processor seconds of a million turns of a plain loop, here and now: limits in it follow the machine.

    What earlier tests left in memory is kept from the garbage collector meanwhile: searching two gigabytes
    took ten times as long as what was measured.
    """
    gc.collect()
    gc.freeze()
    start = time.process_time()
    for _ in range(10_000_000):
        pass
    yield (time.process_time() - start) / 10
    gc.unfreeze()
