"""The data set `segmentation_folder`: a folder of your own images, with a mask for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, fingerprint
from resexp.data.contents import Contents
from resexp.data.image_folder import CHUNK, DEFAULT_SIZE
from resexp.data.listing import IMAGES, ignored
from resexp.data.names import composed
from resexp.data.notes import dark, listed
from resexp.data.pixels import Mask, Picture, Reader, Unreadable
from resexp.data.splits import Splits, find_splits
from resexp.errors import DataError
from resexp.machine.folders import own_folder
from resexp.options import StreamCount

Pair = tuple[Path, Path]
Seen = tuple[Picture, Mask]
MERGED = "with several numbers besides 0, all of which are foreground; set data.groups if they are classes"


class SegmentationFolder(Source):
    """Images in `root/train/images`, masks in `root/train/masks`, and likewise in `root/val` (or `test`).

    A mask has the same size as its image, and the same name except for the suffix. With `groups: 2`, every
    pixel except 0 is foreground. In a JPEG file, whose compression blurs, only pixels of at least 128 are
    foreground. With more groups, pixels are class numbers from 0 to groups - 1, as in a PNG file with a
    palette. Images are read as `image_folder` reads them. The shorter side of an image and its mask is
    resized to `image_size` pixels (default 64; masks take the nearest pixel), and the middle square is cut
    out. If an image or its mask cannot be decoded, both are left out, counted and named.
    """

    def __init__(self, *, root: str, groups: StreamCount = 2) -> None:
        self.root = own_folder(root)
        self.groups = groups
        self._left_out = list[str]()

    def facts(self, image_size: int | None) -> Facts:
        size, (train, test) = image_size or DEFAULT_SIZE, self._splits.values()
        names = tuple(f"class {number}" for number in range(self.groups))
        key = fingerprint("segmentation_folder", 2, size, self.groups)
        notes = (*self._folders.notes, *listed(self._left_out, "left out"))
        return Facts((3, size, size), "masks", names, (len(train),), (len(test),), key, notes=notes)

    def identity(self, contents: Contents) -> str:
        splits = [[self._name(file) for pair in pairs for file in pair] for pairs in self._splits.values()]
        return fingerprint([contents.of(self.root, names) for names in splits])

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        pairs, size, brightest = self._splits[split], image_size or DEFAULT_SIZE, 0
        with Reader() as reader:
            for start in range(0, len(pairs), CHUNK):
                part = pairs[start : start + CHUNK]
                read = reader.map(partial(self._pair, reader, size), part)
                yield (chunk := self._chunk(part, read, size))
                brightest = max(brightest, int(chunk.images.max(initial=0)))
        yield replace(self._chunk([], [], size), notes=dark(brightest, split))

    def _chunk(self, pairs: Sequence[Pair], read: Sequence[Seen | Unreadable], size: int) -> Chunk:
        """A chunk of the pairs that could be read, and the names of the other files. `read` has what was read
        of each pair.
        """
        good = [(pair, *one) for pair, one in zip(pairs, read, strict=True) if isinstance(one, tuple)]
        no_images, no_masks = np.empty((0, size, size, 3), np.uint8), np.empty((0, size, size), np.uint8)
        return Chunk(
            np.stack([picture.pixels for _, picture, _ in good]) if good else no_images,
            np.stack([mask.classes for *_, mask in good]) if good else no_masks,
            unreadable=tuple(str(one) for one in read if isinstance(one, Unreadable)),
            first_frames=tuple(self._name(image) for (image, _), picture, _ in good if picture.more),
            remarks={MERGED: tuple(self._name(file) for (_, file), _, mask in good if mask.merged)},
        )

    def _pair(self, reader: Reader, size: int, pair: Pair) -> Seen:
        """A picture and its mask. Raises Unreadable, with the file's name, and DataError."""
        image, mask = pair
        file = image
        try:
            picture = reader.picture(image, size)
            file = mask
            return picture, reader.mask(mask, size, self.groups, picture)
        except Unreadable as reason:
            raise Unreadable(f"{self._name(file)} ({reason})") from reason

    @cached_property
    def _folders(self) -> Splits:
        try:
            folders = find_splits(self.root)
        except OSError as error:
            raise DataError(
                f"{error.filename}: {error.strerror}; data.root holds train/images and train/masks"
            ) from error
        if folders.test is None:
            held = "`train`" if folders.train == self.root else "`val` or `test`"
            raise DataError(
                f"{self.root}: there is no folder {held}; data.root needs train/images, train/masks and the "
                "same in `val` or `test`"
            )
        return folders

    @cached_property
    def _splits(self) -> dict[Split, list[Pair]]:
        assert self._folders.test is not None
        return {"train": self._pairs(self._folders.train), "test": self._pairs(self._folders.test)}

    def _pairs(self, folder: Path) -> list[Pair]:
        """Each image in `folder/images` with its mask in `folder/masks`, sorted by name. Raises DataError."""
        (images, no_images), (masks, no_masks) = (
            self._by_stem(folder / name) for name in ("images", "masks")
        )
        lone = sorted((images.keys() ^ masks.keys()) - no_images - no_masks)
        if lone or not images:
            wrong = f"{lone[0]!r} has no counterpart" if lone else "there are no images"
            raise DataError(f"{folder}: {wrong}; images/ and masks/ must have a file of each name")
        return [(images[stem], masks[stem]) for stem in sorted(images.keys() & masks.keys())]

    def _by_stem(self, folder: Path) -> tuple[dict[str, Path], set[str]]:
        """The images in a folder by stem (name without suffix), and the stems of files that are left out."""
        images, aside = dict[str, Path](), set[str]()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"{folder}: {error.strerror}; data.root holds train/images and train/masks"
            ) from error
        for entry in entries:
            path = folder / entry.name
            if ignored(entry.name):
                continue
            if why := IMAGES.unfit(entry):
                self._left_out.append(f"{self._name(path)} ({why})")
                aside.add(composed(path.stem))
            elif images.setdefault(composed(path.stem), path) != path:
                raise DataError(
                    f"{folder}: two files have the same name except for the suffix; rename one of them"
                )
        return images, aside

    def _name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()
