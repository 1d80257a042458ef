from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.base import Facts
from resexp.data.image_folder import CHUNK
from resexp.data.opening import open_data
from resexp.errors import DataError

COLOURS = {"ant": (200, 0, 0), "bee": (0, 200, 0), "cat": (0, 0, 200)}
Configure = Callable[..., DataConfig]


def plant(root: Path, counts: dict[str, int]) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (12, 8), COLOURS[name]).save(root / name / f"{number:03}.png")
    return root


def test_train_and_val_folders(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set" / "train", {"ant": 5, "bee": 7})
    plant(tmp_path / "set" / "val", {"bee": 2, "ant": 3})
    config = configure("image_folder", root=str(tmp_path / "set"), image_size=8)
    prepared = cache.load_prepared(cache.prepare(config))
    assert prepared.facts == cache.facts_of(config)
    assert (prepared.facts.train_counts, prepared.facts.test_counts) == ((5, 7), (3, 2))
    for split in ("train", "test"):
        for image, label in zip(prepared.images[split], prepared.labels[split], strict=True):
            assert (image == COLOURS[prepared.facts.classes[label]]).all()


def test_one_tree_is_split_by_class(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set", {"ant": 20, "bee": 10, "cat": 10})
    facts = cache.facts_of(configure("image_folder", root=str(tmp_path / "set"), test_fraction=0.25))
    assert (facts.train_counts, facts.test_counts) == ((15, 7, 8), (5, 3, 2))
    for train, test, all_of_them in zip(facts.train_counts, facts.test_counts, (20, 10, 10), strict=True):
        assert train + test == all_of_them
        assert abs(test - all_of_them / 4) <= 1
    assert facts.shape == (3, 64, 64)


def test_images_of_one_size_keep_it(tmp_path: Path, configure: Configure) -> None:
    for number in range(20):
        folder = tmp_path / "set" / ("ant" if number % 2 else "bee")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 6), number).save(folder / f"{number}.png")
    (tmp_path / "set" / "ant" / "damaged.png").write_bytes(b"no image")

    def facts(**options: int) -> Facts:
        return cache.facts_of(configure("image_folder", root=str(tmp_path / "set"), **options))

    kept = facts()
    assert kept.shape == (3, 6, 6)
    assert kept.notes == ("all images have 6 x 6 pixels, and keep them",)
    assert facts(image_size=6).notes == ()
    assert facts(image_size=6).fingerprint == kept.fingerprint  # the same images, so the same trials
    prepared = cache.load_prepared(cache.prepare(configure("image_folder", root=str(tmp_path / "set"))))
    assert set(prepared.images["train"].ravel()) | set(prepared.images["test"].ravel()) == set(range(20))
    enlarged = facts(image_size=64).fingerprint  # what versions before this one took by default
    assert enlarged != kept.fingerprint
    for size in ((6, 7), (7, 7)):
        Image.new("L", size).save(tmp_path / "set" / "ant" / "other.png")
        assert (facts().shape, facts().notes) == ((3, 64, 64), ())


def test_no_image_is_in_both_parts(tmp_path: Path, configure: Configure) -> None:
    for number in range(40):
        folder = tmp_path / "set" / ("ant" if number % 2 else "bee") / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(folder / f"{number}.PNG")
    prepared = cache.load_prepared(
        cache.prepare(configure("image_folder", root=str(tmp_path / "set"), image_size=4))
    )
    values = [set(prepared.images[split][:, 0, 0, 0].tolist()) for split in ("train", "test")]
    assert values[0] | values[1] == set(range(40))
    assert (len(values[0]), len(values[1])) == (32, 8)
    for split in ("train", "test"):
        assert (prepared.images[split][:, 0, 0, 0] % 2 == 1 - prepared.labels[split]).all()


