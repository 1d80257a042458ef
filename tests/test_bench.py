"""The benchmark measures what it says, and the shares that do not depend on the machine's mood are small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from resexp.bench.ceiling import _convolution, _product
from resexp.bench.peer import peer_images_per_second
from resexp.bench.render import sentences, view
from resexp.bench.step import fit_line, timed_step, warm_run
from resexp.bench.sweep import run_sweep, short
from resexp.bench.timing import Spread, Stopwatch, changed
from resexp.config import Settings, load
from resexp.errors import TrialError

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
SMALL = ("data.size=16", "data.train=512", "data.test=128", "training.batch_size=64", "model.depth=8")
"""A smaller network than the default on smaller images, so that a test takes seconds."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def found(place: Path) -> dict[str, Any]:
    """What the real program measures, coarsely."""
    command = [sys.executable, "-m", "resexp", "bench", *SMALL, "--quick", "--format", "json"]
    env = {**os.environ, "RESEXP_DATA": str(place / "data")}
    ended = subprocess.run(
        command, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert list(place.glob(".resexp-bench-*")) == []
    return json.loads(ended.stdout)


def test_every_key_is_there_and_by_precision(found: dict[str, Any]) -> None:
    for key in ("ceiling_gflops", "images_per_second", "sweep_images_per_second", "mfu"):
        assert set(found[key]) == {"float32", "bfloat16"}
        for spread in found[key].values():
            assert 0 < spread["low"] <= spread["median"] <= spread["high"]
            assert spread["n"] >= 1
    assert set(found["ratio_to_peer"]) == {"float32", "auto"}
    assert found["peer"]["images_per_second"]["median"] > 0
    assert found["trial_startup_seconds"]["median"] > 0
    assert 0 <= found["tail_idle_fraction"] < 1
    assert min(found["peak_memory_bytes"].values()) > 10**7
    assert 0 < found["cpu_share"] < 1.05
    assert found["scaling"]["depth"]["slope"] > 0
    assert found["scaling"]["trials"]["slope"] > 0
    assert found["machine"]["versions"]["torch"] == metadata.version("torch")


def test_the_breakdown_is_of_the_whole_trial(found: dict[str, Any]) -> None:
    shares = found["breakdown"]
    assert {"data", "forward", "backward", "optimiser", "probes", "evaluation", "checkpoint"} <= set(shares)
    assert sum(shares.values()) == pytest.approx(1)
    assert (found["probe_overhead"], found["durability_overhead"]) == (shares["probes"], shares["checkpoint"])


def test_what_is_not_arithmetic_stays_small(found: dict[str, Any]) -> None:
    """Shares, with generous margins: the targets are 3 % of a step, 2 % and 10 % of a trial."""
    for phases in found["phase_seconds"].values():
        assert phases["data"] < 0.15 * sum(phases.values())
        assert phases["forward"] + phases["backward"] > 0.7 * sum(phases.values())
    assert found["probe_overhead"] < 0.25  # of a trial thirty times shorter than the default one
    assert found["breakdown"]["evaluation"] < 0.25


def test_the_terminal_says_the_same(found: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(view(found))
        text = console.export_text()
    assert "share of the ceiling (MFU)" in text
    assert "DataLoader" in text
    assert f"{found['ratio_to_peer']['auto']['median']:.2f} times" in text


@pytest.mark.parametrize(("share", "warned"), [(0.5, True), (0.99, False), (None, False)])
def test_numbers_of_a_busy_machine_are_marked(
    share: float | None, warned: bool, found: dict[str, Any]
) -> None:
    words = " ".join(sentences({**found, "cpu_share": share}))
    assert ("Not to be trusted" in words) == warned


@pytest.fixture
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RESEXP_DATA", str(place / "data"))
    return load(ROOT / "configs/bench.yaml", SMALL).points[0].settings


def test_a_timed_step_is_the_training_step(settings: Settings) -> None:
    trained, timed = warm_run(settings, CPU), warm_run(settings, CPU)
    for _ in range(3):
        trained.train_step()
        timed_step(timed)
    assert timed.step == trained.step
    for p, q in zip(timed.network.parameters(), trained.network.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_trial_that_fails_is_not_a_measurement(settings: Settings, tmp_path: Path) -> None:
    diverging = changed(short(settings, 2, 32), {"training.optimizer.lr": 1e30, "model.norm": "none"})
    with pytest.raises(TrialError, match="ended badly: the loss became"):
        run_sweep([diverging], ["cpu"], tmp_path)


PLUGIN = """\
from resexp.connections.base import Connection


class Halved(Connection):
    def __init__(self, site):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)

    def forward(self, h, f):
        return self.shortcut(h) + f(h) / 2
"""


@pytest.mark.usefixtures("settings")
def test_plugins_go_with_the_trials_and_with_the_loop(tmp_path: Path) -> None:
    (tmp_path / "halved.py").write_text(PLUGIN)
    options = [*SMALL, "model.connection=halved"]
    own = load(ROOT / "configs/bench.yaml", options, plugins=[tmp_path / "halved.py"]).points[0].settings
    ended = run_sweep([short(own, 2, 32)], ["cpu"], tmp_path)
    assert len(ended.images_per_second) == 1
    assert peer_images_per_second(own, 0, 1, "cpu") > 0


def test_laps_add_up() -> None:
    watch, begin = Stopwatch(CPU), time.perf_counter()
    for name in ("a", "b", "a"):
        time.sleep(0.01)
        watch.lap(name)
    assert watch.laps["a"] >= 0.02
    assert watch.laps["b"] >= 0.01
    assert sum(watch.laps.values()) <= time.perf_counter() - begin


def test_a_line_needs_three_points() -> None:
    assert fit_line([8, 20], [1.0, 2.0]) is None
    line = fit_line([8, 20, 32], [1.0, 2.0, 3.0])
    assert line is not None
    assert (line.slope, line.intercept, line.r2) == pytest.approx((1 / 12, 1 / 3, 1.0))
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)


def test_both_ways_to_the_ceiling_are_one_product() -> None:
    a, b = torch.randn(64, 64), torch.randn(64, 64)
    product, convolution = _product(a, b.T)(), _convolution(a, b)()
    assert isinstance(product, torch.Tensor)
    assert isinstance(convolution, torch.Tensor)
    torch.testing.assert_close(convolution.permute(0, 2, 3, 1).reshape(64, 64), product)
