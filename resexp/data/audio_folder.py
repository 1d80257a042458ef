"""The data set `audio_folder`: a folder of your own recordings, with one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator

from resexp.data.base import Chunk, Facts, Progress, Source, Split
from resexp.data.image_folder import ClassFolders
from resexp.data.listing import Wanted
from resexp.data.pixels import Unreadable
from resexp.data.sound import BYTES, FORMATS, Sound, chunk_of_recordings
from resexp.machine.folders import own_folder
from resexp.options import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Width

SUFFIXES = (".wav", ".wave", ".flac")


def _no_recording(file: os.DirEntry[str]) -> str | None:
    """Why a file is not a recording; None if its name is that of a recording. Reading it may still fail."""
    return None if file.name.lower().endswith(SUFFIXES) else f"no {' or '.join(FORMATS)} file by its name"


class AudioFolder(ClassFolders, Source):
    """WAV and FLAC files in `root/train/<class>/` and `root/val/<class>/` (or `test`), at any depth below
    these.

    Other names of folders are recognised as for `image_folder`. If there is no test set, it is drawn from the
    training recordings. An example is `seconds` long and has `rate` samples per second. Several channels are
    averaged, other rates are resampled, more than 16 bits are rounded, and the middle of longer recordings is
    used. An example is a waveform or, if `mels` is given, a log-mel spectrogram of `mels` bands. In training,
    it is moved in time by up to `shift` seconds, and half of the recordings get white noise of up to `noise`
    times their root mean square. Files that are not recordings or cannot be read are left out, counted and
    named.
    """

    wanted = Wanted("recordings", FORMATS, _no_recording)

    def __init__(
        self,
        *,
        root: str,
        test_fraction: Fraction = 0.2,
        rate: PositiveInt = 16000,
        seconds: PositiveFloat = 1.0,
        mels: Width | None = None,
        shift: NonNegativeFloat = 0.0,
        noise: NonNegativeFloat = 0.0,
    ) -> None:
        self.root = own_folder(root)
        self.test_fraction = test_fraction
        self.sound = Sound(rate, seconds, mels, shift, noise)

    def facts(self, image_size: int | None) -> Facts:
        sound = self.sound
        return self._facts(sound.shape, "audio_folder", 1, *sound.key, samples=sound.samples)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        for names, labels in self._chunks(split):
            yield chunk_of_recordings(names, labels, self._content, self.sound)

    def _content(self, name: str) -> bytes:
        """The bytes of a file, of which at most BYTES + 1 are read. Raises Unreadable."""
        try:
            with (self.root / name).open("rb") as file:
                return file.read(BYTES + 1)
        except OSError as error:
            raise Unreadable(error.strerror or "cannot be read") from error
