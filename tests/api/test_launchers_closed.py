"""A launcher that is connected to a cluster is closed if the run ends before its first trial."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from resexp import api
from resexp.config.load import Experiment
from resexp.errors import StoreError
from resexp.execution.local import Local


class Remote(Local):
    """Processes of this machine, as if they ran on others."""

    remote: ClassVar[bool] = True
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_run_that_cannot_be_written_closes_its_launcher(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("resexp.store.create", refuse)
    launcher = Remote(())
    with pytest.raises(StoreError, match="the disk is full"):
        api.run(experiment, results=tmp_path / "results", launcher=launcher, tell=lambda _: None)
    assert launcher.closed == 1
