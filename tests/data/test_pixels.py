"""What a file's values mean, from each type of image to 8 bits."""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from resexp.data import pixels
from resexp.data.pixels import Picture, Reader, Unreadable, middle
from resexp.errors import DataError

RED, HALF = (200, 30, 60), (100, 30, 60)


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


def only(reader: Reader, file: Path, size: int = 8) -> Picture:
    (found,) = reader.map(lambda file: reader.picture(file, size), [file])
    assert isinstance(found, Picture), found
    assert found.pixels.shape == (size, size, 3)
    assert found.pixels.dtype == np.uint8
    return found


def why(reader: Reader, file: Path) -> str:
    (found,) = reader.map(lambda file: reader.picture(file, 8), [file])
    assert isinstance(found, Unreadable)
    return str(found)


def colour(reader: Reader, file: Path) -> tuple[int, ...]:
    """That of an image which has only one."""
    values = only(reader, file).pixels.reshape(-1, 3)
    assert (values == values[0]).all()
    return tuple(values[0].tolist())


def palette(transparent: int | None = None) -> Image.Image:
    image = Image.new("P", (9, 7), 1)
    image.putpalette([0, 0, 0, *RED])
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


def in_lab(rgb: tuple[int, int, int]) -> Image.Image:
    made = ImageCms.profileToProfile(
        Image.new("RGB", (9, 7), rgb),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (Image.new("L", (9, 7), 77), "a.png", (77, 77, 77)),
        (Image.new("1", (9, 7), 1), "a.png", (255, 255, 255)),
        (Image.new("1", (9, 7), 0), "a.pbm", (0, 0, 0)),
        (Image.new("RGB", (9, 7), RED), "a.bmp", RED),
        (palette(), "a.gif", RED),
        (palette(transparent=1), "a.png", (255, 255, 255)),
        (palette(transparent=0), "a.png", RED),
        (Image.new("LA", (9, 7), (40, 255)), "a.png", (40, 40, 40)),
        (Image.new("LA", (9, 7), (40, 0)), "a.png", (255, 255, 255)),
        (Image.new("RGBA", (9, 7), (*RED, 255)), "a.png", RED),
        (Image.new("RGBA", (9, 7), (*RED, 0)), "a.webp", (255, 255, 255)),
        (Image.new("RGBA", (9, 7), (0, 0, 0, 51)), "a.tif", (204, 204, 204)),
        (Image.new("CMYK", (9, 7), (255, 0, 0, 0)), "a.tif", (0, 255, 255)),
        (Image.new("RGB", (9, 7), (255, 255, 0)).convert("YCbCr"), "a.tif", (255, 255, 0)),
    ],
)
def test_every_type_of_8_bits(
    image: Image.Image, name: str, expected: tuple[int, ...], reader: Reader, tmp_path: Path
) -> None:
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    assert np.allclose(colour(reader, tmp_path / name), expected, rtol=0, atol=2)


def test_lab_is_converted_by_its_own_white(reader: Reader, tmp_path: Path) -> None:
    in_lab((120, 130, 140)).save(tmp_path / "lab.tif")
    assert np.allclose(colour(reader, tmp_path / "lab.tif"), (120, 130, 140), rtol=0, atol=2)


@pytest.mark.parametrize("value", [0, 128, 129, 20000, 40000, 65535])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm", "big-endian.tif", "a.jp2"])
def test_16_bits_are_divided_by_257(value: int, name: str, reader: Reader, tmp_path: Path) -> None:
    kind = ">u2" if name.startswith("big") else "<u2"
    Image.fromarray(np.full((7, 9), value, kind)).save(tmp_path / name)
    assert colour(reader, tmp_path / name) == (round(value / 257),) * 3


def test_a_grey_of_16_bits_that_stands_for_transparent(reader: Reader, tmp_path: Path) -> None:
    Image.fromarray(np.full((7, 9), 1000, np.uint16)).save(tmp_path / "a.png", transparency=1000)
    assert colour(reader, tmp_path / "a.png") == (255, 255, 255)


