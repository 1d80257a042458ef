"""An experiment of two depths for tests of looks and registrations."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs_made_up import TEXT

from resexp import api
from resexp.config.load import Experiment


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    (tmp_path / "x.yaml").write_text(TEXT)
    return api.load(tmp_path / "x.yaml")
