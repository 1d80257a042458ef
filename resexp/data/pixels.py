"""From image files to pixels of 8 bits, many at once, in bounded memory. Free of torch."""

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
"""What is read. Pillow knows more, but some of these run other programs or take any text for an image."""

PIXELS = 2**27
"""An image with more pixels is left out, for in colours it would take a gigabyte."""

BYTES = 2**30
"""Memory for all the images that are being read at one moment. A larger file is left out."""

RESIZED = 2**22
"""Pixels that a resized image may have, of which only the middle is wanted, unless that itself has more."""

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
"""What makes an image upright, by the orientation that its EXIF data state."""


logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Without a handler, Python would print what Pillow logs of damaged files."""


class Unreadable(Exception):
    """A file gives no image. The message says why and does not name the file."""


class Picture(NamedTuple):
    """An image as (size, size, 3) uint8, its size in the file (width, height), and whether the file has more
    frames than this one, which is the first.
    """

    pixels: Images
    size: tuple[int, int]
    more: bool


class Reader:
    """Threads that read files, and the memory that they share. A context manager.

    Pillow decodes without Python's lock, so threads are enough. A large image waits until there is room for
    it, so that the memory does not grow with the number of threads.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=min(16, cpu_count() or 1))
        self._free, self._changed = BYTES, Condition()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out | Unreadable]:
        """The function of each item, or why a file of it cannot be read."""

        def guarded(item: In) -> Out | Unreadable:
            try:
                return function(item)
            except Unreadable as reason:
                return reason

        with quiet():
            return list(self._pool.map(guarded, items))

    def picture(self, file: Path, size: int) -> Picture:
        """Raises Unreadable, and DataError where it is not known which of the image's values is white."""
        with self._loaded(file) as image:
            more = several(image)
            whole = upright(image, in_8_bits(image, file))
            small = middle(whole, size, Image.Resampling.BILINEAR)
            return Picture(np.asarray(small.convert("RGB")), whole.size, more)

    def mask(self, file: Path, size: int, groups: int, of: Picture) -> Masks:
        """A mask as (size, size) uint8 of numbers below `groups`, for the picture that it is a mask of.

        Raises Unreadable, and DataError where its size or its numbers are wrong.
        """
        with self._loaded(file) as image:
            numbers = upright(image, class_numbers(image, file, groups))
            if numbers.size != of.size:
                raise DataError(
                    f"{file}: has {numbers.size} pixels and its image {of.size}, both upright as a viewer "
                    "shows them; make them alike"
                )
            return np.asarray(middle(numbers, size, Image.Resampling.NEAREST))

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
    """What Pillow warns of is decided here, such as sizes, or does not change the pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """An image of which only the beginning has been read. Raises Unreadable."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    with explained():
        size = file.stat().st_size
        if size > BYTES:  # some decoders read a file whole, whatever it claims to hold
            raise Unreadable(f"has {size:,} bytes, and at most {BYTES:,} are read")
        if not size:
            raise Unreadable("empty")
        image = Image.open(file, formats=known)
    with image:
        yield image


@contextmanager
def explained() -> Iterator[None]:
    """Whatever a decoder raises becomes Unreadable, in words of our own."""
    try:
        yield
    except (DataError, MemoryError, Unreadable):
        raise
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        raise Unreadable(_too_large(int(found[0]) if found else None)) from error
    except UnidentifiedImageError as error:
        raise Unreadable("no image that is known here, or a damaged one") from error
    except Exception as error:  # decoders raise whatever comes to hand on a damaged file
        system = error.strerror if isinstance(error, OSError) and error.errno else None
        raise Unreadable(system or "cut off or damaged") from error


def _too_large(pixels: int | None) -> str:
    count = f"{pixels:,}" if pixels else f"more than {PIXELS:,}"
    return f"has {count} pixels, and at most {PIXELS:,} are read"


def several(image: Image.Image) -> bool:
    """Whether a file has more frames or pages. A photograph's second image (MPO) is a part of the first."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # the second frame is damaged, and nobody asked for it
        return True


def upright(source: Image.Image, flat: Image.Image) -> Image.Image:
    """What was made of a source, turned as a viewer shows it. The source is closed if that is another."""
    try:
        turn = TURNS.get(source.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data, which viewers ignore
        turn = None
    if flat is not source:
        source.close()
    return flat if turn is None else flat.transpose(turn)


def middle(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    """The square in the middle of an image whose shorter side is made `size` pixels."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    if width * height <= max(RESIZED, 4 * size * size):
        return image.resize((width, height), filter).crop((left, top, left + size, top + size))
    # A strip of a few pixels' width would become an image of gigabytes, nearly all of which is cut off.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize(
        (size, size), filter, box=(*box[:2], min(box[2], image.width), min(box[3], image.height))
    )
