"""Every hostile plugin is used or refused in a sentence: no other error, no status 0 with nothing done."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import hostile
import pytest
from tally import Record

from resexp import api
from resexp.data import cache
from resexp.errors import ConfigError, DataError

CONFIG = """\
name: hostile
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4, connection: hostile}
training: {epochs: 1, batch_size: 32}
"""
OF_DATA = """\
name: hostile
data: hostile
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 1, batch_size: 32}
"""
ALL = [*hostile.plugins(), *hostile.sources()]
GIGABYTE = 1 << 20
"""In the kilobytes that the system counts memory in."""


def place(folder: Path, source: bytes) -> list[str]:
    """Write a plugin and a configuration that names its part; their paths."""
    folder.mkdir()
    (folder / "hostile.py").write_bytes(source)
    (folder / "x.yaml").write_text(OF_DATA if b"(Source)" in source else CONFIG)
    return [str(folder / "x.yaml"), str(folder / "hostile.py")]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))


@pytest.mark.filterwarnings("ignore")  # torch has much to say of networks like these
def test_each_is_planned_or_refused_in_a_sentence(tmp_path: Path, record: Record) -> None:
    refused = 0
    for number, (what, source) in enumerate(ALL):
        config, plugin = place(tmp_path / str(number), source)
        try:
            experiment = api.load(config, plugins=[plugin])
            api.trials(experiment, "cpu")
            if b"(Source)" in source:
                cache.load(cache.prepare(experiment.points[0].settings.data))
        except (ConfigError, DataError):
            refused += 1
        except BaseException as error:
            raise AssertionError(f"{what}: {error!r}") from error
    assert refused >= 120, "most are no use"
    record("hostile plugins: none shows a traceback", len(ALL), 0)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(71))
def test_a_command_with_one_ends_soon_and_small(tmp_path: Path, record: Record, number: int) -> None:
    """Seventy-one of them, spread over all: `run` in a process of its own, with what it costs."""
    what, source = ALL[number * len(ALL) // 71]
    config, plugin = place(tmp_path / "it", source)
    command = [sys.executable, "-P", "-m", "resexp", "run", config, "--plugin", plugin, "--jobs", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, env=os.environ, text=True)
    _, errors = process.communicate(timeout=600)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_maxrss < GIGABYTE, what
    assert process.returncode in (0, 2, 3), (what, errors)
    assert "Traceback" not in errors, what
    record("hostile plugins: no run shows a traceback or takes 1 GB", 1, 0)
