"""Decodes image files to pixels of 8 bits, several at once and in bounded memory. Does not import torch."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import cpu_count
from pathlib import Path
from threading import Condition
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from resexp.data.base import Images, Masks
from resexp.data.modes import class_numbers, in_8_bits
from resexp.errors import DataError

In = TypeVar("In")
Out = TypeVar("Out")

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""The formats that are read. Other formats are not read, because for some of them Pillow starts programs, or
takes any text for an image.
"""

PIXELS = 2**27
"""An image with more pixels is left out: in colour it would take a gigabyte of memory."""

BYTES = 2**30
"""The most bytes of memory for the images that are being read. A file with more bytes is left out."""

RESIZED = 2**22
"""If a whole resized image would have more pixels than this, only its middle square is computed."""

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn an image upright, by the orientation in its EXIF data."""


logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Without a handler, Python would print what Pillow logs about damaged files."""


class Unreadable(Exception):
    """A file cannot be read as an image or a recording. The message says why, without the file's name."""


class Picture(NamedTuple):
    """The first frame of an image file.

    pixels: (side, side, 3) uint8. size: width and height of the upright image before it was resized. more:
    whether the file has more frames.
    """

    pixels: Images
    size: tuple[int, int]
    more: bool


class Mask(NamedTuple):
    """The classes of a picture's pixels, (side, side) uint8. merged: whether they are 0 and 1, and 1 stands
    for several numbers of the file.
    """

    classes: Masks
    merged: bool


class Reader:
    """Reads image files in several threads and bounded memory. A context manager.

    Threads suffice, because Pillow releases Python's lock while it decodes. An image is read only when there
    is room for it, so that memory does not grow with the number of threads.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=min(16, cpu_count() or 1))
        self._free, self._changed = BYTES, Condition()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out | Unreadable]:
        """The function's result for each item, in order, or the Unreadable that it raised."""

        def guarded(item: In) -> Out | Unreadable:
            try:
                return function(item)
            except Unreadable as reason:
                return reason

        with quiet():
            return list(self._pool.map(guarded, items))

    def picture(self, file: Path, size: int) -> Picture:
        """An image's middle square, resized to `size` pixels. Raises Unreadable, and DataError if the file
        does not say which value is white.
        """
        with self._loaded(file) as image:
            more = several(image)
            whole = upright(image, in_8_bits(image, file))
            small = middle(whole, size, Image.Resampling.BILINEAR)
            return Picture(np.asarray(small.convert("RGB")), whole.size, more)

    def mask(self, file: Path, size: int, groups: int, of: Picture) -> Mask:
        """A mask's middle square, resized, with class numbers below `groups`. `of` is the picture that it
        belongs to.

        Raises Unreadable, and DataError if the mask differs from the picture in size or has wrong numbers.
        """
        with self._loaded(file) as image:
            whole, merged = class_numbers(image, file, groups)
            numbers = upright(image, whole)
            if numbers.size != of.size:
                raise DataError(
                    f"{file}: has {numbers.size} pixels and its image {of.size}, both upright as a viewer "
                    "shows them; give both the same size"
                )
            return Mask(np.asarray(middle(numbers, size, Image.Resampling.NEAREST)), merged)

    @contextmanager
    def _loaded(self, file: Path) -> Iterator[Image.Image]:
        with opened(file) as image, explained():
            pixels = image.width * image.height
            if pixels > PIXELS:
                raise Unreadable(_too_large(pixels))
            with self._room(pixels * (2 if image.mode in ("1", "L") else 8)):
                image.load()
                yield image

    @contextmanager
    def _room(self, needed: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings. Warnings about sizes are not needed, and the causes of the other warnings
    do not affect the pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """An image file, of which only the header has been read. Raises Unreadable."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    with explained():
        size = file.stat().st_size
        if size > BYTES:  # some decoders read the whole file, even if its header announces fewer bytes
            raise Unreadable(f"has {size:,} bytes, and at most {BYTES:,} are read")
        if not size:
            raise Unreadable("empty")
        image = Image.open(file, formats=known)
    with image:
        yield image


def shared_side(files: Iterable[Path]) -> int | None:
    """The side in pixels if all images are squares of one size by their headers, and None otherwise. Files
    whose headers cannot be read do not count.
    """
    side = None
    with quiet():
        for file in files:
            try:
                with opened(file) as image:
                    width, height = image.size
            except Unreadable:
                continue
            if width != height or side not in (None, width):
                return None
            side = width
    return side


@contextmanager
def explained() -> Iterator[None]:
    """Turn whatever a decoder raises into Unreadable, with a message of our own."""
    try:
        yield
    except (DataError, MemoryError, Unreadable):
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise Unreadable(_too_large(int(pixels[0]) if pixels else None)) from error
    except UnidentifiedImageError as error:
        raise Unreadable("no image of a known format, or a damaged one") from error
    except Exception as error:  # on damaged files decoders raise almost anything
        system = error.strerror if isinstance(error, OSError) and error.errno else None
        raise Unreadable(system or "cut off or damaged") from error


def _too_large(pixels: int | None) -> str:
    count = f"{pixels:,}" if pixels else f"more than {PIXELS:,}"
    return f"has {count} pixels, and at most {PIXELS:,} are read"


def several(image: Image.Image) -> bool:
    """Whether a file has several frames or pages. Previews within a photograph (MPO) do not count."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame, which is not needed
        return True


def upright(source: Image.Image, flat: Image.Image) -> Image.Image:
    """The image `flat`, turned upright as a viewer shows it. It was converted from `source`, whose EXIF data
    say how to turn it. `source` is closed unless it is `flat` itself.
    """
    try:
        turn = TURNS.get(source.getexif().get(ORIENTATION, 1))
    except Exception:  # viewers ignore damaged EXIF data
        turn = None
    if flat is not source:
        source.close()
    return flat if turn is None else flat.transpose(turn)


def middle(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    """The middle square (size, size) of an image, after resizing its shorter side to `size` pixels."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    if width * height <= max(RESIZED, 4 * size * size):
        return image.resize((width, height), filter).crop((left, top, left + size, top + size))
    # If the image is a long and narrow strip, resizing all of it would take gigabytes.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize(
        (size, size), filter, box=(*box[:2], min(box[2], image.width), min(box[3], image.height))
    )