def test_unreadable_images_are_counted_and_named(tmp_path: Path, configure: Configure) -> None:
    root = tmp_path / "set"
    plant(root / "train", {"ant": 5, "bee": 5})
    plant(root / "val", {"ant": 2, "bee": 2})
    good = (root / "train" / "ant" / "001.png").read_bytes()
    (root / "train" / "ant" / "001.png").write_bytes(good[:-24])
    (root / "train" / "bee" / "003.png").write_bytes(b"no image")
    (root / "val" / "bee" / "000.png").write_bytes(b"")
    (root / "val" / "bee" / "link.png").symlink_to("nowhere")
    (root / "val" / "bee" / "notes.txt").write_text("not an image, nor meant as one")
    config = configure("image_folder", root=str(root), image_size=8)
    listed = (
        "2 files left out: val/bee/link.png (leads nowhere), "
        "val/bee/notes.txt (no image of a known format, or a damaged one)"
    )
    assert cache.facts_of(config).notes == (listed,)
    data = open_data(config, "cpu")
    assert (len(data.train), len(data.test)) == (8, 3) == (data.facts.train, data.facts.test)
    assert data.unreadable == (
        "train/ant/001.png (cut off or damaged)",
        "train/bee/003.png (no image of a known format, or a damaged one)",
        "val/bee/000.png (empty)",
    )
    assert cache.load_prepared(cache.prepare(config)).notes == (
        # `plant` draws the same ones
        "3 of 3 test images are training images, too, value for value",
        "8 of 8 training images equal others, value for value, so a validation set may hold what is "
        "trained on",
        f"3 files left out as unreadable: {', '.join(data.unreadable)}",
    )


def test_class_left_empty_is_an_error(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set", {"ant": 3, "bee": 3})
    for file in (tmp_path / "set" / "bee").iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match="no readable training example of class 'bee'"):
        cache.prepare(configure("image_folder", root=str(tmp_path / "set"), test_fraction=0.34))


def test_source_may_be_read_only_and_more_than_a_chunk(tmp_path: Path, configure: Configure) -> None:
    root = plant(tmp_path / "set", {"ant": CHUNK + 40, "bee": 30})
    for folder in (root, *root.iterdir()):
        folder.chmod(0o500)
    before = sorted(path.stat().st_mtime_ns for path in root.rglob("*"))
    prepared = cache.load_prepared(cache.prepare(configure("image_folder", root=str(root), image_size=2)))
    assert prepared.facts.train + prepared.facts.test == CHUNK + 70
    assert sorted(path.stat().st_mtime_ns for path in root.rglob("*")) == before
    for folder in (*root.iterdir(), root):
        folder.chmod(0o700)


def test_fingerprint_follows_the_files(tmp_path: Path, configure: Configure) -> None:
    root = plant(tmp_path / "set", {"ant": 10, "bee": 10})

    def seen(**fields: object) -> str:
        return cache.facts_of(configure("image_folder", root=str(root), **fields)).fingerprint

    first = seen()
    assert seen() == first
    assert seen(image_size=32) != first
    assert seen(test_fraction=0.5) != first
    os.utime(root / "ant" / "000.png", ns=(0, 0))
    assert seen() == first, "another time is no other image"
    (root / "ant" / "000.png").rename(root / "ant" / "new.png")
    assert seen() != first


@pytest.mark.parametrize(
    ("counts", "fields", "says"),
    [
        (None, {}, "No such file"),
        ({}, {}, "set: no folders with images in it; there must be one for each class"),
        ({"ant": 3, "bee": 0}, {}, "bee: no images in it; known kinds: JPEG"),
        ({"ant": 9, "bee": 1}, {}, "'bee' has one example"),
        ({"ant": 5, "bee": 5}, {"test_fraction": 0.0}, "cannot be split with test_fraction 0.0"),
        ({"ant": 5, "bee": 5}, {"test_fraction": 1.0}, "cannot be split with test_fraction 1.0"),
    ],
)
def test_unfit_folders_are_explained(
    counts: dict[str, int] | None, fields: dict[str, float], says: str, tmp_path: Path, configure: Configure
) -> None:
    if counts is not None:
        (tmp_path / "set").mkdir()
        plant(tmp_path / "set", counts)
    with pytest.raises(DataError, match=says):
        cache.facts_of(configure("image_folder", root=str(tmp_path / "set"), **fields))


