"""The data set `arrays`: images and labels of your own in an .npz archive or in .npy files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Literal

import numpy as np

from resexp.data.base import Chunk, Facts, Labels, Progress, Source, Split, chunks, fingerprint
from resexp.data.contents import Contents
from resexp.data.image_array import CHANNELS, ImageArray, images_in, labels_in
from resexp.data.known import KNOWN, Recognition
from resexp.data.notes import DARK
from resexp.data.npy import stored
from resexp.data.subset import held_out
from resexp.errors import DataError
from resexp.machine.folders import data_folder, own_folder
from resexp.options import Fraction, PositiveFloat


class Arrays(Source):
    """Images and integer labels in an `.npz` archive `root`, or in `.npy` files of a folder `root`.

    Four options name the arrays. If `test_fraction` is given, this share of the training examples is the test
    set, stratified by class and the same in every trial. Test arrays are then not used. There is one label
    for each image, from 0 to K - 1. `layout` names the axes of the images (N: images, H: height, W: width, C:
    channels). If it is null, an array of four axes must have 1 or 3 channels as its second or last axis.
    Images are square. `white` is the value of white pixels, by default 255 for integers and 1 for
    floating-point numbers. Images are rounded to 256 levels. Nothing is unpickled, and only labels are read
    into memory as a whole.

    `same_as: cifar10` says that the arrays are CIFAR-10 in its usual order. This is checked by hashes of the
    images and labels. Classes then have CIFAR-10's names, comparisons with papers on CIFAR-10 accept the set,
    and `root` is by default `cifar10.npz` in the data folder.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        train_images: str = "train_images",
        train_labels: str = "train_labels",
        test_images: str = "test_images",
        test_labels: str = "test_labels",
        test_fraction: Fraction | None = None,
        layout: Literal["NHW", "NHWC", "NCHW"] | None = None,
        white: PositiveFloat | None = None,
        same_as: Literal["cifar10"] | None = None,
    ) -> None:
        if root is None and same_as is None:
            raise DataError("data.root: is missing; name an .npz file, or a folder of .npy files")
        if same_as and test_fraction is not None:
            raise DataError(
                f"data.test_fraction: {same_as} has a test set of its own; leave test_fraction out"
            )
        self.root = data_folder() / f"{same_as}.npz" if root is None else own_folder(root)
        self.names: dict[Split, tuple[str, str]] = {"train": (train_images, train_labels)}
        if test_fraction is None:
            self.names["test"] = (test_images, test_labels)
            for what, test, train in (
                ("images", test_images, train_images),
                ("labels", test_labels, train_labels),
            ):
                if test == train:
                    wrong = f"names the training {what}, {train}"
                    raise DataError(f"data.test_{what}: {wrong}; name others, or give test_fraction")
        for what, test in (("images", test_images), ("labels", test_labels)):
            if test_fraction is not None and test != f"test_{what}":
                wrong = f"has no effect with test_fraction, which keeps training {what} for testing"
                raise DataError(f"data.test_{what}: {wrong}; leave one of them out")
        self.test_fraction, self.layout, self.white = test_fraction, layout, white
        self.known = KNOWN[same_as] if same_as else None

    def facts(self, image_size: int | None) -> Facts:
        side, channels = self._images["train"].shape
        if image_size not in (None, side) and channels not in CHANNELS:
            wrong = f"images of {channels} channels cannot be resized to {image_size} pixels"
            raise DataError(f"data.image_size: {wrong}; leave image_size out")
        size, classes = image_size or side, self._classes
        train, test = (
            tuple(np.bincount(self._labels[source][rows], minlength=len(classes)).tolist())
            for source, rows in (self._part("train"), self._part("test"))
        )
        finer = any(i.array.dtype.kind == "f" or i.white > 255 for i in self._images.values())
        notes: tuple[str, ...] = ("images are rounded to 256 levels",) if finer else ()
        notes += ("all labels are 0, so there is nothing to classify",) if len(classes) == 1 else ()
        key = fingerprint("arrays", 1, size, self.test_fraction)
        return Facts((channels, size, size), "labels", classes, train, test, key, notes=notes)

    def identity(self, contents: Contents) -> str:
        """A hash of the pixels and labels, the same in every file format. Raises DataError, also if the test
        arrays equal the training arrays.
        """
        hashes = []
        for split, images in self._images.items():
            how = f"{images.layout} {images.white} {self.known.title if self.known else ''}"
            hashes += [
                contents.part(images.array.file, f"{images.array.name} {how}", partial(self._digest, split)),
                hashlib.sha256(self._labels[split].astype("<i8").tobytes()).hexdigest(),
            ]
        if hashes[:2] == hashes[2:]:
            wrong = "the test arrays have the same images and labels as the training arrays"
            raise DataError(f"{self.root}: {wrong}; name others, or give test_fraction")
        return fingerprint(hashes)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        source, rows = self._part(split)
        images, labels = self._images[source], self._labels[source]
        start, brightest, check = 0, 0, self._recognition(source)
        for block in images.blocks():
            check.add(block)
            brightest = max(brightest, int(block.max()))
            first, last = np.searchsorted(rows, [start, start + len(block)])
            taken = rows[first:last]
            yield from chunks(block[taken - start], labels[taken], image_size)
            start += len(block)
        size = image_size or images.shape[0]
        largest = f"{brightest * images.white / 255:.3g}"
        white = f"white is {images.white:g}; set data.white if {largest} is white"
        dark = [f"{images.array}: the largest value is {largest}, and {white}"]
        dark *= brightest < DARK
        yield Chunk(
            np.empty((0, size, size, images.shape[1]), np.uint8), labels[:0], notes=(*check.notes(), *dark)
        )

    def _digest(self, split: Split) -> str:
        """The SHA-256 of all pixels of an array. Raises DataError if they are not those of the known set."""
        whole, check = hashlib.sha256(), self._recognition(split)
        for block in self._images[split].blocks():
            check.add(block)
            whole.update(block.data)
        return whole.hexdigest()

    def _recognition(self, split: Split) -> Recognition:
        return Recognition(self.known, split, str(self._images[split].array))

    @cached_property
    def _images(self) -> dict[Split, ImageArray]:
        found: dict[Split, ImageArray] = {
            split: images_in(stored(self.root, images), self.layout, self.white)
            for split, (images, _) in self.names.items()
        }
        shapes = [images.shape for images in found.values()]
        if len(set(shapes)) > 1:
            sides = " and ".join(f"{side} pixels and {channels} channels" for side, channels in shapes)
            raise DataError(f"{self.root}: training and test images have {sides}; give both the same")
        return found

    @cached_property
    def _labels(self) -> dict[Split, Labels]:
        labels = dict[Split, Labels]()
        for split, (_, name) in self.names.items():
            classes = int(labels["train"].max()) + 1 if labels else None
            array, images = stored(self.root, name), self._images[split].array
            labels[split] = labels_in(array, images, classes)
            Recognition(self.known, split, str(array)).check_labels(labels[split])
        return labels

    @property
    def _classes(self) -> tuple[str, ...]:
        return (
            self.known.classes if self.known else tuple(map(str, range(int(self._labels["train"].max()) + 1)))
        )

    def _part(self, split: Split) -> tuple[Split, Labels]:
        """Where a split comes from: "train" for the training arrays or "test" for the test arrays, and the
        rows of these arrays that belong to the split.
        """
        if self.test_fraction is None:
            return split, np.arange(len(self._labels[split]))
        where = str(self._images["train"].array)
        test = held_out(self._labels["train"], self._classes, self.test_fraction, where, "test arrays")
        return "train", test if split == "test" else np.setdiff1d(np.arange(len(self._labels["train"])), test)
