"""Any folder of images sorted into one folder for each class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from resexp.data.base import Chunk, Facts, Images, Labels, Progress, Source, Split, fingerprint
from resexp.data.subset import select
from resexp.errors import DataError
from resexp.options import Fraction

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp"))
TEST_FOLDERS = ("val", "test")
DEFAULT_SIZE = 64
CHUNK = 256
SPLIT_SEED = 0


@dataclass(frozen=True)
class Tree:
    """The images below a folder with one folder for each class: relative paths, in order, and labels."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: Labels
    digest: str

    def part(self, rows: Labels) -> Tree:
        files = tuple(self.files[row] for row in rows)
        return Tree(self.folder, self.classes, files, self.labels[rows], self.digest)


class ImageFolder(Source):
    """Images in `root/train/<class>/` and `root/val/<class>/` (or `test`), at any depth below these.

    Without `root/train`, the classes lie in `root` itself. Without `val` and `test`, a stratified
    `test_fraction` of the images, always the same, is the test set. An image becomes three channels, its
    shorter side is resized to `image_size` pixels (64 unless given) with antialiasing, and the middle
    square is cut out. Files that cannot be decoded are left out, counted and named.
    """

    def __init__(self, *, root: str, test_fraction: Fraction = 0.2) -> None:
        self.root = Path(root).expanduser()
        self.test_fraction = test_fraction

    def facts(self, image_size: int | None) -> Facts:
        size, train, test = image_size or DEFAULT_SIZE, self._splits["train"], self._splits["test"]
        counts = [tuple(np.bincount(t.labels, minlength=len(train.classes)).tolist()) for t in (train, test)]
        fraction = self.test_fraction if train.folder == test.folder else None
        key = fingerprint("image_folder", 1, size, fraction, train.digest, test.digest)
        return Facts((3, size, size), "labels", train.classes, counts[0], counts[1], key)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        tree, size = self._splits[split], image_size or DEFAULT_SIZE
        # Decoding leaves Python's lock alone, so threads do; a chunk at a time bounds the memory.
        with ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1)) as pool:
            for start in range(0, len(tree.files), CHUNK):
                files, labels = tree.files[start : start + CHUNK], tree.labels[start : start + CHUNK]
                images = list(pool.map(lambda file: decoded(tree.folder / file, size), files))
                good = [row for row, image in enumerate(images) if image is not None]
                kept = [image for image in images if image is not None]
                yield Chunk(
                    np.stack(kept) if kept else np.empty((0, size, size, 3), np.uint8),
                    labels[good],
                    tuple(str(tree.folder / f) for f, i in zip(files, images, strict=True) if i is None),
                )

    @cached_property
    def _splits(self) -> dict[Split, Tree]:
        apart = self.root / "train"
        tree = scan(apart if apart.is_dir() else self.root)
        for name in TEST_FOLDERS:
            if apart.is_dir() and (self.root / name).is_dir():
                return {"train": tree, "test": scan(self.root / name, tree.classes)}
        counts = np.bincount(tree.labels, minlength=len(tree.classes)).tolist()
        size = round(self.test_fraction * len(tree.files))
        lone = [name for name, count in zip(tree.classes, counts, strict=True) if count < 2]
        if lone or not len(counts) <= size <= len(tree.files) - len(counts):
            raise DataError(
                f"{tree.folder}: {len(tree.files)} images of {len(counts)} classes cannot be split with "
                f"test_fraction {self.test_fraction} so that each class is in both parts"
                + (f" ({lone[0]!r} has one image)" if lone else "")
                + "; give another fraction, or a `val` folder"
            )
        rows = select(tree.labels, size, SPLIT_SEED)
        rest = np.setdiff1d(np.arange(len(tree.files)), rows)
        return {"train": tree.part(rest), "test": tree.part(rows)}


def scan(folder: Path, classes: Sequence[str] | None = None) -> Tree:
    """List the images below a folder by class; `classes`, if given, are those there may be.

    The digest covers relative paths, sizes and modification times. Raises DataError where there is no
    such folder, no class, a class without an image, or a class not among `classes`.
    """
    try:
        found = sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
        images = {name: list(_images(folder, name)) for name in found}
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}; data.root names a readable folder with one for each class"
        ) from error
    if not found:
        raise DataError(f"{folder}: no folders in it; there must be one for each class, with its images")
    if strange := [name for name in found if classes is not None and name not in classes]:
        raise DataError(f"{folder}: there is no class {strange[0]!r} in the training folder; remove it here")
    names = tuple(found if classes is None else classes)
    files, labels, digest = list[str](), list[int](), hashlib.sha256()
    for name in found:
        if not images[name]:
            raise DataError(f"{folder / name}: no images in it; known kinds: {', '.join(sorted(SUFFIXES))}")
        for file, stamp in images[name]:
            digest.update(f"{file}\0{stamp}\n".encode("utf-8", "surrogateescape"))
            files.append(file)
        labels += [names.index(name)] * len(images[name])
    return Tree(folder, names, tuple(files), np.array(labels, np.int64), digest.hexdigest())


def _images(folder: Path, inner: str) -> Iterator[tuple[str, str]]:
    """The images below `folder/inner`: path from `folder`, and size and time. Text, for there may be many."""
    for entry in sorted(os.scandir(folder / inner), key=lambda entry: entry.name):
        path = f"{inner}/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):  # links could lead round in a circle
            yield from _images(folder, path)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            yield path, _stamp(entry)


def _stamp(entry: os.DirEntry[str]) -> str:
    try:
        stat = entry.stat()
    except OSError:  # a broken link, which decoding will count among the unreadable
        return "-"
    return f"{stat.st_size}\0{stat.st_mtime_ns}"


def decoded(file: Path, size: int) -> Images | None:
    """One image file as (size, size, 3) uint8, or None if it cannot be decoded."""
    try:
        with Image.open(file) as image:
            return np.asarray(middle(image.convert("RGB"), size, Image.Resampling.BILINEAR))
    except MemoryError:
        raise
    except Exception:  # decoders raise whatever comes to hand on a damaged file
        return None


def middle(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    """The square in the middle of an image whose shorter side is made `size` pixels."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return image.resize((width, height), filter).crop((left, top, left + size, top + size))
