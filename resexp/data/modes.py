"""Converts the pixels of image files of any type: to 8 bits, or to the class numbers of a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resexp.errors import DataError

STRIP = 2**20
"""The number of pixels that are converted at a time, to bound memory."""

PAGE = "white"
"""The colour behind transparent pixels."""

WIDE_GREY = ("PNG", "PPM")
"""In these formats integers have at most 16 bits, even if Pillow gives them 32 bits (mode I)."""

LOSSY = ("JPEG", "MPO")

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""The tag of TIFF files that says which value is white, and its value if that is 0."""


def in_8_bits(image: Image.Image, file: Path) -> Image.Image:
    """The image in grey (Pillow's mode L) or RGB. If it has one of these modes and nothing is transparent, it
    is returned unchanged.

    Values of 16 bits are divided by 257, and floating-point values are scaled from 0..1. Transparent pixels
    become white. Raises DataError if the file does not say which value is white, and for values of 16 bits or
    more of which 0 is white, because Pillow gives black and white exchanged then.
    """
    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format in WIDE_GREY)
    if (deep or image.mode == "F") and image.format == "TIFF" and _white_is_zero(image):
        raise DataError(
            f"{file}: is a TIFF file of 16 bits or more in which 0 is white (WhiteIsZero); save it with 0 as "
            "black, or with 8 bits"
        )
    if deep:
        return _by_strips(image, "L", lambda strip: _from_16_bits(strip, image.info.get("transparency")))
    if image.mode == "F":
        return _by_strips(image, "L", lambda strip: _from_fractions(strip, file))
    if image.mode == "I":
        low, high = image.getextrema()
        raise DataError(
            f"{file}: has integers of 32 bits, from {low} to {high}, and does not say which is white; save "
            "the images with 8 or 16 bits"
        )
    if image.has_transparency_data:
        return _by_strips(image, "RGB", _on_the_page)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    return _by_strips(image, "RGB", _from_lab if image.mode == "LAB" else lambda strip: strip.convert("RGB"))


def _white_is_zero(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)


def class_numbers(image: Image.Image, file: Path, groups: int) -> tuple[Image.Image, bool]:
    """The class numbers of a mask, from 0 to `groups` - 1, as an image in grey (mode L), and whether several
    numbers of the file have become class 1.

    If there are two groups, every value except 0 counts as 1. In a JPEG file, whose compression blurs, only
    values of at least 128 count as 1, and they all stand for one number. Raises DataError if a number is too
    large or negative, if pixels are colours, or if the type of the file does not preserve class numbers.
    """
    if groups > 2 and image.format in LOSSY:
        raise DataError(
            f"{file}: is a JPEG file, whose compression changes the numbers of classes; save masks as PNG"
        )
    least = 128 if image.format in LOSSY else 1
    foreground = set[int]()

    def convert(strip: Image.Image) -> Image.Image:
        numbers = _numbers(strip, file)
        if groups == 2:
            foreground.update(np.unique(numbers[numbers >= least]).tolist())
            return Image.fromarray((numbers >= least).astype(np.uint8))
        if numbers.min() < 0 or numbers.max() >= groups:
            wrong = numbers.max() if numbers.max() >= groups else numbers.min()
            raise DataError(
                f"{file}: has class {wrong}; classes are 0 to {groups - 1}, so fix it or raise data.groups"
            )
        return Image.fromarray(numbers.astype(np.uint8))

    return _by_strips(image, "L", convert), len(foreground) > 1 and image.format not in LOSSY


def _numbers(strip: Image.Image, file: Path) -> NDArray[Any]:
    """The number of each pixel, (H, W); for a palette, the index of the colour. Raises DataError if pixels
    are colours.
    """
    values = np.asarray(strip)
    if values.dtype == bool:
        return values.astype(np.uint8)
    if strip.mode in ("LA", "RGBA", "PA") and values[..., -1].min() == 255:
        values = values[..., :-1]
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim == 3:
        raise DataError(
            f"{file}: is a mask in colours or partly transparent ({strip.mode}); a mask has one number for "
            "each pixel, as a PNG file in grey or with a palette"
        )
    if strip.mode == "F" and not (np.isfinite(values) & (values == np.rint(values))).all():
        raise DataError(
            f"{file}: is a mask of floating-point values; a mask has whole numbers, as in a PNG file"
        )
    if values.min() < 0:
        raise DataError(f"{file}: is a mask with the number {values.min()}; classes are numbered from 0")
    return values


def _from_16_bits(strip: Image.Image, transparent: Any) -> Image.Image:
    values = np.asarray(strip).astype(np.uint32)
    grey = (values + 128) // 257
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey.astype(np.uint8))


def _from_fractions(strip: Image.Image, file: Path) -> Image.Image:
    values = np.asarray(strip)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):  # this form also refuses NaN
        raise DataError(
            f"{file}: has floating-point values from {low:g} to {high:g}; save the images with values from "
            "0, black, to 1, white, or with 8 or 16 bits"
        )
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _on_the_page(strip: Image.Image) -> Image.Image:
    colours = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, PAGE), colours).convert("RGB")


def _from_lab(strip: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, colours = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(strip, lab, colours, outputMode="RGB")
    assert converted is not None  # None is only returned for conversions in place
    return converted


def _by_strips(image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The image, converted strip by strip."""
    whole = Image.new(mode, image.size)
    for top, bottom in _strips(image):
        whole.paste(convert(image.crop((0, top, image.width, bottom))), (0, top))
    return whole


def _strips(image: Image.Image) -> Iterator[tuple[int, int]]:
    """The first row of each strip, and the row after its last."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, min(top + rows, image.height)
