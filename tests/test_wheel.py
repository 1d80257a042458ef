"""The wheel, unpacked into an empty folder: what it carries works without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package of a wheel that was built from a copy of the sources."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "resexp", copy / "resexp", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    return built / "site"


def resexp(unpacked: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(unpacked), "RESEXP_DATA": str(folder / "data")}
    code = "import resexp, sys; assert sys.argv[1] in resexp.__file__; del sys.argv[1]; "
    code += "from resexp.cli.app import main; main()"
    command = [sys.executable, "-c", code, str(unpacked), *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_demonstration_and_the_papers_are_in_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    part = ["model.depth=8", "seed=0", "training.epochs=1", "data.train_size=100"]
    ran = resexp(unpacked, tmp_path, "run", "depth_sweep", *part, "--jobs", "1")
    assert ran.returncode == 0, ran.stderr
    reported = resexp(unpacked, tmp_path, "report")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "results/depth_sweep/report/report.html").is_file()
    shown = resexp(unpacked, tmp_path, "gallery", "show", "he2015_depth")
    assert shown.stdout == (ROOT / "resexp/papers/he2015_depth.yaml").read_text("utf-8")
    listed = resexp(unpacked, tmp_path, "gallery")
    assert "he2016_shortcuts" in listed.stdout, listed.stderr