@pytest.mark.parametrize(("value", "grey"), [(0.0, 0), (0.5, 128), (1.0, 255), (0.001, 0)])
def test_floats_run_from_black_to_white(value: float, grey: int, reader: Reader, tmp_path: Path) -> None:
    Image.fromarray(np.full((7, 9), value, np.float32)).save(tmp_path / "a.tif")
    assert colour(reader, tmp_path / "a.tif") == (grey, grey, grey)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            np.array([[0.5, 1.5]], np.float32),
            r"a\.tif: has floating-point values from 0\.5 to 1\.5; .* 0, black",
        ),
        (np.array([[-0.1, 1.0]], np.float32), r"from -0\.1 to 1;"),
        (np.array([[np.nan, 0.5]], np.float32), "from nan to nan"),
        (np.array([[np.inf, 0.5]], np.float32), r"from 0\.5 to inf"),
        (
            np.array([[5, 70000]], np.int32),
            r"a\.tif: has integers of 32 bits, from 5 to 70000, .* 8 or 16 bits",
        ),
    ],
)
def test_values_of_which_none_is_known_to_be_white(
    values: np.ndarray, says: str, reader: Reader, tmp_path: Path
) -> None:
    Image.fromarray(values.repeat(9, 0).repeat(4, 1)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=says):
        only(reader, tmp_path / "a.tif")


@pytest.mark.parametrize(("mode", "refused"), [("L", False), ("I;16", True), ("F", True)])
def test_a_tiff_in_which_0_is_white_is_never_read_in_negative(
    mode: str, refused: bool, reader: Reader, tmp_path: Path
) -> None:
    """Pillow exchanges black and white of 8 bits itself, but not of more."""
    file = tmp_path / "a.tif"
    Image.new(mode, (8, 8), 1 if mode == "F" else 255).save(file)
    black_is_zero, white_is_zero = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
    assert file.read_bytes().count(black_is_zero) == 1
    file.write_bytes(file.read_bytes().replace(black_is_zero, white_is_zero))
    if refused:
        with pytest.raises(DataError, match=r"a\.tif: is a TIFF file of 16 bits or more in which 0 is white"):
            only(reader, file)
    else:
        assert colour(reader, file) == (0, 0, 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_are_upright(suffix: str, reader: Reader, tmp_path: Path) -> None:
    """As stored, the upper left quarter of 48x32 pixels is white; each orientation moves it elsewhere."""
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :24] = 255
    corners = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
    for orientation, corner in corners.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = tmp_path / f"{orientation}.{suffix}"
        Image.fromarray(stored).save(file, exif=exif)
        found = only(reader, file, 32)
        assert found.size == ((32, 48) if orientation >= 5 else (48, 32))
        quarters = found.pixels[..., 0].reshape(2, 16, 2, 16).mean((1, 3))
        assert np.unravel_index(quarters.argmax(), (2, 2)) == corner, orientation


def test_damaged_exif_data_do_not_matter(reader: Reader, tmp_path: Path) -> None:
    for number, damaged in enumerate((b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", b"")):
        Image.new("RGB", (9, 7), RED).save(
            tmp_path / f"{number}.jpg", exif=damaged, quality=100, subsampling=0
        )
        assert np.allclose(colour(reader, tmp_path / f"{number}.jpg"), RED, rtol=0, atol=2)


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_of_several_frames_the_first_is_taken(suffix: str, reader: Reader, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 7), shade) for shade in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    lossless = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **lossless)
    frames[0].save(tmp_path / f"one.{suffix}", **lossless)
    assert only(reader, tmp_path / f"a.{suffix}").more
    assert not only(reader, tmp_path / f"one.{suffix}").more
    assert np.allclose(colour(reader, tmp_path / f"a.{suffix}"), (250, 0, 0), rtol=0, atol=1)


def test_the_second_image_of_a_photograph_is_no_frame(reader: Reader, tmp_path: Path) -> None:
    both = [Image.new("RGB", (9, 7), RED), Image.new("RGB", (4, 3))]
    both[0].save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=both[1:])
    assert not only(reader, tmp_path / "phone.jpg").more


