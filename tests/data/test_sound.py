"""How files become examples of sound: which values, and what is said of files that give none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from recordings import file_of, tone

from resexp.data.pixels import Unreadable
from resexp.data.recordings import RANGE_DB, SoundSet, log_mel, standardised
from resexp.data.sound import Sound, read_recording
from resexp.errors import DataError

REFERENCE = json.loads(Path(__file__).with_name("log_mel.json").read_text())


def whole(samples: int = 2000) -> NDArray[np.int16]:
    return np.random.default_rng(0).integers(-(2**15), 2**15, samples, dtype=np.int16)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_16_bits_and_one_channel_at_the_wanted_rate_are_kept_exactly(kind: str) -> None:
    found = read_recording(file_of(whole(), kind=kind), Sound(8000, 0.25))
    assert (found.samples == whole()).all()
    assert (found.cut, found.clipped) == (False, False)


def test_24_bits_are_rounded_to_16() -> None:
    values = (whole().astype(np.int32) << 16) + (100 << 8)  # 100 of 256 steps above: rounds down
    content = file_of(values, subtype="PCM_24")
    assert (read_recording(content, Sound(8000, 0.25)).samples == whole()).all()


def test_several_channels_become_their_mean() -> None:
    left, right = whole(), whole()[::-1]
    mean = read_recording(file_of(np.stack([left, right], 1)), Sound(8000, 0.25)).samples
    assert (mean == np.rint((left.astype(float) + right) / 2)).all()


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 4000])
def test_another_rate_keeps_the_tone(rate: int) -> None:
    content = file_of(tone(440, rate, rate), rate)
    found = read_recording(content, Sound(8000, 1.0)).samples / 2**15
    inner = slice(500, -500)  # a filter sees silence beyond the ends
    assert np.abs(found - tone(440, 8000))[inner].max() < 0.005


def test_what_a_lower_rate_cannot_hold_does_not_come_back_as_another_tone() -> None:
    content = file_of(tone(6000, 16000, 16000), 16000)
    assert np.abs(read_recording(content, Sound(8000, 1.0)).samples[500:-500]).max() < 0.005 * 2**15


def test_longer_ones_lose_both_ends_and_shorter_ones_get_silence_at_both() -> None:
    content = file_of(whole(2001))
    cut = read_recording(content, Sound(8000, 0.2))
    assert cut.cut
    assert (cut.samples == whole(2001)[200:1800]).all()
    long = read_recording(content, Sound(8000, 0.3)).samples
    assert (long[199:2200] == whole(2001)).all()
    assert not long[:199].any()
    assert not long[2200:].any()


def test_values_beyond_full_scale_are_told() -> None:
    loud = read_recording(file_of(tone(440) * 5, subtype="FLOAT"), Sound(8000, 0.25))
    assert loud.clipped
    assert loud.samples.max() == 2**15 - 1
    assert not read_recording(file_of(np.ones(2000), subtype="FLOAT"), Sound(8000, 0.25)).clipped


FLAC = file_of(whole(), kind="FLAC")
BAD = {
    "empty": (b"", "empty"),
    "no samples": (file_of(np.zeros(0)), "holds no sound"),
    "text": (b"no sound at all" * 100, "no WAV or FLAC file, or damaged or cut off"),
    "a WAV cut off": (file_of(whole())[:-1000], "cut off"),
    "a WAV cut off in its head": (file_of(whole())[:30], "no WAV or FLAC file, or damaged or cut off"),
    "a FLAC cut off": (FLAC[: len(FLAC) // 2], "no WAV or FLAC file, or damaged or cut off"),
    "OGG": (file_of(tone(440), kind="OGG", subtype="VORBIS"), "is OGG, but only WAV and FLAC are read"),
    "not numbers": (file_of(np.full(2000, np.nan), subtype="FLOAT"), "holds a value that is not a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_gives_no_recording_says_why(name: str) -> None:
    content, why = BAD[name]
    with pytest.raises(Unreadable) as caught:
        read_recording(content, Sound(8000, 0.25))
    assert str(caught.value) == why


def test_a_file_of_a_few_bytes_cannot_take_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resexp.data.sound.VALUES", 1999)
    with pytest.raises(Unreadable, match=r"has 2,000 samples, and at most 1,999 are read"):
        read_recording(FLAC, Sound(8000, 0.25))
    monkeypatch.setattr("resexp.data.sound.BYTES", 1000)
    with pytest.raises(Unreadable, match=r"bytes, and at most 1,000 are read"):
        read_recording(FLAC, Sound(8000, 0.25))


def test_without_soundfile_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DataError, match=r"install it, or resexp with its extra `sound`$"):
        read_recording(FLAC, Sound(8000, 0.25))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 10}, r"^data\.rate: is 10; give 1,000 to 192,000 samples per second$"),
        ({"seconds": 0.01}, r"^data\.seconds: is 0\.01; at a rate of 8,000, 0\.032 to 262\.144 seconds"),
        ({"seconds": 1e6}, r"^data\.seconds: is 1e\+06"),
        ({"shift": 2.0}, r"^data\.shift: is 2; give at most data\.seconds, 1$"),
        ({"mels": 200}, r"^data\.mels: some of 200 bands hold no frequency at the rate 8,000; give fewer$"),
    ],
)
def test_an_impossible_example_is_refused(options: dict[str, float], says: str) -> None:
    with pytest.raises(DataError, match=says):
        Sound(**{"rate": 8000, "seconds": 1.0, **options})  # type: ignore[arg-type]


def signal(rate: int, samples: int) -> NDArray[np.float64]:
    """A rising tone that fades, and a steady one that begins after a tenth of a second."""
    t = np.arange(samples) / rate
    rising = 0.5 * np.sin(2 * np.pi * (200 * t + 900 * t * t)) * np.exp(-3 * t)
    return rising + 0.1 * np.sin(2 * np.pi * 1234.5 * t) * (t > 0.1)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: str(case["rate"]))
@pytest.mark.parametrize("library", ["torchaudio", "librosa"])
def test_spectrograms_have_the_numbers_of_other_libraries(library: str, case: dict[str, list[int]]) -> None:
    """`log_mel.json` has decibels of a few frames, and the versions that computed them.

    Windows of 32 ms every 10 ms, HTK's scale without norm, a range of 80 dB, ends mirrored.
    """
    rate, samples, mels = (int(case[key]) for key in ("rate", "samples", "mels"))  # type: ignore[call-overload]
    sound = Sound(rate, samples / rate, mels)
    waves = torch.tensor(signal(rate, samples), dtype=torch.float32)
    found = log_mel(waves[None], sound)
    assert list(found.shape[1:]) == case["shape"] == list(sound.shape[1:])
    wanted = torch.tensor(case[library]).T
    torch.testing.assert_close(found[0][:, case["frames"]], wanted, rtol=0, atol=0.01)
    assert found.max() - found.min() == pytest.approx(RANGE_DB, abs=1e-3)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_an_example_has_the_shape_that_is_promised(rate: int) -> None:
    """At 44,100 samples per second, a window of 32 ms has an odd number of samples."""
    sound = Sound(rate, 0.1, 8)
    split = SoundSet(torch.zeros(2, sound.samples, dtype=torch.int16), torch.arange(2), sound)
    assert split.batch(torch.arange(2))[0].shape[1:] == sound.shape
    assert sound.key == (rate, 0.1, 8, *([(1, 8, 10)] if rate == 44100 else []))
    assert Sound(rate, 0.1).key == (rate, 0.1, None)


def sounds(**options: float) -> SoundSet:
    waves = torch.from_numpy(np.stack([np.roll(whole(800) // 4, i) for i in range(6)]))
    sound = Sound(8000, 0.1, **options)  # type: ignore[arg-type]
    return SoundSet(waves, torch.arange(6), sound)


@pytest.mark.parametrize("options", [{}, {"mels": 20}, {"shift": 0.02, "noise": 0.5}])
def test_every_example_has_mean_0_and_variance_1(options: dict[str, float]) -> None:
    for batches in (sounds(**options).batch, sounds(**options).training(0, 0)):
        examples, labels = batches(torch.tensor([4, 1]))
        assert labels.tolist() == [4, 1]
        assert examples.shape[1:] == Sound(8000, 0.1, **options).shape  # type: ignore[arg-type]
        assert examples.mean((1, 2) if examples.ndim == 3 else (1, 2, 3)).abs().max() < 1e-5
        assert examples.flatten(1).var(1, unbiased=False).sub(1).abs().max() < 1e-4
    assert not standardised(torch.full((1, 3), 0.3)).any()


@pytest.mark.parametrize(
    "options", [{"shift": 0.02}, {"noise": 0.3}, {"shift": 0.02, "noise": 0.3, "mels": 10}]
)
def test_augmentation_depends_on_seed_epoch_and_number_alone(options: dict[str, float]) -> None:
    split = sounds(**options)
    together, _ = split.training(1, 2)(torch.arange(6))
    alone, _ = split.training(1, 2)(torch.tensor([3]))
    torch.testing.assert_close(together[3], alone[0], rtol=1e-4, atol=1e-4)
    for other in (split.training(1, 3), split.training(2, 2), split.batch):
        assert not torch.allclose(other(torch.arange(6))[0], together, rtol=1e-2, atol=1e-2)


def test_a_shift_moves_the_samples_and_lets_silence_in() -> None:
    split = sounds(shift=0.01)
    moved, _ = split.training(0, 0)(torch.arange(6))
    by = split._shifts(80, 0, 0)
    assert by.abs().max() <= 80
    assert len(set(by.tolist())) > 1
    for original, example, shift in zip(split.waves.float(), moved[:, 0], by.tolist(), strict=True):
        wanted = torch.zeros(800)
        wanted[max(0, shift) : 800 + min(0, shift)] = original[max(0, -shift) : 800 - max(0, shift)]
        torch.testing.assert_close(example, standardised(wanted[None])[0], rtol=1e-4, atol=1e-4)


def test_noise_has_the_share_that_is_asked_for() -> None:
    split = sounds(noise=0.5)
    noisy = split.training(0, 0)(torch.arange(6))[0][:, 0].double()
    clean = split.batch(torch.arange(6))[0][:, 0].double()
    shares = split._noises(0, 0).tolist()
    assert min(shares) == 0
    assert 0.1 < max(shares) < 0.5
    for with_noise, without, share in zip(noisy, clean, shares, strict=True):
        cosine = (with_noise @ without) / len(without)
        assert cosine.item() == pytest.approx(1 / (1 + share**2) ** 0.5, abs=0.02)


def test_about_half_of_the_recordings_stay_without_noise() -> None:
    waves, labels = torch.zeros(1, 800).expand(1000, 800), torch.zeros(1000)
    shares = SoundSet(waves, labels, Sound(8000, 0.1, noise=0.5))._noises(3, 4)
    assert (shares == 0).float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert shares[shares > 0].mean().item() == pytest.approx(0.25, abs=0.03)


def test_libsndfile_is_new_enough() -> None:
    assert soundfile.available_formats().keys() >= {"WAV", "FLAC"}
