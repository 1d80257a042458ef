"""A wheel, built from what the Dockerfile copies and unpacked elsewhere, works without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def copied(dockerfile: str) -> list[tuple[list[str], str]]:
    """The files of each COPY of a Dockerfile, and where they go."""
    lines = (line.split() for line in dockerfile.splitlines() if line.startswith("COPY "))
    return [(names, target) for _, *names, target in lines]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package of a wheel that was built from the files that the Dockerfile copies."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for sources, target in copied((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        for name in sources:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, copy / target)
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


def test_the_wheel_of_an_image_has_everything_that_the_project_file_names(unpacked: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["resexp"]
    names = [path.relative_to(ROOT) for pattern in patterns for path in (ROOT / "resexp").glob(pattern)]
    modules = [path.relative_to(ROOT) for path in (ROOT / "resexp").rglob("*.py")]
    assert len(names) > 40
    assert not [name for name in (*names, *modules) if not (unpacked / name).is_file()]
    (about,) = unpacked.glob("resexp-*.dist-info")
    assert (about / "licenses/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / project["project"]["readme"]).read_text("utf-8") in (about / "METADATA").read_text("utf-8")


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
