"""Data folders of several machines: one for all, whose locks they may not share, or one for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resexp.config.settings import DataConfig
from resexp.data import cache, checked, contents
from resexp.errors import DataError

Configure = Callable[..., DataConfig]


def test_of_the_workers_of_a_run_on_a_machine_one_checks_the_set(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    whole = checked.checked_folder
    monkeypatch.setattr(cache, "checked_folder", lambda folder: (looked.append(folder), whole(folder))[1])
    config = configure("synthetic")
    first = cache.prepare_for("run 1", config, "")
    looked.clear()
    assert cache.prepare_for("run 1", config, "") == first == cache.prepare_for("run 1", config, "")
    assert looked == []
    assert cache.prepare_for("run 2", config, "") == first
    assert len(looked) == 1  # each run looks once
    cache.load_prepared(first)


def test_a_set_that_was_damaged_since_the_check_is_decoded_again(configure: Configure) -> None:
    config = configure("synthetic")
    first = cache.prepare_for("run 1", config, "")
    file = first.folder / "train_images.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    again = cache.prepare_for("run 1", config, "")
    assert again.stamps != first.stamps
    cache.load_prepared(again)
    for mark in first.folder.parent.glob("*.checked"):
        mark.write_text("nothing")
    assert cache.prepare_for("run 1", config, "") == again


def test_a_data_folder_of_the_machine_itself_is_filled_by_its_first_worker(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = configure("synthetic")
    there = cache.prepare(config)
    fingerprint = cache.facts_of(config).fingerprint
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "of this machine"))
    here = cache.prepare_for("run", config, fingerprint)
    assert here.folder != there.folder
    assert here.folder.is_relative_to(tmp_path / "of this machine")
    cache.load_prepared(here)


def test_other_data_on_a_machine_are_told_and_not_trained_on(configure: Configure) -> None:
    with pytest.raises(DataError, match="other data than the machine that started the run"):
        cache.prepare_for(
            "run", configure("synthetic", seed=1), cache.facts_of(configure("synthetic")).fingerprint
        )


@pytest.mark.parametrize("whole", [True, False])
def test_a_machine_that_decoded_the_set_meanwhile_is_not_disturbed(
    whole: bool, configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It does not see our lock. Its processes have opened the set, which must stay where it is."""
    config = configure("synthetic")
    theirs = shutil.copytree(cache.prepare(config).folder, tmp_path / "theirs")
    target = cache.prepare(config).folder
    if not whole:
        (theirs / "test_labels.npy").unlink()
    shutil.rmtree(target)
    decode = cache.decode

    def meanwhile(*args: Any) -> dict[str, Any]:
        shutil.copytree(theirs, target)
        return decode(*args)

    monkeypatch.setattr(cache, "decode", meanwhile)
    ours = cache.prepare(config)
    assert ours.folder == target
    same = (
        os.stat(target / "train_images.npy").st_mtime_ns == os.stat(theirs / "train_images.npy").st_mtime_ns
    )
    assert same == whole
    assert not list(target.parent.glob("*.tmp"))


def test_a_read_only_data_folder_is_used_and_checked_by_each(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure("synthetic")
    first = cache.prepare(config)

    def refuse(path: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(checked, "FileLock", refuse)
    assert cache.prepare_for("run", config, "") == first


@pytest.mark.parametrize("same_system", [True, False])
def test_a_server_whose_clock_is_behind_does_not_hide_a_change(
    same_system: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a clock that is five minutes behind, a file that was just written seems to have been left alone."""
    (tmp_path / "file").write_bytes(b"before")
    then = (tmp_path / "file").stat().st_mtime - 300
    os.utime(tmp_path / "file", (then, then))
    changed = contents._one

    def read(*args: Any) -> contents.FileHash:
        hashed = changed(*args)
        return contents.FileHash(hashed.stamp, hashed.digest, then if hashed.changed else None)

    monkeypatch.setattr(contents, "_one", read)
    if not same_system:
        monkeypatch.setattr(contents, "_device_of", lambda folder: -1)
    contents.Contents().of(tmp_path, ["file"])
    told: list[str] = []
    contents.Contents(lambda text, *_: told.append(text)).of(tmp_path, ["file"])
    assert bool(told) is not same_system
