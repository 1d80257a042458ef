"""What every launcher owes the supervisor, for those that start trials on this machine.

One in a new file of resexp/execution/ is tested without being named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stub
from launcher_contract import *  # noqa: F403 (the tests)
from launcher_contract import ended
from subprocesses import Subprocesses

from resexp import store
from resexp.catalog import scan
from resexp.execution.launcher import Job, Launcher
from resexp.plan.trial import Trial


def launchers() -> Iterator[type[Any]]:
    """Every launcher of the package that runs trials on this machine, and the simplest one there can be."""
    for kind in scan.parts("launcher"):
        found = scan.part_class(scan.parts("launcher")[kind])
        if not found.remote:
            yield found
    yield Subprocesses


@pytest.fixture(params=launchers(), ids=lambda each: each.__name__)
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    made: Launcher = request.param()
    yield made
    made.close()


def test_the_package_has_a_launcher() -> None:
    assert "Local" in {each.__name__ for each in launchers()}


def test_a_trainer_is_imported_with_the_number_of_threads_that_it_may_use(
    job: Callable[[Trial], Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its libraries start threads when they are imported, and a process that has some cannot be forked."""
    (tmp_path / "told_threads.py").write_text(
        "import os\nSEEN = os.environ.get('OMP_NUM_THREADS')\n"
        "def train(attempt): attempt.fail('error', f'told {SEEN}')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    launcher = Subprocesses()
    told = replace(job(stub.trial("t")), trainer="told_threads:train", threads=3)
    ended(launcher, launcher.start(told))
    assert "told 3" in store.TrialFolder(told.folder).failure.read_text()
