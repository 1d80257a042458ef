"""Scenes and folders with masks: deterministic, aligned, and apart from each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.digit_scenes import DigitScenes, stretched
from resexp.data.digits import handwritten
from resexp.data.draws import draws
from resexp.data.images import ImageSet
from resexp.data.opening import open_data
from resexp.errors import DataError

Configure = Callable[..., DataConfig]


def scenes(size: int | None = None, **options: object) -> tuple[np.ndarray, np.ndarray]:
    chunks = list(DigitScenes(**options).read("train", size, lambda *_: None))  # type: ignore[arg-type]
    labels = [chunk.labels for chunk in chunks if chunk.labels is not None]
    return np.concatenate([chunk.images for chunk in chunks]), np.concatenate(labels)


def test_a_scene_is_a_function_of_seed_and_number_alone() -> None:
    few, many = scenes(train=3), scenes(train=210)
    for a, b in zip(few, many, strict=True):
        assert np.array_equal(a, b[:3])
    assert not np.array_equal(few[0], scenes(train=3, seed=1)[0])
    assert len({scene.tobytes() for scene in many[0]}) == 210


def test_texture_changes_the_ground_alone() -> None:
    flat, mask = scenes(texture=0.0, train=20)
    rough, same = scenes(texture=1.0, train=20)
    assert np.array_equal(mask, same)
    assert np.array_equal(flat[mask == 1], rough[mask == 1])
    assert np.ptp(flat[mask == 0]) == 0
    spread = [scenes(texture=t, train=20)[0][mask == 0].std() for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert (np.diff(spread) > 3).all()


def test_masks_are_exactly_the_ink() -> None:
    flat, mask = scenes(texture=0.0, train=50)
    assert np.array_equal(mask == 1, flat[..., 0] != 100)
    assert (mask.reshape(50, -1).mean(1) > 0.02).all()


def test_train_and_test_digits_are_apart() -> None:
    train = {glyph.tobytes() for glyph in handwritten("train")[0]}
    test = {glyph.tobytes() for glyph in handwritten("test")[0]}
    assert (len(train), len(test)) == (1437, 360)
    assert not train & test


def test_stretching_is_linear() -> None:
    ramp = np.add.outer(np.arange(4.0), 10 * np.arange(4.0))
    assert np.allclose(stretched(ramp, 13), np.add.outer(np.arange(13) / 4, 10 * np.arange(13) / 4))


@pytest.mark.parametrize("fields", [{}, {"image_size": 48}, {"validation_size": 10, "train_size": 20}])
def test_scenes_become_images_and_masks(fields: dict[str, int], configure: Configure) -> None:
    config = configure("digit_scenes", train=40, test=15, **fields)
    data = open_data(config, "cpu")
    size = fields.get("image_size", 32)
    assert (data.facts.shape, data.facts.targets) == ((1, size, size), "masks")
    assert data.facts == cache.facts_of(config)
    assert (len(data.train), len(data.test)) == (fields.get("train_size", 40), 15)
    assert data.facts.validation == fields.get("validation_size", 0)
    images, masks = data.train.batch(torch.arange(5))
    assert (images.shape, masks.shape) == ((5, 1, size, size), (5, size, size))
    assert masks.dtype == torch.int64
    assert masks.unique().tolist() == [0, 1]


def test_an_image_and_its_mask_are_cropped_and_flipped_together() -> None:
    masks = torch.randint(0, 2, (30, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = ImageSet(
        (masks * 255)[..., None], masks, [0.0], [1.0], rows=torch.arange(29, -1, -1), crop=2, flip=True
    )
    index = torch.tensor([3, 29, 0, 7])
    x, y = data.training(seed=1, epoch=2)(index)
    assert torch.equal(x[:, 0].round().long(), y)
    drawn = draws(30, 1, 2, 2, True)
    assert drawn.flips[index].any()
    for row, mask in zip(index.tolist(), y, strict=True):
        padded = torch.nn.functional.pad(masks[29 - row], (2, 2, 2, 2))
        top, left = int(drawn.rows[row]), int(drawn.cols[row])
        expected = padded[top : top + 9, left : left + 7].long()
        assert torch.equal(mask, expected.flip(1) if drawn.flips[row] else expected)
    assert torch.equal(data.batch(index)[1], masks[29 - index].long())


def test_too_small_a_scene(configure: Configure) -> None:
    with pytest.raises(DataError, match="8 pixels are too few"):
        cache.facts_of(configure("digit_scenes", image_size=8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three training pairs and two others, 30x20; masks are 255 where the image is bright."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for kind in ("images", "masks"):
            (tmp_path / "set" / split / kind).mkdir(parents=True)
        for number in range(count):
            blocks = generator.integers(0, 2, (4, 6)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
            bright = np.stack([blocks * 255] * 3, -1)
            Image.fromarray(bright).save(tmp_path / "set" / split / "images" / f"{number}.png")
            Image.fromarray(blocks * 255).save(tmp_path / "set" / split / "masks" / f"{number}.png")
    return tmp_path / "set"


def test_dark_images_are_told(folder: Path, configure: Configure) -> None:
    for image in (folder / "train" / "images").iterdir():
        Image.new("I;16", (30, 20), 4095).save(image.with_suffix(".png"))
    notes = " ".join(cache.Survey().notes(configure("segmentation_folder", root=str(folder))))
    assert "no pixel of the train images is above 16, and white is 255; if the files have 10" in notes
    assert "test images is above" not in notes


def test_a_folder_of_images_and_masks(folder: Path, configure: Configure) -> None:
    config = configure("segmentation_folder", root=str(folder), image_size=20)
    data = open_data(config, "cpu")
    assert data.facts == cache.facts_of(config)
    assert (len(data.train), len(data.test), data.facts.shape) == (3, 2, (3, 20, 20))
    assert isinstance(data.train, ImageSet)
    assert torch.equal(data.train.images[..., 0] // 255, data.train.labels)
    original = np.asarray(Image.open(folder / "train" / "masks" / "1.png"))
    assert np.array_equal(data.train.labels[1] * 255, original[:, 5:25])


def test_masks_of_several_classes(folder: Path, configure: Configure) -> None:
    for file in (folder / "train" / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) // 255 * 2).save(file)
    for file in (folder / "val" / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(file)) // 255).save(file)
    data = open_data(configure("segmentation_folder", root=str(folder), groups=3), "cpu")
    assert len(data.facts.classes) == 3
    assert data.train.batch(torch.arange(3))[1].unique().tolist() == [0, 2]
    Image.fromarray(np.full((20, 30), 3, np.uint8)).save(folder / "train" / "masks" / "0.png")
    with pytest.raises(DataError, match="has class 3"):
        open_data(configure("segmentation_folder", root=str(folder), groups=3), "cpu")


def test_masks_of_several_classes_that_count_as_one_are_named(folder: Path, configure: Configure) -> None:
    config = configure("segmentation_folder", root=str(folder))
    assert not any("foreground" in note for note in cache.Survey().notes(config)), "0 and 255 are two classes"
    numbers = np.zeros((20, 30), np.uint8)
    numbers[:5], numbers[5:9] = 1, 2
    Image.fromarray(numbers).save(folder / "train" / "masks" / "0.png")
    said = "1 file with several numbers besides 0, all of which are foreground; set data.groups if they are "
    assert f"{said}classes: train/masks/0.png" in cache.Survey().notes(config)
    Image.fromarray(np.where(numbers, 255, 0).astype(np.uint8)).save(folder / "train" / "masks" / "0.jpg")
    (folder / "train" / "masks" / "0.png").unlink()
    assert not any("foreground" in note for note in cache.Survey().notes(config)), "compression blurs edges"


def test_what_is_unreadable_is_left_out_and_named(folder: Path, configure: Configure) -> None:
    (folder / "train" / "masks" / "1.png").write_bytes(b"no image")
    data = open_data(configure("segmentation_folder", root=str(folder)), "cpu")
    assert (len(data.train), data.facts.train) == (2, 2)
    assert data.unreadable == ("train/masks/1.png (no image of a known format, or a damaged one)",)


def test_folders_that_do_not_fit(folder: Path, configure: Configure) -> None:
    config = configure("segmentation_folder", root=str(folder))
    Image.new("L", (31, 20)).save(folder / "val" / "masks" / "0.png")
    with pytest.raises(DataError, match=r"has \(31, 20\) pixels and its image \(30, 20\)"):
        cache.prepare(config)
    (folder / "train" / "masks" / "2.png").unlink()
    with pytest.raises(DataError, match="'2' has no counterpart"):
        cache.facts_of(config)
    with pytest.raises(DataError, match="root holds train/images"):
        cache.facts_of(configure("segmentation_folder", root=str(folder / "nowhere")))
