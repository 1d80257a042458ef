"""The data set `image_folder`: a folder of your own images, with one folder for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from resexp.data.base import Chunk, Facts, Labels, Progress, Source, Split, fingerprint
from resexp.data.contents import Contents
from resexp.data.listing import IMAGES, Wanted, files_below, folders_in, stray_files
from resexp.data.names import composed
from resexp.data.notes import dark, listed
from resexp.data.pixels import Picture, Reader, Unreadable, shared_side
from resexp.data.splits import Splits, find_splits
from resexp.data.subset import held_out
from resexp.errors import DataError
from resexp.machine.folders import own_folder
from resexp.options import Fraction

DEFAULT_SIZE = 64
CHUNK = 256
TEST_FRACTION = 0.2
"""The default of the option `test_fraction`."""


@dataclass(frozen=True)
class Tree:
    """The images (or recordings) below a folder that has one folder for each class.

    files: paths relative to `folder`; labels: (n,) int64, the class of each file; left_out: paths of files
    that are not used, each with the reason.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: Labels
    left_out: tuple[str, ...] = ()

    def part(self, rows: Labels) -> Tree:
        """The tree with only these files, given by their positions."""
        files = tuple(self.files[row] for row in rows)
        return Tree(self.folder, self.classes, files, self.labels[rows], self.left_out)


class ClassFolders:
    """The common part of data sets whose `root` has one folder of files for each class."""

    root: Path
    test_fraction: float
    wanted: ClassVar[Wanted] = IMAGES

    def identity(self, contents: Contents) -> str:
        trees = self._splits.values()
        return fingerprint([[tree.classes, contents.of(tree.folder, tree.files)] for tree in trees])

    def _facts(
        self, shape: tuple[int, ...], *key: Any, notes: tuple[str, ...] = (), samples: int = 0
    ) -> Facts:
        """The data set's facts. `key` is everything that decides how a file is decoded."""
        train, test = self._splits["train"], self._splits["test"]
        trained, tested = (
            tuple(np.bincount(tree.labels, minlength=len(train.classes)).tolist()) for tree in (train, test)
        )
        whole = fingerprint(*key, self.test_fraction if train.folder == test.folder else None)
        aside = [self._name(tree, path) for tree in (train, test) for path in tree.left_out]
        one = f"there is one class, {train.classes[0]!r}, so there is nothing to classify"
        alone = (one,) if len(train.classes) == 1 else ()
        notes = (*self._folders.notes, *alone, *listed(aside, "left out"), *notes)
        return Facts(shape, "labels", train.classes, trained, tested, whole, notes=notes, samples=samples)

    @cached_property
    def _folders(self) -> Splits:
        with readable_root():
            return find_splits(self.root)

    @cached_property
    def _splits(self) -> dict[Split, Tree]:
        return split_trees(self._folders, self.test_fraction, self.wanted)

    def _chunks(self, split: Split) -> Iterator[tuple[list[str], Labels]]:
        """The names of the files below `root`, and their labels, chunk by chunk."""
        tree = self._splits[split]
        for start in range(0, len(tree.files), CHUNK):
            files, labels = tree.files[start : start + CHUNK], tree.labels[start : start + CHUNK]
            yield [self._name(tree, file) for file in files], labels

    def _name(self, tree: Tree, path: str) -> str:
        return (tree.folder / path).relative_to(self.root).as_posix()


class ImageFolder(ClassFolders, Source):
    """Images in `root/train/<class>/` and `root/val/<class>/` (or `test`), at any depth below these.

    Other usual names of these folders are recognised, such as `Training` and `valid`. If there are both `val`
    and `test`, `val` is the test set. If there is no `train`, the classes lie in `root` itself. If there is
    neither `val` nor `test`, a part of the images, `test_fraction`, is the test set. It is stratified by
    class and the same in every trial.

    Images are turned upright, transparent parts become white, and the result has three channels of 8 bits.
    The shorter side is resized to `image_size` pixels with antialiasing, and the middle square is cut out. By
    default, if all images are squares of one size, they keep it; otherwise they get 64 pixels. If a file has
    several frames, the first is used. Files that are not images are left out, counted and named.
    """

    def __init__(self, *, root: str, test_fraction: Fraction = 0.2) -> None:
        self.root = own_folder(root)
        self.test_fraction = test_fraction

    def facts(self, image_size: int | None) -> Facts:
        size = self._size(image_size)
        kept = f"all images have {size} x {size} pixels, and keep them"
        notes = (kept,) if image_size is None and self._side else ()
        return self._facts((3, size, size), "image_folder", 2, size, notes=notes)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        size, brightest = self._size(image_size), 0
        with Reader() as reader:
            for names, labels in self._chunks(split):
                read = reader.map(lambda name: reader.picture(self.root / name, size), names)
                yield (chunk := chunk_of(read, labels, names, size))
                brightest = max(brightest, int(chunk.images.max(initial=0)))
        empty = np.empty((0, size, size, 3), np.uint8)
        yield Chunk(empty, np.empty(0, np.int64), notes=dark(brightest, split))

    def _size(self, image_size: int | None) -> int:
        return image_size or self._side or DEFAULT_SIZE

    @cached_property
    def _side(self) -> int | None:
        """The side of the images in pixels if they are all squares of one size, and None otherwise."""
        return shared_side(tree.folder / file for tree in self._splits.values() for file in tree.files)