def test_a_fraction_beside_a_test_set_of_its_own_is_refused(tmp_path: Path, configure: Configure) -> None:
    for split in ("train", "val"):
        plant(tmp_path / split, {"ant": 3, "bee": 3})
    with pytest.raises(DataError) as refused:
        cache.facts_of(configure("image_folder", root=str(tmp_path), test_fraction=0.3))
    wrong = f"has no effect, because {tmp_path / 'val'} is the test set"
    assert str(refused.value) == f"data.test_fraction: {wrong}; leave it at 0.2"


def test_unknown_class_in_val(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set" / "train", {"ant": 3, "bee": 3})
    plant(tmp_path / "set" / "val", {"ant": 3, "cat": 3})
    with pytest.raises(DataError, match="no class 'cat' in the training folder"):
        cache.facts_of(configure("image_folder", root=str(tmp_path / "set")))


def test_tiny_imagenet(unpack: Callable[[str, str], Path], configure: Configure) -> None:
    root = unpack("tiny-imagenet-10.tar.gz", "tiny-imagenet-10/val")
    config = configure("image_folder", root=str(root), image_size=32, test_fraction=0.2, classes=3)
    data = open_data(config, "cpu")
    assert (len(data.train), len(data.test)) == (120, 30)
    assert data.facts.classes == ("n01443537", "n02085620", "n02125311")
    assert data.unreadable == ()
    assert data.train.mean.tolist() == pytest.approx([0.48, 0.45, 0.39], abs=0.06)  # ImageNet's, nearly
    shutil.rmtree(root)


def test_classes_without_a_test_example_are_told(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set" / "train", {"ant": 3, "bee": 3, "cat": 3})
    plant(tmp_path / "set" / "val", {"ant": 2, "cat": 2})
    (tmp_path / "set" / "val" / "cat" / "000.png").write_bytes(b"")
    (tmp_path / "set" / "val" / "cat" / "001.png").write_bytes(b"")
    notes = cache.Survey().notes(configure("image_folder", root=str(tmp_path / "set"), image_size=8))
    assert "2 of 3 classes without a test example: bee, cat" in notes


def test_values_of_12_bits_in_files_of_16_are_told_to_be_dark(tmp_path: Path, configure: Configure) -> None:
    for number in range(20):
        folder = tmp_path / "set" / ("train" if number % 2 else "val") / ("ant" if number % 4 < 2 else "bee")
        folder.mkdir(parents=True, exist_ok=True)
        brightest = 4095 if number % 2 else 65535
        Image.new("I;16", (6, 6), brightest).save(folder / f"{number}.png")
    notes = " ".join(cache.Survey().notes(configure("image_folder", root=str(tmp_path / "set"))))
    assert "no pixel of the train images is above 16, and white is 255; if the files have 10" in notes
    assert "test images is above" not in notes


def test_one_class_is_told_and_a_root_too_high_is_refused(tmp_path: Path, configure: Configure) -> None:
    plant(tmp_path / "set" / "train", {"ant": 3, "bee": 3})
    plant(tmp_path / "set" / "val", {"ant": 2, "bee": 2})
    with pytest.raises(DataError, match=f"'set', which holds the splits; set data.root to {tmp_path}/set"):
        cache.facts_of(configure("image_folder", root=str(tmp_path)))
    plant(tmp_path / "alone", {"ant": 9})
    facts = cache.facts_of(configure("image_folder", root=str(tmp_path / "alone")))
    assert facts.notes == ("there is one class, 'ant', so there is nothing to classify",)
