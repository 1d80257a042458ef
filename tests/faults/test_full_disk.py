"""Full and read-only disks: a clear end, nothing corrupted, and the same command resumes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stub
from processes import Run, folders
from tally import Record

TRIALS: list[dict[str, Any]] = [
    {"name": f"t{n}", "seed": n, "steps": 20, "epoch": 5, "padding": 100_000} for n in range(2)
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("this user may not mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run that nothing disturbed."""
    place = tmp_path_factory.mktemp("whole")
    assert Run(place, TRIALS).finish()[0] == 0
    return place


def same_as_whole(results: Path, whole: Path) -> bool:
    pairs = zip(folders(results, TRIALS), folders(whole, TRIALS), strict=True)
    return all(stub.trace(one) == stub.trace(other) for one, other in pairs)


def test_a_full_disk(small_disk: Path, whole: Path, record: Record) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_800_000)
    status, told = Run(small_disk, TRIALS).finish()
    assert status in (3, 74), told
    assert "No space left on device" in told
    assert "Traceback" not in told
    ballast.unlink()
    assert Run(small_disk, TRIALS).finish()[0] == 0
    record("full disk: told, then resumed", 1, int(not same_as_whole(small_disk, whole)))


def test_a_read_only_disk(small_disk: Path, whole: Path, record: Record) -> None:
    remount = ["mount", "-o", "remount,ro", small_disk]
    subprocess.run(remount, check=True)
    status, told = Run(small_disk, TRIALS).finish()
    assert status == 74
    assert told.startswith(f"{small_disk}/exp: Read-only file system")
    assert len(told.splitlines()) == 1
    subprocess.run([*remount[:2], "remount,rw", small_disk], check=True)
    assert Run(small_disk, TRIALS).finish()[0] == 0
    record("read-only disk: told, then resumed", 1, int(not same_as_whole(small_disk, whole)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write(tmp_path: Path, record: Record) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o500)
    status, told = Run(place, TRIALS).finish()
    assert (status, len(told.splitlines())) == (74, 1)
    assert "Permission denied" in told
    record("folder without write permission: told", 1, 0)


@pytest.mark.parametrize("limit", [200, 1_000, 80_000])
def test_files_may_not_grow(limit: int, tmp_path: Path, whole: Path, record: Record) -> None:
    """A limit on the size of files strikes the plan, the rows or the checkpoints."""
    results = tmp_path / "cut"
    status, told = Run(results, TRIALS, LARGEST_FILE=str(limit)).finish()
    assert status in (3, 74), told
    assert "File too large" in told
    assert "Traceback" not in told
    assert Run(results, TRIALS).finish()[0] == 0
    record("file-size limits: told, then resumed", 1, int(not same_as_whole(results, whole)))
