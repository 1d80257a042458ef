"""The benchmark measures what it says, and the shares that do not depend on the machine's mood are small."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from rich.console import Console
from whole_numbers import WIDTHS, cut

from resexp.bench import ceiling, measure, render, trial
from resexp.bench.ceiling import _convolution, _product
from resexp.bench.effort import QUICK
from resexp.bench.measure import EXAMPLES, bench
from resexp.bench.peer import peer_images_per_second
from resexp.bench.render import sentences, view
from resexp.bench.step import depths_to_fit, fit_line, timed_step
from resexp.bench.sweep import run_sweep, short_trial
from resexp.config.load import load
from resexp.config.parse import changed
from resexp.config.settings import Settings
from resexp.data.base import Form
from resexp.errors import ConfigError, TrialError
from resexp.machine.clock import Stopwatch, spread_of
from resexp.training.warm import warm_run

ROOT = Path(__file__).parents[2]
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
        command, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    assert list(place.glob(".resexp-bench-*")) == []
    return json.loads(ended.stdout)


def test_every_key_is_there_and_by_precision(found: dict[str, Any]) -> None:
    for key in ("ceiling_gflops", "images_per_second", "sweep_images_per_second", "mfu"):
        assert tuple(found[key]) == measure.precisions("cpu")
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


def printed(found: dict[str, Any]) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view(found))
    return console.export_text()


@pytest.mark.parametrize("auto", ["float32", "bfloat16"])
def test_the_terminal_says_the_same(auto: str, found: dict[str, Any]) -> None:
    """On a processor with bfloat16 arithmetic, where `precision: auto` is bfloat16, and on one without."""
    text = printed({**found, "trial": {**found["trial"], "auto": auto}})
    assert "share of the ceiling (MFU)" in text
    assert "DataLoader" in text
    assert "one trial, images/s" in text
    (row,) = (line for line in text.splitlines() if line.startswith("as fast as a DataLoader loop, times"))
    ratios = {auto: found["ratio_to_peer"]["auto"], "float32": found["ratio_to_peer"]["float32"]}
    shown = [f"{ratios[p]['median']:.2f}" if p in ratios else "–" for p in found["images_per_second"]]
    assert row.removeprefix("as fast as a DataLoader loop, times").split() == shown


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_have_their_numbers_whole(width: int, found: dict[str, Any]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    console.print(render.rates(found), render.spending(found))
    numbers = [render.spread(each, ".2f") for each in found["mfu"].values()]
    numbers += [render.spread(each, ".0f") for each in found["sweep_images_per_second"].values()]
    assert not cut([*numbers, *(f"{share:.1%}" for share in found["breakdown"].values())], out.getvalue())


def test_emulated_bfloat16_is_not_measured_and_the_terminal_says_so(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for native in (True, False):
        monkeypatch.setattr(measure, "multiplies_bfloat16", lambda _, native=native: native)
        assert measure.precisions("cpu") == (("float32", "bfloat16") if native else ("float32",))
    keys = ("ceiling_gflops", "images_per_second", "sweep_images_per_second", "mfu", "peak_memory_bytes")
    alone = {key: {"float32": found[key]["float32"]} for key in keys}
    text = printed({**found, **alone, "trial": {**found["trial"], "auto": "float32"}})
    assert "bfloat16 was not measured" in text


@pytest.mark.parametrize(("share", "warned"), [(0.5, True), (0.99, False), (None, False)])
def test_numbers_of_a_busy_machine_are_marked(
    share: float | None, warned: bool, found: dict[str, Any]
) -> None:
    words = " ".join(sentences({**found, "cpu_share": share}))
    assert ("Do not trust these numbers" in words) == warned


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


def test_pieces_count_as_often_as_a_trial_has_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_second(action: Callable[[], object], device: torch.device) -> float:
        action()
        return 1.0

    monkeypatch.setattr(trial, "seconds_of", one_second)
    counted = {"training.epochs": 30, "training.test_every": 2, "data.validation_size": 64}
    run = warm_run(changed(settings, counted), CPU)
    assert trial.probe_seconds(run) == 3 * 5
    assert trial.evaluation_seconds(run) == 15 + 15 + 3, (
        "validation and test every 2nd epoch, train every 10th"
    )


def test_a_trial_that_fails_is_not_a_measurement(settings: Settings, tmp_path: Path) -> None:
    diverging = changed(short_trial(settings, 2, 32), {"training.optimizer.lr": 1e30, "model.norm": "none"})
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
    ended = run_sweep([short_trial(own, 2, 32)], ["cpu"], tmp_path)
    assert len(ended.images_per_second) == 1
    assert peer_images_per_second(own, 0, 1, "cpu") > 0


TRANSFORMER = "{kind: transformer, depth: 2, width: 16, heads: 2, order: pre, norm: layer, init: xavier}"
AUTOENCODER = TRANSFORMER.replace("transformer", "masked_autoencoder").replace("16", "16, decoder_width: 16")
TASKS = {
    "language": [
        "data={kind: python_topics, context: 16, train_size: 40, test_size: 10}",
        f"model={TRANSFORMER}",
    ],
    "segmentation": [
        "data={kind: digit_scenes, train: 40, test: 10}",
        "model={kind: unet, depth: 14, width: 4}",
    ],
    "masked_autoencoding": ["data={kind: synthetic, size: 8, train: 40, test: 10}", f"model={AUTOENCODER}"],
}


# In a process of its own, whose workers are forked from a server that has what they need. One trial at a time
# takes half as many trials. How several do, and growing numbers of trials, are measured above, and so is the
# ceiling with products that take long enough to be timed well.
BENCH = """\
import json, sys
from resexp.bench import ceiling, measure, sweep
from resexp.bench.effort import Effort
from resexp.bench.measure import bench
if __name__ == "__main__":
    measure.device_slots = lambda device: ["cpu"]
    measure.QUICK = Effort(rounds=1, steps=4, depths=3, reach=2.0, batch=4)
    ceiling.WORK["cpu"] = 1e8
    sweep.growing = lambda *_: ([], [])
    asked = json.loads(sys.argv[1])
    print(json.dumps({task: bench(None, own, "cpu", True) for task, own in asked.items()}, allow_nan=False))
