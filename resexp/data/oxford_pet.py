"""The data set `oxford_pet`: photographs of cats and dogs, each with a mask."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock
from PIL import Image

from resexp.data.base import Chunk, Facts, Images, Masks, Progress, Source, Split, fingerprint
from resexp.data.contents import Contents
from resexp.data.image_folder import CHUNK, DEFAULT_SIZE
from resexp.data.pixels import middle
from resexp.errors import DataError
from resexp.machine.folders import data_folder, own_folder
from resexp.machine.host import machine_name

if TYPE_CHECKING:
    from torchvision.datasets import OxfordIIITPet

NAME = "oxford-iiit-pet"
CLASSES = ("background", "pet", "border")
TRIMAP = np.array([0, 1, 0, 2], np.uint8)
"""Number in the set's masks -> our class. In the set's masks, 1 is pet, 2 background and 3 border."""
TRAIN, TEST = 3680, 3669
FETCHED = ".resexp-fetched"
"""A file in a downloaded folder, with the hash of the folder's files right after unpacking."""


class OxfordPet(Source):
    """Oxford-IIIT Pet (Parkhi et al. 2012): 7,349 photographs; each pixel is background, pet or border.

    If `root`, by default the data folder, has a folder `oxford-iiit-pet`, this folder is used and identified
    by its content. Otherwise torchvision downloads the archives, 800 MB, into `root` and checks their MD5.
    The shorter side of images and masks is resized to `image_size` pixels (default 64; masks take the nearest
    pixel), and the middle square is cut out.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = own_folder(root) if root else data_folder()

    def facts(self, image_size: int | None) -> Facts:
        size = image_size or DEFAULT_SIZE
        key = fingerprint("oxford_pet", 1, size)
        return Facts((3, size, size), "masks", CLASSES, (TRAIN,), (TEST,), key)

    def identity(self, contents: Contents) -> str | None:
        folder = self.root / NAME
        if not folder.is_dir():
            return None  # the originals will be downloaded
        digest = contents.of(folder, _files(folder))
        mark = folder / FETCHED
        return None if mark.is_file() and mark.read_text().strip() == digest else digest

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        size = image_size or DEFAULT_SIZE
        pets = self._open("trainval" if split == "train" else "test")
        for start in range(0, len(pets), CHUNK):
            pairs = [self._pair(pets, split, i, size) for i in range(start, min(start + CHUNK, len(pets)))]
            yield Chunk(np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs]))

    def _pair(self, pets: OxfordIIITPet, split: Split, number: int, size: int) -> tuple[Images, Masks]:
        """An image (size, size, 3) and its mask (size, size). Raises DataError if either cannot be read."""
        name = f"{self.root / NAME}: {split} pair {number}"
        try:
            image, mask = pets[number]
            with mask:
                numbers = np.asarray(middle(mask, size, Image.Resampling.NEAREST))
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{name} cannot be read ({error}); fetch the data set again") from error
        if numbers.min() < 1 or numbers.max() >= len(TRIMAP):
            raise DataError(
                f"{name} has a mask with the numbers {numbers.min()} to {numbers.max()}, but only 1 to 3 are "
                "known; fetch the data set again"
            )
        return np.asarray(middle(image, size, Image.Resampling.BILINEAR)), TRIMAP[numbers]

    def _open(self, split: str) -> OxfordIIITPet:
        """The set, after downloading it if it is missing. Raises DataError."""
        from torchvision.datasets import OxfordIIITPet

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{NAME}.lock"):
                if not (self.root / NAME).is_dir():
                    # torchvision takes an existing folder for complete, so a folder gets its name only when
                    # it is complete. Another machine may not see the lock and download at the same time.
                    part = self.root / f".{NAME}.{machine_name()}.part"
                    shutil.rmtree(part, ignore_errors=True)
                    OxfordIIITPet(part, target_types="segmentation", download=True)
                    (part / NAME / FETCHED).write_text(Contents().of(part / NAME, _files(part / NAME)))
                    if not (self.root / NAME).is_dir():
                        (part / NAME).rename(self.root / NAME)
                    shutil.rmtree(part, ignore_errors=True)
            return OxfordIIITPet(self.root, split, target_types="segmentation")
        except (OSError, RuntimeError, ValueError) as error:
            raise _unfit(self.root / NAME, error) from error


def _files(folder: Path) -> list[str]:
    """The files from which the examples come, as paths relative to `folder`. Raises DataError."""
    lists = [f"annotations/{split}.txt" for split in ("trainval", "test")]
    try:
        lines = [line for name in lists for line in (folder / name).read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise _unfit(folder, error) from error
    stems = [line.split()[0] for line in lines if line.strip()]
    pairs = [(f"images/{stem}.jpg", f"annotations/trimaps/{stem}.png") for stem in stems]
    return [*lists, *(name for pair in pairs for name in pair)]


def _unfit(folder: Path, error: Exception) -> DataError:
    wrong = " ".join(str(error).split())
    right = "unpack images.tar.gz and annotations.tar.gz of the data set there"
    return DataError(f"{folder}: cannot be fetched or read ({wrong}); {right}")
