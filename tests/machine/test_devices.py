"""The choice of a device, with accelerators made up here: no test of this file needs one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from resexp import api
from resexp.bench.measure import measure
from resexp.cli import doctor
from resexp.config.load import load
from resexp.config.settings import Settings
from resexp.data.examples import placed
from resexp.errors import ConfigError
from resexp.machine import clock, devices, memory, precision
from resexp.training import probing
from resexp.training.evaluation import evaluate
from resexp.training.run import Run

CONFIG = """\
name: exp
data: {kind: synthetic, size: 8, groups: 2, train: 32, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {iterations: 1, batch_size: 16}
probes: []
"""

Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Have:
    """Makes PyTorch report accelerators: their kind (None: it was built for none), and how many there are."""

    def pretend(kind: str | None, count: int, capability: tuple[int, int] = (9, 0)) -> None:
        found = None if kind is None else SimpleNamespace(type=kind)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: found)
        monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(devices, "surely_no_gpu", lambda: False)
        names = {} if kind == "mps" else {"get_device_name": lambda device: f"the {device}"}
        monkeypatch.setattr(torch, "get_device_module", lambda kind: SimpleNamespace(**names))

    return pretend


@pytest.fixture
def experiment(tmp_path: Path) -> Callable[..., object]:
    file = tmp_path / "exp.yaml"
    file.write_text(CONFIG)
    return lambda *overrides: load(file, overrides)


@pytest.mark.parametrize(
    ("there", "asked", "jobs", "slots"),
    [
        ((None, 0), "auto", 2, ["cpu", "cpu"]),
        (("cuda", 0), "auto", 1, ["cpu"]),
        (("cuda", 2), "auto", None, ["cuda:0", "cuda:1"]),
        (("cuda", 2), "cuda", 3, ["cuda:0", "cuda:1", "cuda:0"]),
        (("cuda", 2), "cuda:1", 2, ["cuda:1", "cuda:1"]),
        (("cuda", 2), "cpu", 1, ["cpu"]),
        (("mps", 1), "auto", 1, ["cpu"]),
        (("mps", 1), "mps", None, ["mps:0"]),
        (("xpu", 2), "xpu", None, ["xpu:0", "xpu:1"]),
        (("xpu", 2), "auto", 1, ["cpu"]),
        (("another", 1), "another:0", None, ["another:0"]),
    ],
)
def test_the_devices_of_trials(
    there: tuple[str | None, int], asked: str, jobs: int | None, slots: list[str], have: Have
) -> None:
    have(*there)
    assert devices.device_slots(asked, 1, jobs) == slots


@pytest.mark.parametrize(
    ("kind", "count", "asked", "known"),
    [
        (None, 0, "cuda", "give one of auto, cpu"),
        ("cuda", 0, "cuda", "give one of auto, cpu"),
        ("cuda", 1, "mps", "give one of auto, cpu, cuda, cuda:0"),
        ("mps", 1, "mps:1", "give one of auto, cpu, mps, mps:0"),
        ("xpu", 2, "cuda:0", "give one of auto, cpu, xpu, xpu:0, xpu:1"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    kind: str | None, count: int, asked: str, known: str, have: Have
) -> None:
    have(kind, count)
    with pytest.raises(ConfigError) as refused:
        devices.device_slots(asked)
    assert str(refused.value) == f"command line: --device: there is no device {asked!r} here; {known}"


@pytest.mark.parametrize(
    ("device", "setting", "says"),
    [
        ("mps:0", "precision=bfloat16", "precision: bfloat16 is for CPUs and CUDA only"),
        ("mps:0", "deterministic=true", "deterministic: deterministic algorithms are for CPUs and CUDA only"),
        ("xpu:0", "processes=2", "processes: several processes train on CPUs only"),
        ("cuda:0", "processes=2", "processes: several processes train on CPUs only"),
    ],
)
def test_what_a_device_does_not_have_is_refused_in_one_sentence(
    device: str, setting: str, says: str, have: Have, experiment: Callable[..., object]
) -> None:
    kind = device.partition(":")[0]
    have(kind, 1)
    with pytest.raises(ConfigError) as refused:
        api.trials(experiment(f"training.{setting}"), device=kind)
    assert str(refused.value).startswith(
        f"command line: training.{says}, and this trial would run on {device}; give "
    )
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("setting", ["precision=bfloat16", "deterministic=true", "precision=float32"])
def test_a_trial_has_the_same_id_on_every_device_that_can_train_it(
    setting: str, have: Have, experiment: Callable[..., object]
) -> None:
    (cpu,) = api.trials(experiment(f"training.{setting}"), device="cpu")
    kinds = ["cuda", "mps", "xpu"] if setting == "precision=float32" else ["cuda"]
    for kind in kinds:
        have(kind, 1)
        assert [trial.id for trial in api.trials(experiment(f"training.{setting}"), device=kind)] == [cpu.id]


@pytest.mark.parametrize(
    ("device", "capability", "auto"),
    [
        ("cuda:0", (9, 0), "bfloat16"),
        ("cuda:0", (7, 5), "float32"),
        ("mps:0", (9, 0), "float32"),
        ("xpu:0", (9, 0), "float32"),
    ],
)
def test_auto_is_bfloat16_only_where_it_is_known_to_be_fast(
    device: str, capability: tuple[int, int], auto: str, have: Have
) -> None:
    have(device.partition(":")[0], 1, capability)
    assert precision.resolve_precision("auto", device) == auto


def test_memory_that_pytorch_does_not_know_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(device: torch.device) -> tuple[int, int]:
        raise RuntimeError("Allocator for mps is not a DeviceAllocator.")

    for name in ("get_memory_info", "max_memory_allocated"):
        monkeypatch.setattr(torch.accelerator, name, unknown)
    mps = torch.device("mps:0")
    assert (memory.free_memory(mps), memory.peak_memory(mps)) == (None, None)
    monkeypatch.setattr(torch.accelerator, "max_memory_allocated", lambda device: 0)
    assert memory.peak_memory(mps) is None
    monkeypatch.setattr(torch.accelerator, "max_memory_allocated", lambda device: 5)
    assert memory.peak_memory(torch.device("xpu:1")) == 5


def test_time_is_taken_when_the_accelerator_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    clock.synchronise(torch.device("cpu"))
    assert waited == []
    clock.Stopwatch(torch.device("xpu:1")).lap("step")
    assert waited == [torch.device("xpu:1")] * 2


class NoFloat64(TorchDispatchMode):
    """Refuses every operation whose result is in float64, as Apple's GPUs do."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, list | tuple) else [out]:
            if isinstance(each, torch.Tensor) and each.dtype == torch.float64:
                raise TypeError("there is no float64 on this device")
        return out


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_training_and_evaluation_need_no_float64(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU stands for the device here."""
    from resexp.data.opening import open_data
    from resexp.training import evaluation, run

    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    for module in (run, evaluation):
        monkeypatch.setattr(module, "widest", lambda device: precision.widest(torch.device("mps")))
    kinds = {
        "classification": {"data": {"kind": "synthetic", "train": 32, "test": 16}},
        "segmentation": {
            "data": {"kind": "digit_scenes", "train": 32, "test": 16},
            "task": {"kind": "segmentation"},
        },
    }
    model = {
        "kind": "unet" if task == "segmentation" else "resnet",
        "depth": 14 if task == "segmentation" else 8,
        "width": 4,
    }
    training = {"iterations": 2, "batch_size": 16}
    settings = Settings.model_validate({**kinds[task], "model": model, "training": training})
    data = open_data(settings.data, "cpu")
    started = Run(settings, data, torch.device("cpu"))
    with NoFloat64():
        started.train_step()
        row = started.end_epoch()
        score = evaluate(started, data.test)
    assert started.sums.dtype == torch.float32
    assert row["loss"] > 0
    assert score.loss is not None
    with pytest.raises(TypeError, match="no float64"), NoFloat64():
        torch.zeros(1).double()


def test_probes_measure_on_the_cpu_where_the_device_has_no_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[torch.device] = []
    monkeypatch.setattr(probing, "take_snapshot", lambda run, size, place, *rest: places.append(place) or run)
    nothing = SimpleNamespace(of_a_step=False, measure=lambda snapshot: [])
    info = SimpleNamespace(plugin=None)
    config = SimpleNamespace(info=info, build=lambda: nothing, batch_size=8, of="model")
    assert list(probing.measured(SimpleNamespace(device=torch.device("mps:0")), config, 1.0)) == []  # type: ignore[arg-type]
    assert places == [torch.device("cpu")]


@pytest.mark.parametrize("free", [None, 10, 10**9])
def test_data_move_to_an_accelerator_only_if_they_are_known_to_fit(
    free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meta device stands for the accelerator."""
    import numpy as np

    images = np.zeros((6, 4, 4, 1), np.uint8)
    rows = {"train": np.arange(6), "test": np.arange(6)}
    labels = {"train": np.zeros(6, np.int64), "test": np.zeros(6, np.int64)}
    monkeypatch.setattr("resexp.data.examples.chosen_rows", lambda prepared, config: (labels, rows))
    monkeypatch.setattr("resexp.data.examples.free_memory", lambda device: free)
    prepared = SimpleNamespace(images={"train": images, "test": images})
    found = placed(prepared, None, torch.device("meta"))  # type: ignore[arg-type]
    assert found["train"][0].device.type == ("meta" if free == 10**9 else "cpu")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (None, "none: trials run on the CPU"),
        ("cuda", "cuda (the cuda:0): should work, but has never been tried."),
        (
            "xpu",
            "xpu (the xpu:0): should work, but has never been tried. Trials use it only with --device xpu.",
        ),
        ("mps", "should work, but has never been tried. Trials use it only with --device mps."),
    ],
)
def test_doctor_says_what_there_is_and_what_was_ever_tried(
    kind: str | None, says: str, have: Have, tmp_path: Path
) -> None:
    have(kind, int(kind is not None))
    text = doctor.render(doctor.examine(tmp_path))
    assert says in text
    assert "Linux: tested on CPUs" in text or "never tried" in text


def test_bench_refuses_devices_that_it_cannot_judge(have: Have, experiment: Callable[..., object]) -> None:
    have("mps", 1)
    with pytest.raises(
        ConfigError, match="benchmarks are for CPUs and CUDA only, and this would run on mps:0"
    ):
        measure(experiment(), "mps", True, print)  # type: ignore[arg-type]