def test_resizes_the_shorter_side_and_cuts_the_middle(reader: Reader, tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    for name in ("wide.png", "tall.png"):
        assert (only(reader, tmp_path / name, 10).pixels == 255).all()
    assert only(reader, tmp_path / "wide.png", 4).pixels[:, 1:3].min() > 250


@pytest.mark.parametrize("size", [(200, 31), (31, 200), (3, 40)])
@pytest.mark.parametrize("filter", [Image.Resampling.BILINEAR, Image.Resampling.NEAREST])
def test_only_the_middle_is_made_of_what_would_be_too_large(
    size: tuple[int, int], filter: Image.Resampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.linspace(0, 250, size[0])[None] / 2 + np.linspace(0, 250, size[1])[:, None] / 2
    image = Image.fromarray(ramp.astype(np.uint8))
    whole = np.asarray(middle(image, 24, filter)).astype(int)
    asked = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda *a, **k: (asked.append(a[1]), resize(*a, **k))[1])
    monkeypatch.setattr(pixels, "RESIZED", 0)
    part = np.asarray(middle(image, 24, filter)).astype(int)
    assert asked == [(24, 24)]
    assert abs(part - whole).max() <= (2 if filter == Image.Resampling.BILINEAR else np.diff(ramp).max() + 4)


def test_a_strip_of_one_pixel_is_not_blown_up(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda *a, **k: (asked.append(a[1]), resize(*a, **k))[1])
    for name, size in (("wide", (60_000, 1)), ("tall", (1, 60_000))):
        Image.new("L", size, 9).save(tmp_path / f"{name}.png")
        assert colour(reader, tmp_path / f"{name}.png") == (9, 9, 9)
        assert only(reader, tmp_path / f"{name}.png", 224).pixels.shape == (224, 224, 3)
    assert max(width * height for width, height in asked) <= pixels.RESIZED


def test_too_large_an_image_is_named_with_its_size(
    reader: Reader, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "pillow.png")
    Image.new("1", (12_000, 12_000)).save(tmp_path / "ours.png")
    Image.new("1", (10_000, 9_100)).save(tmp_path / "warned.png")
    assert why(reader, tmp_path / "pillow.png") == "has 200,000,000 pixels, and at most 134,217,728 are read"
    assert why(reader, tmp_path / "ours.png") == "has 144,000,000 pixels, and at most 134,217,728 are read"
    assert colour(reader, tmp_path / "warned.png") == (0, 0, 0)
    assert not list(recwarn)


def test_what_gives_no_image_says_why(reader: Reader, tmp_path: Path) -> None:
    Image.effect_noise((40, 40), 50).save(tmp_path / "whole.png")
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "jp2"):
        Image.effect_noise((40, 40), 50).convert("RGB").save(tmp_path / f"cut.{suffix}")
        data = (tmp_path / f"cut.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
        assert why(reader, tmp_path / f"cut.{suffix}") in (
            "cut off or damaged",
            "no image of a known format, or a damaged one",
        )
    (tmp_path / "empty.png").touch()
    assert why(reader, tmp_path / "empty.png") == "empty"
    (tmp_path / "page.jpg").write_text("<html>")
    assert why(reader, tmp_path / "page.jpg") == "no image of a known format, or a damaged one"
    assert why(reader, tmp_path / "gone.png") == "No such file or directory"
    with (tmp_path / "sparse.webp").open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(2**31)
    assert (
        why(reader, tmp_path / "sparse.webp") == "has 2,147,483,648 bytes, and at most 1,073,741,824 are read"
    )


def test_no_file_runs_another_program(reader: Reader, tmp_path: Path) -> None:
    """Pillow hands PostScript to an interpreter, whatever the file's name."""
    (tmp_path / "photo.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with Image.open(tmp_path / "photo.png") as image:
        assert image.format == "EPS"
    assert why(reader, tmp_path / "photo.png") == "no image of a known format, or a damaged one"


def test_what_pillow_logs_is_not_printed() -> None:
    """Without a handler of its own, Python prints it as a last resort, which no test under pytest can see."""
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("PIL").handlers)


def test_large_images_wait_for_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With room for one at a time, no two are decoded at once, and all of them are."""
    monkeypatch.setattr(pixels, "BYTES", 64 * 64 * 8)
    monkeypatch.setattr(pixels, "cpu_count", lambda: 4)
    files = [tmp_path / f"{number}.bmp" for number in range(12)]
    for number, file in enumerate(files):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(file)
    inside, most = [0], [0]
    convert = pixels.in_8_bits

    def counted(image: Image.Image, file: Path) -> Image.Image:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.005)  # in which another thread would come in
        made = convert(image, file)
        inside[0] -= 1
        return made

    monkeypatch.setattr(pixels, "in_8_bits", counted)
    with Reader() as reader:
        found = reader.map(lambda file: reader.picture(file, 8), files)
    assert [one.pixels[0, 0, 0] for one in found if isinstance(one, Picture)] == list(range(12))
    assert most == [1]


MASKS: list[tuple[Callable[[np.ndarray], Image.Image], str, int]] = [
    (Image.fromarray, "a.png", 3),
    (lambda m: Image.fromarray(m.astype(np.uint16)), "a.png", 3),
    (lambda m: Image.fromarray(m.astype(np.int32)), "a.tif", 3),
    (lambda m: Image.fromarray(m.astype(np.float32)), "a.tif", 3),
    (lambda m: Image.fromarray(np.stack([m] * 3, -1)), "a.png", 3),
    (lambda m: Image.fromarray(np.stack([m, m, m, m * 0 + 255], -1)), "a.png", 3),
    (lambda m: Image.fromarray(m > 0), "a.png", 2),
    (lambda m: Image.fromarray(m > 0), "a.png", 3),
    (lambda m: Image.fromarray(m * 100), "a.png", 2),
    (lambda m: Image.fromarray((m * 30000.0).astype(np.uint16)), "a.png", 2),
    (lambda m: Image.fromarray(np.stack([m * 0, m * 0, m], -1)), "a.png", 0),
]


@pytest.mark.parametrize(("make", "name", "groups"), MASKS)
def test_a_mask_is_a_number_a_pixel(
    make: Callable[[np.ndarray], Image.Image], name: str, groups: int, reader: Reader, tmp_path: Path
) -> None:
    numbers = np.arange(64).reshape(8, 8).astype(np.uint8) % (3 if groups == 3 else 2)
    image = make(numbers)
    image.save(tmp_path / name)
    of = Picture(np.empty(0, np.uint8), (8, 8), False)
    if not groups:
        with pytest.raises(DataError, match="is a mask in colours"):
            reader.mask(tmp_path / name, 8, 3, of)
        return
    expected = numbers > 0 if image.mode == "1" else numbers
    assert np.array_equal(reader.mask(tmp_path / name, 8, groups, of).classes, expected)


def test_a_palette_s_numbers_count_and_not_its_colours(reader: Reader, tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(64).reshape(8, 8).astype(np.uint8) % 3).convert("P")
    image.putpalette([9, 9, 9, *RED, 0, 0, 0])
    image.save(tmp_path / "a.png", transparency=0)
    found = reader.mask(tmp_path / "a.png", 8, 3, Picture(np.empty(0, np.uint8), (8, 8), False))
    assert np.array_equal(found.classes, np.arange(64).reshape(8, 8) % 3)


def test_a_jpeg_mask_is_cut_at_half(reader: Reader, tmp_path: Path) -> None:
    """Compression leaves values near 0 and 255 around every edge, which are no foreground."""
    blocks = np.kron(np.random.default_rng(0).integers(0, 2, (12, 12)), np.ones((5, 5))).astype(np.uint8)
    Image.fromarray(blocks * 255).save(tmp_path / "a.jpg", quality=60)
    with Image.open(tmp_path / "a.jpg") as image:
        assert len(np.unique(np.asarray(image))) > 2
    of = Picture(np.empty(0, np.uint8), (60, 60), False)
    assert np.array_equal(reader.mask(tmp_path / "a.jpg", 60, 2, of).classes, blocks)
    with pytest.raises(DataError, match=r"a\.jpg: is a JPEG file.*save masks as PNG"):
        reader.mask(tmp_path / "a.jpg", 60, 3, of)


@pytest.mark.parametrize(
    ("values", "groups", "says"),
    [
        (np.full((8, 8), 3, np.uint8), 3, "has class 3; classes are 0 to 2"),
        (np.full((8, 8), 255, np.uint8), 21, "has class 255"),
        (np.full((8, 8), 300, np.uint16), 200, "has class 300"),
        (np.full((8, 8), -1, np.int32), 2, "with the number -1; classes are numbered from 0"),
        (np.full((8, 8), 0.5, np.float32), 2, "floating-point values; a mask has whole numbers"),
        (np.full((8, 8), np.nan, np.float32), 3, "floating-point values"),
    ],
)
def test_masks_with_other_numbers(
    values: np.ndarray, groups: int, says: str, reader: Reader, tmp_path: Path
) -> None:
    Image.fromarray(values).save(tmp_path / "mask.tif")
    with pytest.raises(DataError, match=rf"mask\.tif: .*{says}"):
        reader.mask(tmp_path / "mask.tif", 8, groups, Picture(np.empty(0, np.uint8), (8, 8), False))


def test_an_image_and_its_mask_are_compared_upright(reader: Reader, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 8)).save(tmp_path / "image.jpg", exif=exif)
    Image.new("L", (12, 8)).save(tmp_path / "as stored.png")
    Image.new("L", (8, 12)).save(tmp_path / "as shown.png")
    of = only(reader, tmp_path / "image.jpg")
    assert reader.mask(tmp_path / "as shown.png", 8, 2, of).classes.shape == (8, 8)
    with pytest.raises(DataError, match=r"has \(12, 8\) pixels and its image \(8, 12\), both upright"):
        reader.mask(tmp_path / "as stored.png", 8, 2, of)
