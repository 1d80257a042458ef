from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared_data import SHARED

from resexp.config.settings import DataConfig, models


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, so that no test sees or changes the user's."""
    folder = tmp_path / "data folder"
    monkeypatch.setenv("RESEXP_DATA", str(folder))
    return folder


@pytest.fixture
def configure() -> Callable[..., DataConfig]:
    def make(kind: str, **fields: Any) -> DataConfig:
        return models("data")[kind](kind=kind, **fields)  # type: ignore[return-value]

    return make


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[[str, str], Path]:
    def extract(archive: str, prefix: str) -> Path:
        if not (SHARED / archive).is_file():
            pytest.skip(f"needs the real data in {SHARED.parent.name}/{SHARED.name}/{archive}")
        with tarfile.open(SHARED / archive) as tar:
            wanted = [m for m in tar if m.name.startswith(prefix)]
            tar.extractall(tmp_path, wanted, filter="data")
        return tmp_path / prefix

    return extract
