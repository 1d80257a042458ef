"""The data set `spoken_digits`: the Free Spoken Digit Dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, fingerprint
from resexp.data.download import Remote, fetch, members
from resexp.data.notes import first_of
from resexp.data.sound import Sound, chunk_of_recordings
from resexp.errors import DataError
from resexp.machine.folders import data_folder, own_folder
from resexp.options import NonNegativeFloat, PositiveFloat, PositiveInt, Width

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
EACH = 50
"""The number of recordings of each word by each speaker."""
TEST = 5
"""How many of these EACH recordings are for testing. They are the first ones, as the data set's page says."""
NAME = "free-spoken-digit-dataset"
MOST = 200 << 20
"""The most bytes of the archive, and of all files in it together. The recordings have 21 MB."""
_ADDRESS = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/"
REMOTE = Remote(
    f"{NAME}.tar.gz", MOST, "", (f"{_ADDRESS}heads/master.tar.gz", f"{_ADDRESS}tags/v1.0.10.tar.gz")
)
ARCHIVES = (REMOTE.name, "spoken-digits.tar.xz")
CHUNK = 500


class SpokenDigits(Source):
    """3,000 recordings of the words zero to nine: 50 of each by each of six speakers (FSDD, Jackson 2016).

    The test set is the first five recordings of each word by each speaker, as the data set's page says. If
    `test_speakers` is given, such as [theo], the test set is all recordings of these speakers, and the other
    speakers are for training.
    An example is `seconds` long and has `rate` samples per second (the data set's own rate is 8,000);
    `resexp.data.sound` says how recordings are converted. An example is a waveform or, if `mels` is given, a
    log-mel spectrogram of `mels` bands. In training, it is moved in time by up to `shift` seconds, and half
    of the recordings get white noise of up to `noise` times their root mean square.

    If `root`, by default the data folder, has neither the archive nor a folder `recordings`, the archive is
    downloaded. Every recording is checked by its own hash. The version is that of May 2024 (CC BY-SA 4.0).
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        test_speakers: tuple[str, ...] | None = None,
        rate: PositiveInt = 8000,
        seconds: PositiveFloat = 1.0,
        mels: Width | None = None,
        shift: NonNegativeFloat = 0.0,
        noise: NonNegativeFloat = 0.0,
    ) -> None:
        self.root = data_folder() if root is None else own_folder(root)
        self.sound = Sound(rate, seconds, mels, shift, noise)
        self.test_speakers = test_speakers
        held, known = set(test_speakers or ()), set(SPEAKERS)
        if test_speakers is not None and not (0 < len(held) == len(test_speakers) and held < known):
            wrong = f"{list(test_speakers)} does not split the speakers into two sets"
            raise DataError(f"data.test_speakers: {wrong}; name some, and not all, of {', '.join(SPEAKERS)}")

    def facts(self, image_size: int | None) -> Facts:
        sound, held = self.sound, sorted(self.test_speakers or ())
        tested = len(_names("test", self.test_speakers)) // len(WORDS)
        rest = EACH * len(SPEAKERS) - tested
        key = fingerprint("spoken_digits", 1, *sound.key, held)
        counts = (rest,) * len(WORDS), (tested,) * len(WORDS)
        return Facts(sound.shape, "labels", WORDS, *counts, key, samples=sound.samples)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        contents = self._contents or checked(fetch(REMOTE, self.root, progress, checked))
        names = _names(split, self.test_speakers)
        labels = np.array([int(name[0]) for name in names], np.int64)
        for start in range(0, len(names), CHUNK):
            part = names[start : start + CHUNK]
            yield chunk_of_recordings(part, labels[start : start + CHUNK], contents.__getitem__, self.sound)

    @cached_property
    def _contents(self) -> Mapping[str, bytes] | None:
        """The recordings by name, if they are in `root`. Raises DataError if one is damaged or missing."""
        for folder in (self.root / "recordings", self.root / NAME / "recordings"):
            if folder.is_dir():
                return checked(folder)
        archives = (self.root / name for name in ARCHIVES)
        found = next((path for path in archives if path.is_file()), None)
        return None if found is None else checked(found)


def _names(split: Split, test_speakers: tuple[str, ...] | None) -> list[str]:
    """The names of a split's recordings, by word, speaker and number."""
    return [
        f"{word}_{speaker}_{number}.wav"
        for word in range(len(WORDS))
        for speaker in SPEAKERS
        for number in range(EACH)
        if (split == "test") == (number < TEST if test_speakers is None else speaker in test_speakers)
    ]


def hashes() -> dict[str, str]:
    """The first 32 hexadecimal digits of each recording's SHA-256, by its name."""
    lines = Path(__file__).with_name("spoken_digits.sha256").read_text("ascii").splitlines()
    rows = [line.split() for line in lines]
    return {f"{row[0]}_{number}.wav": digest for row in rows for number, digest in enumerate(row[1:])}


def checked(path: Path) -> Mapping[str, bytes]:
    """The recordings in a folder or an archive, by name. Raises DataError if one is missing or damaged."""
    known = hashes()
    if path.is_dir():
        files = {name: path / name for name in known if (path / name).is_file()}
        try:
            contents = {name: file.read_bytes() for name, file in files.items()}
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}; give a folder that can be read") from error
    else:
        contents = members(path, known.keys(), MOST, _recording)
    wrong = [
        name
        for name, digest in known.items()
        if name not in contents or hashlib.sha256(contents[name]).hexdigest()[:32] != digest
    ]
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} of {len(known):,} recordings are missing or not those of "
            f"May 2024 ({first_of(wrong)}). If you delete {path.name}, it is downloaded again. "
            "For other recordings, use audio_folder"
        )
    return contents


def _recording(member: str) -> str:
    """The name of a recording that is a member of the archive; "" for other members."""
    path = PurePosixPath(member)
    return path.name if path.parent.name == "recordings" else ""
