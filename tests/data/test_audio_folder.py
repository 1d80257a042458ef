"""A folder of recordings: whatever lies in it is used, or left out, counted and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import file_of, tone

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.opening import open_data
from resexp.errors import DataError

Configure = Callable[..., DataConfig]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, of ten recordings each, of several kinds, and files that cannot be used."""
    root = tmp_path / "mine"
    for name, pitch in (("high", 1000.0), ("low", 300.0)):
        (root / name / "deeper").mkdir(parents=True)
        for i in range(5):
            (root / name / f"{i}.wav").write_bytes(file_of(tone(pitch, 3000 + i)))
            stereo = np.stack([(1 + i / 10) * tone(pitch, 4000, 16000)] * 2, 1)
            file = root / name / "deeper" / f"{i}.FLAC"
            file.write_bytes(file_of(stereo, 16000, "FLAC", "PCM_24"))
    return root


def test_recordings_of_any_rate_width_and_depth_are_used(folder: Path, configure: Configure) -> None:
    config = configure("audio_folder", root=str(folder), rate=8000, seconds=0.25)
    facts = cache.facts_of(config)
    assert (facts.shape, facts.classes) == ((1, 2000), ("high", "low"))
    assert (facts.train_counts, facts.test_counts) == ((8, 8), (2, 2))
    prepared = cache.load_prepared(cache.prepare(config))
    for split in ("train", "test"):
        for wave, label in zip(prepared.images[split], prepared.labels[split], strict=True):
            peak = np.abs(np.fft.rfft(wave.astype(float))).argmax() * 8000 / len(wave)
            assert peak == pytest.approx((1000, 300)[label], abs=5)
    *_, note = cache.Survey().notes(config)
    assert note.startswith("10 files longer than 0.25 s, of which the middle is taken: high/0.wav, ")


def test_spectrograms_are_images(folder: Path, configure: Configure) -> None:
    config = configure("audio_folder", root=str(folder), rate=8000, seconds=0.25, mels=16)
    assert (cache.facts_of(config).shape, cache.facts_of(config).form) == ((1, 16, 26), "images")
    data = open_data(config, "cpu")
    examples, _ = data.train.batch(torch.arange(len(data.train)))
    assert examples.shape == (16, 1, 16, 26)


def test_a_fraction_beside_a_test_set_of_its_own_is_refused(tmp_path: Path, configure: Configure) -> None:
    for split in ("train", "test"):
        for name in ("high", "low"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "0.wav").write_bytes(file_of(tone(300)))
    with pytest.raises(DataError, match=r"data.test_fraction: has no effect, .* leave it at 0\.2"):
        cache.facts_of(configure("audio_folder", root=str(tmp_path), test_fraction=0.3))


def test_what_cannot_be_used_is_left_out_counted_and_named(folder: Path, configure: Configure) -> None:
    (folder / "high" / "notes.txt").write_text("no sound")
    (folder / "high" / "empty.wav").write_bytes(b"")
    (folder / "low" / "half.flac").write_bytes(file_of(tone(300), kind="FLAC")[:900])
    (folder / "low" / "half.wav").write_bytes(file_of(tone(300))[:-9])
    (folder / "low" / "none.wav").symlink_to("nowhere")
    (folder / "stray.wav").write_bytes(file_of(tone(300)))
    config = configure("audio_folder", root=str(folder), rate=8000, seconds=0.5, test_fraction=0.3)
    notes = cache.Survey().notes(config)
    assert notes == (
        "3 files left out: high/notes.txt (no WAV or FLAC file by its name), low/none.wav (leads nowhere), "
        "stray.wav (lies beside the folders of the classes)",
        "3 files left out as unreadable: "
        + ", ".join(
            sorted(
                (
                    "high/empty.wav (empty)",
                    "low/half.flac (no WAV or FLAC file, or damaged or cut off)",
                    "low/half.wav (cut off)",
                )
            )
        ),
    )
    data = open_data(config, "cpu")
    assert len(data.train) + len(data.test) == 20


def test_another_byte_is_another_data_set_and_another_place_is_not(
    folder: Path, tmp_path: Path, configure: Configure
) -> None:
    def fingerprint(root: Path) -> str:
        return cache.facts_of(configure("audio_folder", root=str(root))).fingerprint

    before = fingerprint(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    assert fingerprint(moved) == before
    (moved / "low" / "0.wav").write_bytes(file_of(tone(301, 3000)))
    assert fingerprint(moved) != before


def test_recordings_in_both_sets_are_counted(tmp_path: Path, configure: Configure) -> None:
    for split in ("train", "test"):
        for name, pitch in (("high", 1000.0), ("low", 300.0)):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                louder = 1 + i / 10 + (split == "test" and i > 0)
                (tmp_path / split / name / f"{i}.wav").write_bytes(file_of(louder * tone(pitch)))
    config = configure("audio_folder", root=str(tmp_path), rate=8000, seconds=0.25, mels=10)
    assert cache.Survey().notes(config) == (
        "2 of 6 test recordings are training recordings, too, value for value",
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: None, "data.root names a readable folder"),
        (lambda root: root.mkdir(), "no folders with recordings in it; there must be one for each class"),
        (lambda root: (root / "a").mkdir(parents=True), r"a: no recordings in it; known kinds: WAV, FLAC$"),
    ],
)
def test_a_folder_without_recordings_is_refused_in_one_line(
    make: Callable[[Path], None], says: str, tmp_path: Path, configure: Configure
) -> None:
    make(tmp_path / "mine")
    with pytest.raises(DataError, match=says) as caught:
        cache.facts_of(configure("audio_folder", root=str(tmp_path / "mine")))
    assert "\n" not in str(caught.value)


def test_a_class_of_which_nothing_can_be_read_is_named(folder: Path, configure: Configure) -> None:
    for file in (folder / "low").rglob("*.*"):
        file.write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"no readable training example of class 'low' \(unreadable: \d"):
        open_data(configure("audio_folder", root=str(folder)), "cpu")
