"""Every hostile plugin is used or refused in a sentence: no other error, no status 0 with nothing done."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import hostile
import pytest
from processes import Marked, wait_until
from tally import Record

from resexp import api, store
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
SWEPT = CONFIG.replace(", connection: hostile", "") + "sweep: {model.connection: [hostile, residual]}\n"
SWEPT_DATA = OF_DATA.replace("data: hostile\n", "") + (
    "sweep: {data: [hostile, {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}]}\n"
)
ALL = [*hostile.plugins(), *hostile.sources()]
GIGABYTE = 1 << 20
"""In the kilobytes that the system counts memory in."""


def place(folder: Path, source: bytes, connection: str = CONFIG, data: str = OF_DATA) -> list[str]:
    """Write a plugin and a configuration that names its part; their paths."""
    folder.mkdir()
    (folder / "hostile.py").write_bytes(source)
    (folder / "x.yaml").write_text(data if b"(Source)" in source else connection)
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
                cache.load_prepared(cache.prepare(experiment.points[0].settings.data))
        except (ConfigError, DataError):
            refused += 1
        except BaseException as error:
            raise AssertionError(f"{what}: {error!r}") from error
    assert refused >= 120, "most are no use"
    record("hostile plugins: none shows a traceback", len(ALL), 0)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(71))
def test_a_sweep_with_one_ends_as_it_should(tmp_path: Path, record: Record, number: int) -> None:
    """Seventy-one of them, spread over all, each beside a sound part in a `run` with what it costs. It is
    refused before anything is written, or its trial has an end of its own and the other one is done.
    """
    what, source = ALL[number * len(ALL) // 71]
    config, plugin = place(tmp_path / "it", source, SWEPT, SWEPT_DATA)
    run = Marked(
        [sys.executable, "-P", "-m", "resexp", "run", config, "--plugin", plugin, "--jobs", "1"], cwd=tmp_path
    )
    status, errors = run.finish()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_maxrss < GIGABYTE, what
    assert "Traceback" not in errors, what
    assert wait_until(lambda: not run.alive(), 5), what
    if status == 2:
        assert errors.strip(), what
        assert not (tmp_path / "results").exists(), what
    else:
        trials = store.read(tmp_path / "results/hostile").trials
        hostile = trials.name.str.contains("hostile")
        assert list(trials.status[~hostile]) == ["done"], what
        (end,) = trials.status[hostile]
        assert (status, end) in ((0, "done"), (3, "failed"), (3, "diverged")), what
        assert status == 0 or all(trials.cause[hostile]), what
    record("hostile plugins: no run shows a traceback or takes 1 GB", 1, 0)
