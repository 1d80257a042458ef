from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resexp.data import cache
from resexp.data.rows import RowWriter
from resexp.errors import DataError
from resexp.settings import DataConfig, models


def test_prepared_twice_is_prepared_once(
    configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = counted(monkeypatch)
    config = configure("synthetic")
    folder = cache.prepare(config)
    assert cache.prepare(configure("synthetic", train_size=50, classes=2)) == folder
    assert len(builds) == 1
    assert cache.prepare(configure("synthetic", image_size=4)) != folder
    assert cache.prepare(configure("synthetic", seed=1)) != folder


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    builds: list[object] = []
    build = cache._build
    monkeypatch.setattr(cache, "_build", lambda *args: (builds.append(args), build(*args)))
    return builds


@pytest.mark.parametrize("damage", ["cut", "gone", "meta", "no meta"])
def test_damage_is_mended(
    damage: str, configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("synthetic")
    folder = cache.prepare(config)
    before = cache.load(folder).images["train"].copy()
    file = folder / ("meta.json" if "meta" in damage else "train_images.npy")
    if damage in ("gone", "no meta"):
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a complete"):
        cache.load(folder)
    builds = counted(monkeypatch)
    assert cache.prepare(config) == folder
    assert len(builds) == 1
    assert (cache.load(folder).images["train"] == before).all()
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f"{folder.name}.lock"}


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
    target = cache.prepare(config)
    (target / "meta.json").unlink()
    left = target.with_name(f"{target.name}.abc.tmp")
    left.mkdir()
    cache.prepare(config)
    assert not left.exists()


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
    with pytest.raises(DataError, match="set RESEXP_DATA to a folder with room"):
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
    prints = [cache.describe(configure("synthetic", **f)).fingerprint for f in fields]
    assert len(set(prints)) == len(prints)
    same = {"subset_seed": 3, "train_size": 256, "crop": 2, "flip": True}
    assert cache.describe(configure("synthetic", **same)).fingerprint == prints[0]
    undrawn = cache.describe(configure("synthetic", classes=2, subset_seed=3))
    assert undrawn.fingerprint == prints[fields.index({"classes": 2})]


def test_asking_for_too_much_says_how_much_there_is(configure: Callable[..., DataConfig]) -> None:
    with pytest.raises(DataError, match=r"data\.train_size: 2000 examples are asked for and there are 1437"):
        cache.describe(configure("digits", train_size=2000))
    with pytest.raises(DataError, match=r"data\.test_size: 5 examples cannot cover 10 classes"):
        cache.describe(configure("digits", test_size=5))


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
    assert json.loads((folder / "meta.json").read_text())["unreadable"] == []
