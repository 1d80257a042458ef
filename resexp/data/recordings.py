"""Splits of recordings as batches for training. Recordings are kept as samples. Each batch of waveforms or
spectrograms is computed from the samples when it is made, so that time shifts and noise act on the sound
itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resexp.data.examples import Batches, Examples, placed
from resexp.data.sound import SCALE, Sound, mel_bands
from resexp.errors import DataError
from resexp.random import keyed_generator

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData

FLOOR = 1e-10
"""The least power that is distinguished from silence: -100 dB."""
RANGE_DB = 80.0
"""The range of a spectrogram in decibels. Power that is further below the loudest place of its recording is
raised to the lower end of this range.
"""


class SoundSet(Examples):
    """One split of a data set, as batches on `device`.

    waves: (N, T) int16, on `device` or in a file that is mapped into memory. labels: (N,) int64.
    rows: (n,) int64, the positions of the recordings that belong to the split; None if all do.

    As the last step, each example is scaled to mean 0 and variance 1, so that its loudness does not matter.
    Silence becomes 0.
    """

    def __init__(
        self,
        waves: Tensor,
        labels: Tensor,
        sound: Sound,
        *,
        rows: Tensor | None = None,
        device: torch.device | None = None,
    ) -> None:
        assert len(labels) == len(waves)
        self.waves, self.labels, self.rows, self.sound = waves, labels, rows, sound
        self.device = waves.device if device is None else device

    def __len__(self) -> int:
        return len(self.waves if self.rows is None else self.rows)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms (B, 1, T) or log-mel spectrograms (B, 1, mels, frames), and labels (B,) int64."""
        return self._example(self._waves(index)), self._labels(index)

    def training(self, seed: int, epoch: int) -> Batches:
        if not (self.sound.shift or self.sound.noise):
            return self.batch
        return partial(self.augmented, seed=seed, epoch=epoch)

    def augmented(self, index: Tensor, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Like `batch`, but with a random shift in time and random noise, as far as the data set has them.

        Draws depend only on the seed, the epoch and the recording's number. The gap that a shift leaves is
        silent. Noise is Gaussian. On average, half of the recordings get no noise, because evaluation adds
        none. For each of the others, a share is drawn uniformly from 0 to `noise`. The root mean square of
        its noise is this share of the recording's root mean square.
        """
        waves_BT = self._waves(index)
        if most := round(self.sound.shift * self.sound.rate):
            waves_BT = shifted(waves_BT, self._shifts(most, seed, epoch)[index.cpu()])
        if self.sound.noise:
            drawn = [white(waves_BT.shape[1], seed, epoch, number) for number in index.tolist()]
            size_B = self._noises(seed, epoch)[index.cpu()].to(self.device)
            size_B1 = (size_B * waves_BT.square().mean(1).sqrt())[:, None]
            waves_BT = waves_BT + size_B1 * torch.stack(drawn).to(self.device)
        return self._example(waves_BT), self._labels(index)

    def _shifts(self, most: int, seed: int, epoch: int) -> Tensor:
        """For every recording of the split, by how many samples it moves: -most to most."""
        generator = keyed_generator(seed, epoch, "shift")
        return torch.randint(-most, most + 1, (len(self),), generator=generator)

    def _noises(self, seed: int, epoch: int) -> Tensor:
        """For every recording of the split, the size of its noise: its root mean square as a share of the
        recording's root mean square.
        """
        drawn = torch.rand(len(self), generator=keyed_generator(seed, epoch, "noises"))
        return self.sound.noise * (2 * drawn - 1).clamp(min=0)

    def _example(self, waves_BT: Tensor) -> Tensor:
        if self.sound.mels is None:
            return standardised(waves_BT)[:, None]
        return standardised(log_mel(waves_BT, self.sound))[:, None]

    def _waves(self, index: Tensor) -> Tensor:
        return self.waves[self._rows(index)].to(self.device).float() / SCALE

    def _labels(self, index: Tensor) -> Tensor:
        return self.labels[self._rows(index)].to(self.device)

    def _rows(self, index: Tensor) -> Tensor:
        index = index.to(self.waves.device)
        return index if self.rows is None else self.rows[index]


def white(length: int, *key: object) -> Tensor:
    """White noise (length,) of variance 1, on the CPU. It depends only on the key."""
    return torch.randn(length, generator=keyed_generator(*key, "noise"))


def shifted(waves_BT: Tensor, by_B: Tensor) -> Tensor:
    """Waves, each moved by its own number of samples (positive: towards the end). Gaps are silent."""
    length = waves_BT.shape[1]
    source_BT = torch.arange(length, device=waves_BT.device) - by_B.to(waves_BT.device)[:, None]
    moved = waves_BT.gather(1, source_BT.clamp(0, length - 1))
    return moved.masked_fill((source_BT < 0) | (source_BT >= length), 0)


def log_mel(waves_BT: Tensor, sound: Sound) -> Tensor:
    """Log-mel spectrograms (B, mels, frames), in decibels, of waves in which 1 is full scale.

    They are the power, in the bands of `mel_bands`, of Fourier transforms over Hann windows of 32 ms. The
    first window is centred on the first sample, and the others follow every 10 ms; waves are mirrored at
    their ends. Power below FLOOR counts as FLOOR, and power more than RANGE_DB below the loudest place of the
    recording counts as RANGE_DB below that. torchaudio's `MelSpectrogram` and `AmplitudeToDB` give the same
    numbers.
    """
    window = torch.hann_window(sound.window, device=waves_BT.device)
    spectrum = torch.stft(waves_BT, sound.window, sound.hop, window=window, return_complex=True)
    bands = torch.from_numpy(mel_bands(sound.rate, sound.window, sound.mels or 1)).float()
    power = torch.einsum("bft,fm->bmt", spectrum.abs().square(), bands.to(waves_BT.device))
    decibels = 10 * power.clamp(min=FLOOR).log10()
    return torch.maximum(decibels, decibels.amax((1, 2), keepdim=True) - RANGE_DB)


def standardised(examples: Tensor) -> Tensor:
    """Examples (B, ...) with a mean of 0 and a variance of 1, each by itself; constant ones become 0."""
    flat = examples.flatten(1)
    centre, scale = flat.mean(1, keepdim=True), flat.std(1, keepdim=True, unbiased=False)
    return ((flat - centre) / torch.where(scale > 0, scale, 1)).view_as(examples)


def sound_sets(prepared: PreparedData, config: DataConfig, device: torch.device) -> dict[str, SoundSet]:
    """The splits of a prepared set of recordings, as configured. Raises DataError for an impossible size."""
    sound = getattr(config.build(), "sound", None)
    if not isinstance(sound, Sound):
        wrong = "its facts have samples, and it has no `sound`"
        raise DataError(f"the data source {config.kind}: {wrong}; keep a `Sound` there, as audio_folder does")
    return {
        name: SoundSet(waves, targets, sound, rows=rows, device=device)
        for name, (waves, targets, rows) in placed(prepared, config, device).items()
    }
