from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resexp.config.settings import DataConfig, models
from resexp.data import cache
from resexp.data.rows import RowWriter
from resexp.errors import DataError
from resexp.machine.host import machine_name


def test_prepared_twice_is_prepared_once(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = counted(monkeypatch)
    config = configure("synthetic")
    folder = cache.prepare(config)
    assert folder == cache.prepare(config) == cache.prepare(configure("synthetic", train_size=50, classes=2))
    assert len(builds) == 1
    assert cache.prepare(configure("synthetic", image_size=4)) != folder
    assert cache.prepare(configure("synthetic", seed=1)) != folder


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    builds: list[object] = []
    build = cache._build
    monkeypatch.setattr(cache, "_build", lambda *args: (builds.append(args), build(*args)))
    return builds


def flip(file: Path) -> None:
    """Change a byte in the middle and leave size and modification time as they are."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def inflate(file: Path) -> None:
    """Another mean in the description, which is JSON all the same."""
    found = json.loads(file.read_text())
    found["mean"] = [found["mean"][0] + 0.1]
    file.write_text(json.dumps(found, indent=1))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "cut": ("train_images.npy", lambda file: file.write_bytes(file.read_bytes()[:-1])),
    "gone": ("train_images.npy", Path.unlink),
    "another pixel": ("train_images.npy", flip),
    "another label": ("train_labels.npy", flip),
    "another test label": ("test_labels.npy", flip),
    "no JSON": ("meta.json", flip),
    "another mean": ("meta.json", inflate),
    "no description": ("meta.json", Path.unlink),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended(
    damage: str, configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("synthetic")
    checked = cache.prepare(config)
    before = cache.load_prepared(checked)
    images, labels = before.images["train"].copy(), before.labels["train"].copy()
    name, harm = DAMAGE[damage]
    harm(checked.folder / name)
    with pytest.raises(DataError, match="run again"):
        cache.load_prepared(checked)
    builds = counted(monkeypatch)
    told: list[str] = []
    again = cache.Survey(tell=told.append).prepare(config)
    assert again.folder == checked.folder
    assert len(builds) == 1
    assert [text.partition(";")[0] for text in told] == [
        f"{checked.folder} was damaged, or of an older version"
    ]
    after = cache.load_prepared(again)
    assert (after.images["train"] == images).all()
    assert (after.labels["train"] == labels).all()
    assert (after.mean, after.std) == (before.mean, before.std)
    kept = {path.name for path in checked.folder.parent.iterdir()}
    assert kept == {checked.folder.name, f"{checked.folder.name}.lock"}


def test_a_command_looks_at_each_set_once(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    survey, looked = cache.Survey(), list[str]()
    identified, checked = cache._facts_with_identity, cache.checked_folder
    monkeypatch.setattr(
        cache, "_facts_with_identity", lambda *args: (looked.append("scan"), identified(*args))[1]
    )
    monkeypatch.setattr(cache, "checked_folder", lambda *args: (looked.append("check"), checked(*args))[1])
    cache.prepare(configure("synthetic"))
    looked.clear()
    for fields in ({}, {"train_size": 100}, {"classes": 2, "crop": 1}, {"subset_seed": 3, "test_size": 8}):
        survey.facts(configure("synthetic", **fields))
        survey.prepare(configure("synthetic", **fields))
    assert looked == ["scan", "check"]
    survey.prepare(configure("synthetic", seed=1))
    assert looked.count("scan") > 1


def test_files_that_change_while_they_are_read_are_no_set(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = tmp_path / "text"
    text.write_text("abc" * 1000)
    decode = cache.decode

    def meanwhile(*args: Any) -> dict[str, Any]:
        found = decode(*args)
        text.write_text("abd" * 1000)
        return found

    monkeypatch.setattr(cache, "decode", meanwhile)
    with pytest.raises(DataError, match="changed while they were read"):
        cache.prepare(configure("text_file", root=str(text)))


def _prepare_together(barrier: threading.Barrier, queue: multiprocessing.Queue[str]) -> None:
    built = cache._build
    cache._build = lambda *args: (queue.put("built"), time.sleep(0.2), built(*args))  # type: ignore[assignment]
    barrier.wait(600)
    cache.prepare(models("data")["synthetic"](kind="synthetic"))  # type: ignore[arg-type]
    queue.put("done")


def test_two_at_once_build_once() -> None:
    context = multiprocessing.get_context("spawn")
    queue, barrier = context.Queue(), context.Barrier(2)
    both = [context.Process(target=_prepare_together, args=(barrier, queue)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(600)
    assert sorted(queue.get(timeout=5) for _ in range(3)) == ["built", "done", "done"]
    assert [process.exitcode for process in both] == [0, 0]


def test_leftovers_of_a_killed_builder_are_swept(configure: Callable[..., DataConfig]) -> None:
    config = configure("synthetic")
    target = cache.prepare(config).folder
    (target / "meta.json").unlink()
    left = target.with_name(f"{target.name}.{machine_name()}.abc.tmp")
    left.mkdir()
    elsewhere = target.with_name(f"{target.name}.another_machine.abc.tmp")
    elsewhere.mkdir()  # a machine that may not see our lock decodes the set there now
    cache.prepare(config)
    assert not left.exists()
    assert elsewhere.exists()


def test_complete_folder_is_opened_without_a_write(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("synthetic")
    folder = cache.prepare(config)

    def refuse(path: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(cache, "FileLock", refuse)
    assert cache.prepare(config) == folder
    with pytest.raises(DataError, match="Permission denied"):
        cache.prepare(configure("synthetic", seed=1))


def test_no_place_to_write_is_said(configure: Callable[..., DataConfig], data_folder: Path) -> None:
    data_folder.write_text("a file where the folder should be")
    with pytest.raises(DataError, match="set RESEXP_DATA to a folder that you can write to"):
        cache.prepare(configure("synthetic"))


def test_full_disk_is_an_error_and_leaves_nothing(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch, data_folder: Path
) -> None:
    def full(self: RowWriter, rows: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(RowWriter, "write", full)
    with pytest.raises(DataError, match=r"No space left.*RESEXP_DATA"):
        cache.prepare(configure("synthetic"))
    assert [path.suffix for path in (data_folder / "decoded").iterdir()] == [".lock"]


def test_fingerprint_follows_whatever_changes_the_images(configure: Callable[..., DataConfig]) -> None:
    fields = [
        {},
        {"image_size": 4},
        {"train_size": 100},
        {"train_size": 100, "subset_seed": 1},
        {"test_size": 10},
        {"classes": 2},
        {"classes": (1, 0)},
        {"noise": 0.25},
    ]
    prints = [cache.facts_of(configure("synthetic", **f)).fingerprint for f in fields]
    assert len(set(prints)) == len(prints)
    same = {"subset_seed": 3, "train_size": 256, "crop": 2, "flip": True}
    assert cache.facts_of(configure("synthetic", **same)).fingerprint == prints[0]
    undrawn = cache.facts_of(configure("synthetic", classes=2, subset_seed=3))
    assert undrawn.fingerprint == prints[fields.index({"classes": 2})]


def test_asking_for_too_much_says_how_much_there_is(configure: Callable[..., DataConfig]) -> None:
    with pytest.raises(DataError, match=r"data\.train_size: 2000 examples are asked for and there are 1437"):
        cache.facts_of(configure("digits", train_size=2000))
    with pytest.raises(DataError, match=r"data\.test_size: 5 examples cannot cover 10 classes"):
        cache.facts_of(configure("digits", test_size=5))


def test_rows_are_an_ordinary_npy_file(tmp_path: Path) -> None:
    writer = RowWriter(tmp_path / "a.npy", np.uint8, (2, 3))
    rows = np.arange(66, dtype=np.uint8).reshape(11, 2, 3)
    for part in (rows[:0], rows[:7], rows[7:]):
        writer.write(part)
    writer.close()
    assert (np.load(tmp_path / "a.npy") == rows).all()


def test_progress_is_told(configure: Callable[..., DataConfig]) -> None:
    told: list[tuple[str, int, int]] = []
    folder = cache.prepare(configure("synthetic"), lambda *event: told.append(event))
    assert ("decoding the train images", 256, 256) in told
    assert json.loads((folder.folder / "meta.json").read_text())["unreadable"] == []