def chunk_of(read: Sequence[Picture | Unreadable], labels: Labels, names: Sequence[str], size: int) -> Chunk:
    """A chunk of the pictures that could be read, with their labels, and the names of the other files.

    read: for each name in `names`, the picture or why it cannot be read. size: the pictures' side in pixels.
    """
    good = [row for row, picture in enumerate(read) if isinstance(picture, Picture)]
    kept = [picture for picture in read if isinstance(picture, Picture)]
    failed = [
        (name, reason) for name, reason in zip(names, read, strict=True) if isinstance(reason, Unreadable)
    ]
    return Chunk(
        np.stack([picture.pixels for picture in kept]) if kept else np.empty((0, size, size, 3), np.uint8),
        labels[good],
        tuple(f"{name} ({reason})" for name, reason in failed),
        tuple(names[row] for row, picture in zip(good, kept, strict=True) if picture.more),
    )


def split_trees(folders: Splits, test_fraction: float, kind: Wanted) -> dict[Split, Tree]:
    """The trees of both splits. If there is no test folder, `test_fraction` of each class is the test set."""
    tree = scan(folders.train, None, kind)
    if folders.test is not None:
        if test_fraction != TEST_FRACTION:
            wrong = f"has no effect, because {folders.test} is the test set"
            raise DataError(f"data.test_fraction: {wrong}; leave it at {TEST_FRACTION}")
        return {"train": tree, "test": scan(folders.test, tree.classes, kind)}
    rows = held_out(tree.labels, tree.classes, test_fraction, str(tree.folder), "a `val` folder")
    rest = np.setdiff1d(np.arange(len(tree.files)), rows)
    return {"train": tree.part(rest), "test": replace(tree.part(rows), left_out=())}


def scan(folder: Path, classes: Sequence[str] | None, kind: Wanted) -> Tree:
    """The files of this kind below a folder, by class.

    For a test set, give the `classes` of the training set. Then no other class may occur, and folders without
    images are ignored. Raises DataError if the folder is missing or has no class, if a class has no image, or
    if a class is not in `classes`.
    """
    left_out, images = list[str](), dict[str, list[str]]()
    with readable_root():
        for name in folders_in(folder):
            images[name], unfit = files_below(folder, name, kind)
            left_out += unfit
        left_out += stray_files(folder, kind)
    if classes is not None:
        images = {name: paths for name, paths in images.items() if paths}
    if not images:
        raise DataError(f"{folder}: no folders with {kind.name} in it; there must be one for each class")
    names = dict[str, str]()
    for name in images:
        if (twin := names.setdefault(composed(name), name)) != name:
            raise DataError(f"{folder}: two folders have the name {twin!r} in two spellings; merge them")
        if not images[name]:
            raise DataError(f"{folder / name}: no {kind.name} in it; known kinds: {', '.join(kind.formats)}")
        if classes is not None and composed(name) not in classes:
            raise DataError(f"{folder}: there is no class {name!r} in the training folder; remove it here")
    known = tuple(names if classes is None else classes)
    files, labels = list[str](), list[int]()
    for name, paths in images.items():
        files += paths
        labels += [known.index(composed(name))] * len(paths)
    return Tree(folder, known, tuple(files), np.array(labels, np.int64), tuple(left_out))


@contextmanager
def readable_root() -> Iterator[None]:
    """Turns an OSError into a DataError that says what `data.root` must be."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}; data.root names a readable folder of one folder per class"
        ) from error