"""


@pytest.fixture(scope="module")
def by_task(place: Path) -> dict[str, Any]:
    common = ["training.batch_size=64", "training.epochs=2", "probes=[gradient_norms]"]
    asked = {task: [*own, f"task={task}", *common] for task, own in TASKS.items()}
    command = [sys.executable, "-c", BENCH, json.dumps(asked)]
    env = {**os.environ, "RESEXP_DATA": str(place / "data")}
    done = subprocess.run(command, cwd=place, env=env, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_measured_in_its_own_examples(task: str, by_task: dict[str, Any]) -> None:
    found = by_task[task]
    assert found["trial"]["batch_size"] == 40, "no batch is larger than the training set"
    for rates in (found["images_per_second"], found["sweep_images_per_second"], found["mfu"]):
        assert min(spread["median"] for spread in rates.values()) > 0
    assert found["probe_overhead"] > 0
    assert found["trial_startup_seconds"]["median"] > 0
    assert (found["peer"], found["ratio_to_peer"]) == (None, None)
    text = printed(found)
    examples = "windows" if task == "language" else "images"
    assert f"one trial, {examples}/s" in text
    assert f"–: the DataLoader loop needs images with labels, but this trial is {task} on {examples}." in text
    assert re.search(r"as fast as a DataLoader loop, times( +–){1,2}\n", text)


@pytest.mark.usefixtures("settings")
def test_what_cannot_be_trained_is_told_before_anything_is_measured() -> None:
    with pytest.raises(ConfigError, match=r"model\.kind: svbm has no network.*; give one of .*, vit"):
        bench(str(ROOT / "resexp/papers/svbm.yaml"), [], "cpu", quick=True)
    with pytest.raises(ConfigError, match="language learns from tokens, but synthetic has labels"):
        bench(None, ["task=language"], "cpu", quick=True)


def test_depths_are_those_of_the_trunk_up_to_a_bound_on_work(settings: Settings) -> None:
    assert depths_to_fit(settings, QUICK) == [8, 14, 20]
    assert depths_to_fit(changed(settings, {"model.depth": 20}), QUICK) == [8, 32, 62]
    deep = changed(settings, {"model": {"kind": "imagenet_resnet", "depth": 18}})
    assert depths_to_fit(deep, QUICK) == [18, 34, 50]


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
    assert spread_of([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0, "n": 3}


def test_both_ways_to_the_ceiling_are_one_product() -> None:
    a, b = torch.randn(64, 64), torch.randn(64, 64)
    product, convolution = _product(a, b.T)(), _convolution(a, b)()
    assert isinstance(product, torch.Tensor)
    assert isinstance(convolution, torch.Tensor)
    torch.testing.assert_close(convolution.permute(0, 2, 3, 1).reshape(64, 64), product)


def test_the_ceiling_is_the_fastest_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "seconds_of", lambda *_: 0.5)
    assert ceiling._gflops(_product, 256, "float32", CPU) == pytest.approx(
        ceiling.WORK["cpu"] / 0.5e9, rel=0.01
    )
    rates = {(_product, 512): 3.0, (_convolution, 256): 7.0}
    monkeypatch.setattr(ceiling, "_gflops", lambda way, size, *_: rates.get((way, size), 1.0))
    assert ceiling.ceiling_gflops("float32", CPU) == 7.0


def test_examples_of_every_form_have_a_name() -> None:
    assert set(EXAMPLES) == set(get_args(Form))
