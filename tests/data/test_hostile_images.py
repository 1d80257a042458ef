"""Files made to be wrong, from a fixed seed: each gives the right pixels or a sentence, never a traceback.

Every image is of one colour, so that what comes out is known whatever its size. Some are then cut, damaged,
renamed or given another size in their header.
"""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.pixels import Picture, Reader, Unreadable
from resexp.errors import DataError

SEED, COUNT = 20, 400
FORMS = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}
FORMS |= {"PPM": ".ppm", "JPEG2000": ".jp2", "ICO": ".ico", "TGA": ".tga", "PCX": ".pcx"}
MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
SIDES = (1, 1, 2, 3, 7, 8, 9, 31, 64, 257, 3000, 20_000)
NAMES = ("{}", "with space {}", "-rf {}", "[red]{}", "=1+1 {}", "\u202eright to left {}", "\x1b[31m{}")
NAMES += ("new\nline {}", "quote'\" {}", "\u00e9e\u0301 {}", "\udcff\udcfe {}", "{}" + 200 * "x")


@dataclass(frozen=True)
class File:
    """A file's bytes, and the colour of its image, None where that need not be an image any more."""

    data: bytes
    suffix: str
    colour: tuple[int, int, int] | None


def made(rng: random.Random) -> File:
    """One file: an image, and in half of all cases something wrong with it."""
    mode = rng.choice(MODES)
    form = "TIFF" if mode in ("I", "F") else rng.choice(list(FORMS))  # hardly another has these
    width, height = rng.choice(SIDES), rng.choice(SIDES)
    if width * height > 10**6:
        height = 1
    grey = rng.choice((0, 1, 100, 254, 255))
    image = Image.new("RGB", (width, height), (grey, grey, grey))
    exact = form not in ("JPEG", "JPEG2000", "WEBP", "GIF") and mode in ("L", "RGB", "RGBA", "P")
    if mode in ("I", "I;16", "F"):
        values = {"I": grey * 70_000, "I;16": grey * 257, "F": grey / rng.choice((255, 255, 25))}[mode]
        kind = {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
        image = Image.fromarray(np.full((height, width), values, kind))
        exact = mode != "I" and values in (grey * 257, grey / 255)
    elif mode == "LAB":
        image = Image.frombytes("LAB", image.size, bytes((grey, 128, 128)) * (width * height))
    else:
        image = image.convert(mode)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = rng.choice((0, 1, 3, 6, 9, 65_535))
    try:
        image.save(buffer, form, **({"exif": exif} if form in ("PNG", "JPEG", "TIFF", "WEBP") else {}))
    except (OSError, KeyError, ValueError, SystemError):  # not every format has every type
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "PNG", icc_profile=None)  # which would hold the time of day
        form, exact = "PNG", mode not in ("I", "F", "I;16", "LAB")
    data, suffix = buffer.getvalue(), rng.choice((FORMS[form], FORMS[form], ".png", "", ".txt", ".JPG"))
    harm = rng.choice(HARMS)
    known = exact and harm is whole and form in ("PNG", "BMP", "TIFF", "PPM")
    return File(harm(data, rng), suffix, (grey, grey, grey) if known and mode not in ("1", "P") else None)


def whole(data: bytes, rng: random.Random) -> bytes:
    return data


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def header(data: bytes, rng: random.Random) -> bytes:
    """Bytes of the header, where sizes are, become large."""
    changed = bytearray(data)
    for _ in range(3):
        changed[rng.randrange(min(60, len(changed)))] = rng.choice((0, 0x7F, 0x80, 0xFF))
    return bytes(changed)


def doubled(data: bytes, rng: random.Random) -> bytes:
    return data + data


def tailed(data: bytes, rng: random.Random) -> bytes:
    return data[: len(data) // 2] + rng.randbytes(len(data))


HARMS: tuple[Callable[[bytes, random.Random], bytes], ...] = (whole, whole, whole, cut, flipped, header)
HARMS += (doubled, tailed)


def outcome(reader: Reader, function: Callable[[Path], Any], file: Path) -> Any:
    """What it gives or raises on purpose; anything else it raises fails the test."""
    try:
        (found,) = reader.map(function, [file])
    except DataError as error:
        return error
    return found


def test_every_file_gives_pixels_or_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(SEED)
    right, left_out, refused = 0, 0, 0
    with Reader() as reader:
        for number in range(COUNT):
            file = made(rng)
            place = tmp_path / f"{number}{file.suffix}"
            place.write_bytes(file.data)
            found = outcome(reader, lambda place: reader.picture(place, 8), place)
            if isinstance(found, DataError):
                assert str(place) in str(found)
                refused += 1
            elif isinstance(found, Unreadable):
                assert str(found), "a reason"
                assert file.colour is None, (number, found)
                left_out += 1
            else:
                assert (found.pixels.shape, found.pixels.dtype) == ((8, 8, 3), np.uint8)
                assert file.colour is None or (found.pixels == file.colour).all(), (
                    number,
                    found.pixels[0, 0],
                )
                right += file.colour is not None
    assert capfd.readouterr() == ("", ""), "no library speaks to the user"
    assert min(right, left_out, refused) > 5, "each kind of outcome is among them"


def test_every_file_as_a_mask_gives_numbers_or_a_sentence(tmp_path: Path) -> None:
    rng = random.Random(SEED + 1)
    numbers, refused = 0, 0
    with Reader() as reader:
        for number in range(COUNT // 2):
            file, groups = made(rng), rng.choice((2, 3, 256))
            place = tmp_path / f"{number}{file.suffix}"
            place.write_bytes(file.data)
            of = outcome(reader, lambda place: reader.picture(place, 8), place)
            if not isinstance(of, Picture):
                continue
            found = outcome(reader, partial(reader.mask, size=8, groups=groups, of=of), place)
            if isinstance(found, DataError):
                assert str(place) in str(found)
                refused += 1
            elif not isinstance(found, Unreadable):
                assert (found.classes.shape, found.classes.dtype) == ((8, 8), np.uint8)
                assert found.classes.max() < groups
                numbers += 1
    assert min(numbers, refused) > 5


def test_a_folder_of_them_is_read_and_every_file_is_counted(
    tmp_path: Path, configure: Callable[..., DataConfig]
) -> None:
    """What is read and what is left out make up all that was there."""
    rng = random.Random(SEED + 2)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            Image.new("RGB", (9, 9)).save(tmp_path / "set" / split / name / "good.png")
    count = 4
    while count < 150:
        file = made(rng)
        if file.colour is None and file.data[:2] in (b"II", b"MM"):
            continue  # integers of 32 bits and the like are refused, which would end the reading
        name = rng.choice(NAMES).format(count) + file.suffix
        place = tmp_path / "set" / rng.choice(("train", "val")) / rng.choice(("ant", "bee")) / name
        place.write_bytes(file.data)
        count += 1
    config = configure("image_folder", root=str(tmp_path / "set"), image_size=8)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        prepared = cache.load_prepared(cache.prepare(config))
    listed = cache.facts_of(config).notes
    aside = int(listed[0].split()[0]) if listed else 0
    assert prepared.facts.train + prepared.facts.test + len(prepared.unreadable) + aside == count
    assert prepared.unreadable
    assert aside
    assert not told


@pytest.mark.parametrize("threads", [1, 8])
def test_a_reader_leaves_no_threads(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr("resexp.data.pixels.cpu_count", lambda: threads)
    before = threading.active_count()
    with Reader() as reader:
        assert all(
            isinstance(one, Unreadable) for one in reader.map(lambda p: reader.picture(p, 8), [tmp_path] * 9)
        )
    assert threading.active_count() == before
