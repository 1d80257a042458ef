"""Reads recordings as samples of one rate and one length. Does not import torch.

Several channels are averaged. Then a recording is resampled to the wanted rate, cut to its middle or extended
by silence on both sides, and kept as whole numbers of 16 bits. A recording of one channel and 16 bits at the
wanted rate keeps its samples exactly; any other recording is rounded to 16 bits.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Chunk, Labels, Waves
from resexp.data.pixels import Unreadable
from resexp.errors import DataError

FORMATS = ("WAV", "FLAC")
BYTES = 2**28
"""A file with more bytes is left out."""
VALUES = 2**26
"""A file with more samples in all its channels together is left out: it would take over 500 MB of memory."""
SCALE = 2**15
"""The whole number that stands for full scale."""
RATES = (1_000, 192_000)
LONGEST = 2**21
"""The most samples of an example."""
WINDOW, HOP = 0.032, 0.010
"""The length of a spectrogram's windows, and the time from one window to the next, in seconds."""


@dataclass(frozen=True)
class Sound:
    """How recordings become examples.

    rate: samples per second. seconds: length of an example.
    mels: None for waveforms (1, samples), or the number of bands of a log-mel spectrogram (1, mels, frames);
        see `log_mel` in `resexp.data.recordings`.
    shift: in training, a recording is moved in time by up to this many seconds, forwards or backwards.
    noise: in training, half of the recordings get white noise. The root mean square of the noise is up to
        this share of the recording's root mean square.

    Raises DataError if the values do not fit each other.
    """

    rate: int
    seconds: float
    mels: int | None = None
    shift: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        low, high = RATES
        if not low <= self.rate <= high:
            raise DataError(f"data.rate: is {self.rate}; give {low:,} to {high:,} samples per second")
        if not self.window <= self.samples <= LONGEST:
            right = f"{self.window / self.rate:g} to {LONGEST / self.rate:g} seconds are possible"
            raise DataError(f"data.seconds: is {self.seconds:g}; at a rate of {self.rate:,}, {right}")
        if self.shift > self.seconds:
            raise DataError(f"data.shift: is {self.shift:g}; give at most data.seconds, {self.seconds:g}")
        if self.mels is not None and not mel_bands(self.rate, self.window, self.mels).any(0).all():
            wrong = f"some of {self.mels} bands hold no frequency at the rate {self.rate:,}"
            raise DataError(f"data.mels: {wrong}; give fewer")

    @property
    def samples(self) -> int:
        return round(self.seconds * self.rate)

    @property
    def window(self) -> int:
        """Samples of a spectrogram's window."""
        return round(WINDOW * self.rate)

    @property
    def hop(self) -> int:
        """Samples from one window of a spectrogram to the next."""
        return round(HOP * self.rate)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        if self.mels is None:
            return (1, self.samples)
        # Windows are centred, and mirroring adds half a window at each end. If a window has an odd number of
        # samples, both halves together are one sample shorter than the window.
        return (1, self.mels, (self.samples - self.window % 2) // self.hop + 1)

    @property
    def key(self) -> tuple[object, ...]:
        """What decides the examples, for the fingerprint of a data set."""
        key = (self.rate, self.seconds, self.mels)
        # Older versions gave such sets a shape with one frame more than their examples have.
        told = (1, self.mels, self.samples // self.hop + 1)
        return key if self.mels is None or self.shape == told else (*key, self.shape)


class Recording(NamedTuple):
    """A recording as an example.

    samples: (n,) int16. cut: whether the recording was longer. clipped: whether some of its values were
    beyond full scale, and became full scale.
    """

    samples: Waves
    cut: bool
    clipped: bool


def read_recording(content: bytes, sound: Sound) -> Recording:
    """A WAV or FLAC file's content as an example. Raises Unreadable, and DataError if `library` does."""
    values, rate = decoded(content)
    values = resampled(values.mean(axis=1), rate, sound.rate)
    whole = np.rint(values * SCALE)
    clipped = np.clip(whole, -SCALE, SCALE - 1).astype(np.int16)
    # The value +1 is full scale. It fits into no whole number of 16 bits, but is not beyond full scale.
    beyond = bool((np.abs(whole) > SCALE).any())
    return Recording(centred(clipped, sound.samples), len(clipped) > sound.samples, beyond)


def decoded(content: bytes) -> tuple[NDArray[np.float64], int]:
    """A file's values (samples, channels), where 1 is full scale, and its rate. Raises Unreadable, and
    DataError if `library` does.
    """
    soundfile = library()
    if not content:
        raise Unreadable("empty")
    if len(content) > BYTES:
        raise Unreadable(f"has {len(content):,} bytes, and at most {BYTES:,} are read")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.format not in ("WAV", "WAVEX", "RF64", "FLAC"):
                raise Unreadable(f"is {file.format}, but only {' and '.join(FORMATS)} are read")
            promised, rate = file.frames, int(file.samplerate)
            if promised * file.channels > VALUES:
                count = promised * file.channels
                raise Unreadable(f"has {count:,} samples, and at most {VALUES:,} are read")
            values = file.read(dtype="float64", always_2d=True)
    except soundfile.SoundFileError as error:
        raise Unreadable("no WAV or FLAC file, or damaged or cut off") from error
    if len(values) < promised or _cut_off(content):
        raise Unreadable("cut off")
    if not len(values):
        raise Unreadable("holds no sound")
    if not np.isfinite(values).all():
        raise Unreadable("holds a value that is not a number")
    return values, rate


def _cut_off(content: bytes) -> bool:
    """Whether a WAV file says that it has more bytes of samples than are there. The library that reads the
    file then returns the samples that are there, without an error.
    """
    if content[:4] != b"RIFF":
        return False
    place = 12
    while place + 8 <= len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"data":
            return size != 0xFFFFFFFF and place + 8 + size > len(content)
        place += 8 + size + size % 2
    return False


def library() -> Any:
    """The package soundfile. Raises DataError if it is not installed."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: there is no libsndfile for it
        wrong = " ".join(str(error).split())
        raise DataError(
            f"recordings are read by the package soundfile ({wrong}); "
            "install it, or resexp with its extra `sound`"
        ) from error
    return soundfile


def resampled(values: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    """The values (samples,) at the rate `wanted`. scipy's filter removes the frequencies that are too high
    for this rate.
    """
    if rate == wanted:
        return values
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    return np.asarray(resample_poly(values, wanted // common, rate // common), dtype=np.float64)


def centred(values: Waves, samples: int) -> Waves:
    """The middle `samples` values or, if there are fewer, all of them with silence on both sides."""
    missing = samples - len(values)
    if missing <= 0:
        start = -missing // 2
        return values[start : start + samples]
    return np.pad(values, (missing // 2, missing - missing // 2))


def chunk_of_recordings(
    names: Sequence[str], labels: Labels, read: Callable[[str], bytes], sound: Sound
) -> Chunk:
    """A chunk of the recordings that can be read, with their labels, and the names of unreadable recordings.

    read: a function that returns the content of the file with a name, or raises Unreadable.
    """
    good, failed = dict[int, Recording](), list[str]()
    for number, name in enumerate(names):
        try:
            good[number] = read_recording(read(name), sound)
        except Unreadable as reason:
            failed.append(f"{name} ({reason})")
    waves = [recording.samples for recording in good.values()]
    return Chunk(
        np.stack(waves) if waves else np.empty((0, sound.samples), np.int16),
        labels[list(good)],
        tuple(failed),
        remarks={
            f"longer than {sound.seconds:g} s, of which the middle is taken": tuple(
                names[number] for number, recording in good.items() if recording.cut
            ),
            "with values beyond full scale, which become full scale": tuple(
                names[number] for number, recording in good.items() if recording.clipped
            ),
        },
    )


def mel_bands(rate: int, window: int, mels: int) -> NDArray[np.float64]:
    """The weight (window // 2 + 1, mels) of each frequency in each band.

    Bands are triangles with a peak of 1, equally wide on the mel scale, 2595 log10(1 + f / 700), and run from
    0 to half the rate.

    Source: O'Shaughnessy 1987, the scale of HTK. torchaudio has these weights by default (`htk`, norm None).
    """
    frequencies = np.linspace(0, rate // 2, window // 2 + 1)
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1)
    rising = (frequencies[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - frequencies[:, None]) / np.diff(edges)[None, 1:]
    return np.maximum(0, np.minimum(rising, falling))
