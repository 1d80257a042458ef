"""Which folders are splits, and which entries of them are images."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.listing import IMAGES, files_below
from resexp.data.splits import find_splits
from resexp.errors import DataError

Configure = Callable[..., DataConfig]
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def image(file: Path, form: str | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(file, format=form)


def planted(root: Path, *classes: str) -> Path:
    """Two images in each of these folders, such as train/ant."""
    for name in classes:
        for number in range(2):
            image(root / name / f"{number}.png")
    return root


@pytest.mark.parametrize("train", ["train", "training", "Train", "TRAINING"])
@pytest.mark.parametrize("test", ["val", "valid", "validation", "test", "testing", "Validation", "Test"])
def test_the_usual_names_are_known(train: str, test: str, tmp_path: Path) -> None:
    folders(tmp_path, f"{train}/a", f"{test}/a")
    found = find_splits(tmp_path)
    assert (found.train, found.test, found.notes) == (tmp_path / train, tmp_path / test, ())


def test_of_val_and_test_it_is_said_which_is_used(tmp_path: Path) -> None:
    found = find_splits(folders(tmp_path, "Train/a", "Valid/a", "test/a"))
    assert found.test == tmp_path / "Valid"
    assert found.notes == ("'Valid' is the test set, and 'test' is not used",)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["train/a", "Training/a", "val/a"], "'Training' and 'train' could both be the folder `train`"),
        (["train/a", "val/a", "valid/a"], "'val' and 'valid' could both be the folder `val`"),
        (["train/a", "dev/a"], "is 'dev' a split?"),
        (["train/a", "val/a", "test2/a"], "is 'test2' a split?"),
        (["train/a", "val/a", "held back/a"], "is 'held back' a split?"),
        (["train/a", "Val-Set/b"], "is 'Val-Set' a split?"),
        (["valid/a", "test/a"], "looks like a split, but there is no folder `train`"),
        (["trainset/a", "testset/a"], "looks like a split"),
        (["ant", "bee", "test/deeper"], "'test' looks like a split"),
        (["val", "test"], "looks like a split"),
    ],
)
def test_what_looks_like_a_split_is_asked_about(names: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        find_splits(folders(tmp_path, *names))


@pytest.mark.parametrize(
    "names",
    [
        ["ant", "bee"],
        ["ant", "test"],
        ["testudo/2019", "valve/2019", "trainer/2020", "device/2020"],
        ["ant/2019", "ant/2020", "bee/2019"],
    ],
)
def test_classes_are_no_splits(names: list[str], tmp_path: Path) -> None:
    found = find_splits(folders(tmp_path, *names))
    assert (found.train, found.test, found.notes) == (tmp_path, None, ())


def test_what_is_odd_beside_splits_and_among_classes_is_noted(tmp_path: Path) -> None:
    found = find_splits(folders(tmp_path / "1", "train/a", "val/a", "test_images", "annotations/xml"))
    assert found.notes == ("'test_images' is not used, because it has no folders in it",)
    found = find_splits(folders(tmp_path / "2", "one/a", "one/b", "two/a", "two/b"))
    assert found.notes == ("the folders 'one', 'two' are taken for classes, and hold the same folders",)


def test_what_systems_leave_is_ignored(tmp_path: Path, configure: Configure) -> None:
    root = planted(tmp_path / "set", "train/ant", "train/bee", "val/ant", "val/bee")
    config = configure("image_folder", root=str(root))
    before = cache.facts_of(config)
    folders(root, "__MACOSX/train", "train/__MACOSX/ant", "train/lost+found", "val/.ipynb_checkpoints")
    for name in ("@eaDir/0.png/SYNOPHOTO_THUMB_M.png", "._0.png", ".hidden/1.png"):
        image(root / "train/ant" / name)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / "train/bee" / name).write_bytes(b"anything")
    assert cache.facts_of(config) == before


def test_an_empty_folder_in_the_test_set_is_as_if_absent(tmp_path: Path, configure: Configure) -> None:
    root = planted(tmp_path / "set", "train/ant", "train/bee", "val/ant")
    config = configure("image_folder", root=str(root))
    before = cache.facts_of(config)
    folders(root, "val/bee", "val/wasp/nothing")
    assert cache.facts_of(config) == before
    assert before.test_counts == (2, 0)
    folders(root, "train/wasp")
    with pytest.raises(DataError, match="wasp: no images in it; known kinds: JPEG, PNG"):
        cache.facts_of(config)


def test_a_test_set_of_empty_folders_is_not_said_to_have_none(tmp_path: Path, configure: Configure) -> None:
    root = planted(tmp_path / "set", "train/ant", "train/bee")
    folders(root, "val/ant", "val/bee")
    with pytest.raises(DataError, match="val: no folders with images in it"):
        cache.facts_of(configure("image_folder", root=str(root)))


def test_classes_are_compared_in_one_spelling(tmp_path: Path, configure: Configure) -> None:
    root = planted(tmp_path / "set", f"train/{COMPOSED}", "train/tea", f"val/{DECOMPOSED}", "val/tea")
    facts = cache.facts_of(configure("image_folder", root=str(root), classes=(DECOMPOSED,)))
    assert (facts.classes, facts.train_counts, facts.test_counts) == ((COMPOSED,), (2,), (2,))
    planted(root, f"train/{DECOMPOSED}")
    with pytest.raises(DataError, match=r"have the name .* in two spellings"):
        cache.facts_of(configure("image_folder", root=str(root)))


def test_files_are_known_by_content(tmp_path: Path) -> None:
    for form, name in (
        ("JPEG", "a.jfif"),
        ("GIF", "b.gif"),
        ("PNG", "c"),
        ("JPEG", "d.dat"),
        ("BMP", "E.BMP"),
    ):
        image(tmp_path / "set" / name, form)
    (tmp_path / "set" / "notes.txt").write_text("P6? no")
    (tmp_path / "set" / "table").write_bytes(bytes(range(256)))
    os.mkfifo(tmp_path / "set" / "pipe.png")
    (tmp_path / "set" / "nowhere.png").symlink_to("gone")
    (tmp_path / "set" / "device.png").symlink_to("/dev/zero")
    (tmp_path / "set" / "round.png").symlink_to("round.png")
    found, left_out = files_below(tmp_path, "set", IMAGES)
    assert found == [f"set/{name}" for name in ("E.BMP", "a.jfif", "b.gif", "c", "d.dat")]
    assert left_out == [
        "set/device.png (not a file)",
        "set/notes.txt (no image of a known format, or a damaged one)",
        "set/nowhere.png (leads nowhere)",
        "set/pipe.png (not a file)",
        "set/round.png (Too many levels of symbolic links)",
        "set/table (no image of a known format, or a damaged one)",
    ]


def test_links_to_folders_are_followed_and_no_folder_is_entered_twice(tmp_path: Path) -> None:
    image(tmp_path / "set/own.png")
    image(tmp_path / "more/1.png")
    image(tmp_path / "more/deep/2.png")
    (tmp_path / "set/batch").symlink_to(tmp_path / "more")
    (tmp_path / "set/again").symlink_to(tmp_path / "more")
    (tmp_path / "more/deep/up").symlink_to(tmp_path / "set")
    found, left_out = files_below(tmp_path, "set", IMAGES)
    assert found == ["set/again/1.png", "set/again/deep/2.png", "set/own.png"]
    assert left_out == [
        "set/again/deep/up (leads to a folder that is listed already)",
        "set/batch (leads to a folder that is listed already)",
    ]


def test_many_links_are_not_many_times_the_work(tmp_path: Path) -> None:
    """Forty folders with two links each to the next would be a million million ways through them."""
    for number in range(40):
        folders(tmp_path, f"{number}")
        for link in ("left", "right"):
            (tmp_path / f"{number}" / link).symlink_to(tmp_path / f"{number + 1}")
    image(tmp_path / "40/end.png")
    found, left_out = files_below(tmp_path, "0", IMAGES)
    assert len(found) == 1
    assert len(left_out) == 40


def test_folders_may_lie_deeper_than_python_s_stack(tmp_path: Path) -> None:
    image(tmp_path / "set" / "/".join("a" * 120) / "1.png")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 80)
    try:
        found, _ = files_below(tmp_path, "set", IMAGES)
    finally:
        sys.setrecursionlimit(limit)
    assert len(found) == 1


def test_images_beside_the_classes_are_told(tmp_path: Path, configure: Configure) -> None:
    root = planted(tmp_path / "set", "ant", "bee")
    image(root / "stray.jpg")
    (root / "README.md").write_text("what this is")
    facts = cache.facts_of(configure("image_folder", root=str(root), test_fraction=0.5, image_size=8))
    assert facts.notes == ("1 file left out: stray.jpg (lies beside the folders of the classes)",)
