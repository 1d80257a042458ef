"""Turns a stored array of images into pixels of 8 bits, and reads the labels that belong to the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Images, Labels
from resexp.data.npy import StoredArray
from resexp.errors import DataError

Layout = Literal["NHW", "NHWC", "NCHW"]
CHANNELS = (1, 3)
"""If an axis has one of these lengths, it may be that of the channels."""
LARGEST = 16_384
"""The most pixels in a row of an image, as for the option `image_size`."""


@dataclass(frozen=True)
class ImageArray:
    """Square images in a stored array. `white` is the value of white pixels."""

    array: StoredArray
    layout: Layout
    white: float

    @property
    def shape(self) -> tuple[int, int]:
        """The number of pixels in a row, and of channels."""
        sides = dict(zip(self.layout, self.array.shape, strict=True))
        return sides["H"], sides.get("C", 1)

    def blocks(self) -> Iterator[Images]:
        """All images in order, in blocks (n, H, W, C) uint8. Raises DataError for values outside 0 to
        `white`.
        """
        start = 0
        for block in self.array.blocks():
            pixels = self._in_8_bits(block, start)
            if self.layout == "NCHW":
                pixels = pixels.transpose(0, 2, 3, 1)
            yield np.ascontiguousarray(pixels if pixels.ndim == 4 else pixels[..., None])
            start += len(block)

    def _in_8_bits(self, block: NDArray[Any], start: int) -> Images:
        if block.dtype == np.uint8 and self.white == 255:
            return block
        fits = (block >= 0) & (block <= self.white)  # False for NaN
        if not fits.all():
            row = int(np.argmin(fits.reshape(len(block), -1).all(1)))
            wrong = block[row][~fits[row]][0]
            raise DataError(
                f"{self.array}: image {start + row}, counted from 0, has the value {wrong}; give values "
                f"from 0, black, to {self.white:g}, white, or set data.white"
            )
        return np.rint(block.astype(np.float64) * (255 / self.white)).astype(np.uint8)


def images_in(array: StoredArray, layout: Layout | None, white: float | None) -> ImageArray:
    """The images in an array. If `layout` is None, it follows from the shape. Raises DataError if the shape
    fits none or several of the layouts, if images are not squares of at most LARGEST pixels per side, and if
    there is no image.
    """
    axes = len(array.shape)
    ends: dict[Layout, int] = {"NHW": 1, "NHWC": array.shape[-1], "NCHW": array.shape[1 % axes]}
    fitting = [
        known
        for known, channels in ends.items()
        if len(known) == axes and (layout == known or (layout is None and channels in CHANNELS))
    ]
    if len(fitting) != 1:
        wrong = f"has the shape {array.shape}{f' and not {layout}' if layout else ''}"
        right = "give NHW, NHWC or NCHW, with 1 or 3 channels unless data.layout says which it is"
        if len(fitting) > 1:
            right = f"set data.layout to {' or '.join(fitting)}"
        raise DataError(f"{array}: {wrong}; {right}")
    sides = dict(zip(fitting[0], array.shape, strict=True))
    if sides["H"] != sides["W"] or not 0 < sides["H"] <= LARGEST or not sides.get("C", 1):
        wrong = f"has images of {sides['H']} x {sides['W']} pixels and {sides.get('C', 1)} channels"
        raise DataError(f"{array}: {wrong}; give squares of 1 to {LARGEST} pixels, or another data.layout")
    if not len(array):
        raise DataError(f"{array}: has no image; give at least one")
    return ImageArray(array, fitting[0], white or (1.0 if array.dtype.kind == "f" else 255.0))


def labels_in(array: StoredArray, images: StoredArray, classes: int | None) -> Labels:
    """The labels (n,) int64 of these images: 0 to K - 1, where K is `classes` if that is given.

    Raises DataError if there is not one whole number for each image, if a number is not in this range, or if
    `classes` is not given and a number in the range does not occur.
    """
    if array.dtype.kind == "f":
        raise DataError(f"{array}: has the type {array.dtype}; give labels as integers")
    if array.shape not in ((len(array),), (len(array), 1)):
        raise DataError(f"{array}: has the shape {array.shape}; give one integer for each image")
    if len(array) != len(images):
        wrong = f"has {len(array):,} labels, and {images.name} has {len(images):,} images"
        raise DataError(f"{array}: {wrong}; give one for each image")
    labels = array.whole().reshape(-1)
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= (classes or len(labels)):
        right = f"0 to {classes - 1}" if classes else "0 to one less than the number of classes"
        raise DataError(f"{array}: has labels from {least} to {most}; give {right}")
    labels = labels.astype(np.int64)
    missing = np.flatnonzero(np.bincount(labels) == 0)
    if classes is None and len(missing):
        wrong = f"has labels from {least} to {most}, but none is {missing[0]}"
        raise DataError(f"{array}: {wrong}; number the classes from 0 without a gap")
    return labels
