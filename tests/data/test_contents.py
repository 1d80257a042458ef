"""Data are known by what is in their files, which is hashed once."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from resexp.config.settings import DataConfig
from resexp.data import contents
from resexp.data.cache import facts_of
from resexp.data.contents import Contents

NAMES = ("a/0", "a/1", "b/0")
OLD = 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
    return tmp_path / "set"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read to be hashed. Their times are believed at once."""
    names: list[str] = []
    one = contents._one

    def counted(path: str, known: tuple[str, bytes] | None, stopped: threading.Event) -> contents.FileHash:
        found = one(path, known, stopped)
        names.extend([Path(path).name] * (found.changed is not None))
        return found

    monkeypatch.setattr(contents, "SETTLED", -1e9)
    monkeypatch.setattr(contents, "_one", counted)
    return names


def test_a_file_is_read_once_until_something_of_it_changes(folder: Path, read: list[str]) -> None:
    first = Contents().of(folder, NAMES)
    assert len(read) == 3
    assert Contents().of(folder, NAMES) == first
    assert len(read) == 3
    os.utime(folder / "a/0", (OLD, OLD))
    assert Contents().of(folder, NAMES) == first, "another time is no other content"
    assert len(read) == 4


def test_copies_are_the_same_and_names_and_order_matter(folder: Path, tmp_path: Path) -> None:
    first = Contents().of(folder, NAMES)
    shutil.copytree(folder, tmp_path / "copy")
    assert Contents().of(tmp_path / "copy", NAMES) == first
    assert Contents().of(folder, NAMES[::-1]) != first
    (folder / "a/0").rename(folder / "a/2")
    assert Contents().of(folder, ("a/2", *NAMES[1:])) != first


@pytest.mark.parametrize("way", ["in place", "put in its place"])
def test_other_bytes_of_the_same_size_and_time_are_noticed(way: str, folder: Path, read: list[str]) -> None:
    os.utime(folder / "a/0", (OLD, OLD))
    first = Contents().of(folder, NAMES)
    target = folder / "a/0" if way == "in place" else folder / "new"
    target.write_bytes(b"x/0" * 100)
    os.utime(target, (OLD, OLD))
    target.replace(folder / "a/0")
    assert Contents().of(folder, NAMES) != first


def test_a_file_that_has_just_changed_is_not_believed(folder: Path) -> None:
    Contents().of(folder, NAMES)
    memory = contents.Memory()
    assert memory.recall(folder, NAMES) == {}
    memory.close()


def test_what_is_interrupted_goes_on(folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BATCH", 1)
    monkeypatch.setattr(contents, "AHEAD", 0)

    def stop(*event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Contents(stop).of(folder, NAMES)
    assert read == ["0"]
    told: list[tuple[str, int, int]] = []
    Contents(lambda *event: told.append(event)).of(folder, NAMES)
    assert len(read) == 3
    assert told[-1] == (f"hashing the files of {folder}", 3, 3)


def test_no_file_there_is_a_pipe_and_nothing_waits(folder: Path) -> None:
    first = Contents().of(folder, NAMES)
    (folder / "a/0").unlink()
    os.mkfifo(folder / "a/0")
    with_pipe = Contents().of(folder, NAMES)
    (folder / "a/0").unlink()
    assert Contents().of(folder, NAMES) == with_pipe != first


@pytest.mark.parametrize("damage", [b"", b"no data base at all" * 100])
def test_a_memory_that_is_damaged_or_cannot_be_kept_costs_time_only(
    damage: bytes, folder: Path, data_folder: Path, read: list[str]
) -> None:
    first = Contents().of(folder, NAMES)
    (data_folder / "contents.sqlite").write_bytes(damage)
    assert [Contents().of(folder, NAMES) for _ in range(2)] == [first] * 2
    assert len(read) == 6
    shutil.rmtree(data_folder)
    data_folder.write_text("a file in its place")
    assert Contents().of(folder, NAMES) == first


def test_a_folder_of_images_is_known_by_its_content(
    tmp_path: Path, configure: Callable[..., DataConfig]
) -> None:
    from PIL import Image

    for name in ("a/0", "a/1", "b/0", "b/1"):
        path = tmp_path / "set" / f"{name}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (200, 0, 0)).save(path)
        os.utime(path, (OLD, OLD))

    def seen(folder: str) -> str:
        root = str(tmp_path / folder)
        return facts_of(configure("image_folder", root=root, test_fraction=0.5)).fingerprint

    first = seen("set")
    shutil.copytree(tmp_path / "set", tmp_path / "copy", copy_function=shutil.copyfile)
    assert seen("copy") == first
    Image.new("RGB", (4, 4), (0, 200, 0)).save(tmp_path / "set/a/0.bmp")
    os.utime(tmp_path / "set/a/0.bmp", (OLD, OLD))
    assert seen("set") != first
