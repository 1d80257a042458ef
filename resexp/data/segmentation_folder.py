"""Any folder of images with a mask for each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from resexp.data.base import Chunk, Facts, Masks, Progress, Source, Split, fingerprint
from resexp.data.image_folder import CHUNK, DEFAULT_SIZE, SUFFIXES, TEST_FOLDERS, decoded, middle
from resexp.errors import DataError
from resexp.options import StreamCount

Pair = tuple[Path, Path]


class SegmentationFolder(Source):
    """Images in `root/train/images`, masks in `root/train/masks`, and likewise in `root/val` (or `test`).

    A mask has its image's name, whatever the suffixes, and its size. With `groups: 2` a pixel that is not 0
    is foreground; with more, pixels are the numbers of classes, 0 to groups - 1, as in a PNG with a palette.
    An image becomes three channels; the shorter side of both is resized to `image_size` pixels (64 unless
    given), of masks without mixing, and the middle square is cut out. Pairs that cannot be decoded are left
    out, counted and named.
    """

    def __init__(self, *, root: str, groups: StreamCount = 2) -> None:
        self.root = Path(root).expanduser()
        self.groups = groups

    def facts(self, image_size: int | None) -> Facts:
        size, (train, test) = image_size or DEFAULT_SIZE, self._splits.values()
        names = tuple(f"class {number}" for number in range(self.groups))
        stamps = [[_stamp(file) for file in pair] for pair in (*train, *test)]
        digest = hashlib.sha256(repr(stamps).encode("utf-8", "surrogateescape")).hexdigest()
        key = fingerprint("segmentation_folder", 1, size, self.groups, len(train), digest)
        return Facts((3, size, size), "masks", names, (len(train),), (len(test),), key)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        pairs, size = self._splits[split], image_size or DEFAULT_SIZE
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for start in range(0, len(pairs), CHUNK):
                some = pairs[start : start + CHUNK]
                images = list(pool.map(lambda pair: decoded(pair[0], size), some))
                masks = list(pool.map(lambda pair: self._mask(pair, size), some))
                both = [(i, m) for i, m in zip(images, masks, strict=True) if i is not None and m is not None]
                lost = [
                    str(pair[i is not None])
                    for pair, i, m in zip(some, images, masks, strict=True)
                    if i is None or m is None
                ]
                yield Chunk(
                    np.stack([i for i, _ in both]) if both else np.empty((0, size, size, 3), np.uint8),
                    np.stack([m for _, m in both]) if both else np.empty((0, size, size), np.uint8),
                    tuple(lost),
                )

    def _mask(self, pair: Pair, size: int) -> Masks | None:
        """The mask (size, size), or None if it cannot be decoded. Raises DataError for another size."""
        image, mask = pair
        try:
            with Image.open(image) as first, Image.open(mask) as second:
                sizes = first.size, second.size
                plain = second if second.mode in ("L", "P") else second.convert("L")
                pixels: Masks = np.asarray(middle(plain, size, Image.Resampling.NEAREST), np.uint8)
        except MemoryError:
            raise
        except Exception:  # decoders raise whatever comes to hand on a damaged file
            return None
        if sizes[0] != sizes[1]:
            raise DataError(f"{mask}: has {sizes[1]} pixels and its image {sizes[0]}; make them alike")
        if self.groups == 2:
            return np.asarray(pixels != 0, np.uint8)
        if pixels.max() >= self.groups:
            raise DataError(f"{mask}: has class {pixels.max()}; data.groups should be above that, or mend it")
        return pixels

    @cached_property
    def _splits(self) -> dict[Split, list[Pair]]:
        held = next((name for name in TEST_FOLDERS if (self.root / name).is_dir()), TEST_FOLDERS[-1])
        return {"train": pairs(self.root / "train"), "test": pairs(self.root / held)}


def pairs(folder: Path) -> list[Pair]:
    """Each image below `folder/images` with its mask below `folder/masks`, by name. Raises DataError."""
    images, masks = (_by_stem(folder / name) for name in ("images", "masks"))
    lone = sorted(images.keys() ^ masks.keys())
    if lone or not images:
        wrong = f"{lone[0]!r} has no counterpart" if lone else "there are no images"
        raise DataError(
            f"{folder}: {wrong}; there must be an image and a mask of each name in images/, masks/"
        )
    return [(images[stem], masks[stem]) for stem in sorted(images)]


def _by_stem(folder: Path) -> dict[str, Path]:
    try:
        found = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
    except OSError as error:
        raise DataError(
            f"{folder}: {error.strerror}; data.root holds train/images and train/masks"
        ) from error
    by_stem = {path.stem: path for path in found}
    if len(by_stem) < len(found):
        raise DataError(f"{folder}: two files have one name but for the suffix; rename one of them")
    return by_stem


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError:  # a broken link, which decoding will count among the unreadable
        return file.name, 0, 0
    return file.name, stat.st_size, stat.st_mtime_ns
