"""Where bfloat16 is emulated, `auto` does not take it, and the user is told: by files made up here, whatever
processor this is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resexp import api
from resexp.cli import doctor
from resexp.config.load import load
from resexp.machine import precision

NEW = "flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 amx_tile"
OLD = "flags\t\t: fpu sse2 avx2 bmi2"


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says what the processor can, with no variable that limits it."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "CPUINFO", file)
    for name in precision.LIMITS:
        monkeypatch.delenv(name, raising=False)
    return file


@pytest.mark.parametrize(
    ("flags", "limit", "auto"),
    [
        (NEW, None, "bfloat16"),
        (NEW, "", "bfloat16"),
        (NEW, "default", "bfloat16"),
        (NEW, "AVX512_CORE_AMX", "bfloat16"),
        (NEW, "AVX2", "float32"),
        (NEW, "avx512_core_vnni", "float32"),
        ("Features\t: fp asimd bf16", None, "bfloat16"),
        (OLD, None, "float32"),
        (OLD, "AVX512_CORE_BF16", "float32"),
        ("", None, "float32"),
    ],
)
def test_auto_is_bfloat16_only_where_it_is_arithmetic(
    flags: str, limit: str | None, auto: str, processor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.write_text(flags)
    if limit is not None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert precision.resolve_precision("auto", "cpu") == auto
    assert precision.resolve_precision("bfloat16", "cpu") == "bfloat16"
    assert bool(precision.emulation("cpu")) == (auto == "float32")


CONFIG = """\
name: exp
data: {kind: synthetic, size: 8, groups: 2, train: 32, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {iterations: 1, batch_size: 16, precision: bfloat16}
probes: []
"""


@pytest.mark.parametrize(
    ("flags", "asked", "told"), [(OLD, "bfloat16", 1), (NEW, "bfloat16", 0), (OLD, "float32", 0)]
)
def test_a_run_in_emulated_bfloat16_says_so(
    flags: str, asked: str, told: int, processor: Path, tmp_path: Path
) -> None:
    processor.write_text(flags)
    file = tmp_path / "exp.yaml"
    file.write_text(CONFIG)
    heard: list[str] = []
    experiment = load(file, [f"training.precision={asked}"])
    summary = api.run(experiment, device="cpu", results=tmp_path, tell=heard.append)
    assert summary.exit_status == 0
    assert sum("emulates bfloat16" in sentence for sentence in heard) == told


@pytest.mark.parametrize(("flags", "says"), [(OLD, "emulates bfloat16"), (NEW, "computed natively")])
def test_doctor_says_whether_bfloat16_is_emulated(
    flags: str, says: str, processor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.write_text(flags)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert says in doctor.render(doctor.examine(tmp_path))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_convolution_on_cuda_is_as_exact_as_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    x, weight = torch.randn(8, 64, 16, 16), torch.randn(64, 64, 3, 3)
    exact = torch.conv2d(x.double(), weight.double())
    precision.forbid_tf32()
    error = (torch.conv2d(x.cuda(), weight.cuda()).cpu().double() - exact).abs().max() / exact.abs().max()
    assert error < 1e-5  # rounded to TF32, it would be about 1e-3


@pytest.mark.parametrize(
    ("wanted", "own", "workspace"), [(True, None, ":4096:8"), (True, ":16:8", ":16:8"), (False, None, None)]
)
def test_deterministic_trials_give_cublas_a_workspace_of_fixed_size(
    wanted: bool, own: str | None, workspace: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {} if own is None else {"CUBLAS_WORKSPACE_CONFIG": own}
    monkeypatch.setattr(precision.os, "environ", environment)
    try:
        precision.use_deterministic(wanted)
        assert torch.are_deterministic_algorithms_enabled() is wanted
    finally:
        torch.use_deterministic_algorithms(False)
    assert environment.get("CUBLAS_WORKSPACE_CONFIG") == workspace
