"""Arrays in .npz and .npy files: what is read, what is refused, and how CIFAR-10 is recognised."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resexp.config.settings import DataConfig
from resexp.data import base, cache, contents, known, npy
from resexp.data.base import Chunk
from resexp.data.cifar import Cifar10
from resexp.data.opening import open_data
from resexp.errors import DataError

Configure = Callable[..., DataConfig]
DICE = np.random.RandomState(0)
IMAGES = DICE.randint(0, 256, (40, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4
SET: dict[str, Any] = {
    "train_images": IMAGES[:28],
    "train_labels": LABELS[:28],
    "test_images": IMAGES[28:],
    "test_labels": LABELS[28:],
}


def saved(root: Path, **changed: Any) -> str:
    """The path of an archive with the arrays of SET, some of them changed; None leaves an array out."""
    np.savez(root / "set.npz", **{name: a for name, a in {**SET, **changed}.items() if a is not None})
    return str(root / "set.npz")


def prepared(config: DataConfig) -> cache.PreparedData:
    return cache.load_prepared(cache.prepare(config))


def has_set(data: cache.PreparedData) -> bool:
    return all(
        (data.images[split] == SET[f"{split}_images"]).all()
        and (data.labels[split] == SET[f"{split}_labels"]).all()
        for split in ("train", "test")
    )


def test_archive_and_folder_are_the_same_data(tmp_path: Path, configure: Configure) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, array in SET.items():
        np.save(folder / f"{name}.npy", array)
    np.savez_compressed(tmp_path / "small.npz", more=np.zeros(3), **SET)
    roots = [saved(tmp_path), str(tmp_path / "small.npz"), str(folder)]
    facts = [cache.facts_of(configure("arrays", root=root)) for root in roots]
    assert facts[0] == facts[1] == facts[2]
    assert (facts[0].shape, facts[0].classes) == ((3, 6, 6), ("0", "1", "2", "3"))
    assert (facts[0].train_counts, facts[0].test_counts) == ((7,) * 4, (3,) * 4)
    for root in roots:
        assert has_set(prepared(configure("arrays", root=root)))


def test_every_pixel_and_label_counts(tmp_path: Path, configure: Configure) -> None:
    def seen(**changed: Any) -> str:
        return cache.facts_of(configure("arrays", root=saved(tmp_path, **changed))).fingerprint

    pixel, label = IMAGES[28:].copy(), LABELS[28:].copy()
    pixel[-1, 5, 5, 2] ^= 1
    label[0] = (label[0] + 1) % 4
    assert len({seen(), seen(test_images=pixel), seen(test_labels=label)}) == 3


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda a: a.transpose(0, 3, 1, 2), {}),
        (lambda a: a.transpose(0, 3, 1, 2), {"layout": "NCHW"}),
        (lambda a: (a / 255).astype(np.float32), {}),
        (lambda a: (a / 255).astype(">f8"), {}),
        (lambda a: a.astype(np.float32), {"white": 255.0}),
        (lambda a: a.astype(np.int64), {}),
        (lambda a: a.astype(np.uint16) * 257, {"white": 65535.0}),
    ],
)
def test_layouts_and_types_give_the_same_pixels(
    change: Any, options: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    images = {name: change(SET[name]) for name in ("train_images", "test_images")}
    config = configure("arrays", root=saved(tmp_path, **images), **options)
    assert has_set(prepared(config))
    finer = images["train_images"].dtype.kind == "f" or options.get("white") == 65535.0
    assert cache.facts_of(config).notes == ("images are rounded to 256 levels",) * finer
    labels = {name: SET[name].reshape(-1, 1).astype("u1") for name in ("train_labels", "test_labels")}
    assert cache.facts_of(configure("arrays", root=saved(tmp_path, **labels))) == cache.facts_of(
        configure("arrays", root=saved(tmp_path))
    )


def test_grey_images_need_no_axis_for_channels(tmp_path: Path, configure: Configure) -> None:
    grey = {name: SET[name][..., 0] for name in ("train_images", "test_images")}
    data = prepared(configure("arrays", root=saved(tmp_path, **grey), image_size=3))
    assert data.facts.shape == (1, 3, 3)
    assert (data.images["test"][5] == base.resized(IMAGES[33, :, :, :1], 3)).all()


def test_a_test_set_is_drawn_where_a_fraction_is_given(tmp_path: Path, configure: Configure) -> None:
    root = saved(tmp_path, train_images=IMAGES, train_labels=LABELS, test_images=None, test_labels=None)
    with pytest.raises(DataError, match="has no array 'test_images'; it has train_images, train_labels"):
        cache.facts_of(configure("arrays", root=root))
    data = prepared(configure("arrays", root=root, test_fraction=0.2))
    assert (data.facts.train_counts, data.facts.test_counts) == ((8,) * 4, (2,) * 4)
    rows = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    found = [
        (image.tobytes(), int(label))
        for split in ("train", "test")
        for image, label in zip(data.images[split], data.labels[split], strict=True)
    ]
    assert len(found) == len(dict(found)) == 40
    assert all(rows[image] == label for image, label in found)
    with pytest.raises(DataError, match=r"test_fraction 0\.99 .* or test arrays"):
        cache.facts_of(configure("arrays", root=root, test_fraction=0.99))


WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "a name",
        {},
        {"train_images": "x_train"},
        r"set\.npz: has no array 'x_train'; it has test_images, test_l",
    ),
    ("lengths", {"test_labels": LABELS[:5]}, {}, "test_labels: has 5 labels, and test_images has 12 images"),
    ("floats", {"train_labels": LABELS[:28] * 1.0}, {}, "train_labels: has the type float64; give labels as"),
    (
        "one hot",
        {"train_labels": np.eye(4)[LABELS[:28]].astype(int)},
        {},
        r"the shape \(28, 4\); give one int",
    ),
    ("from 1", {"train_labels": LABELS[:28] + 1}, {}, "has labels from 1 to 4, but none is 0; number"),
    ("below 0", {"test_labels": LABELS[28:] - 1}, {}, "labels from -1 to 2; give 0 to 3"),
    ("unknown", {"test_labels": LABELS[28:] + 1}, {}, "labels from 1 to 4; give 0 to 3"),
    ("huge", {"train_labels": np.full(28, 2**62)}, {}, "labels from .* give 0 to one less than the number"),
    (
        "objects",
        {"train_labels": np.array([{}] * 28)},
        {},
        "train_labels: has the type object; give integers",
    ),
    ("truth", {"train_labels": np.ones(28, bool)}, {}, "has the type bool; give integers"),
    ("flat", {"train_images": IMAGES[:28].reshape(28, -1)}, {}, r"has the shape \(28, 108\); give NHW, NHWC"),
    ("both ends", {"train_images": IMAGES[:28, :3]}, {}, r"\(28, 3, 6, 3\); set data.layout to NHWC or NCHW"),
    (
        "4 channels",
        {"train_images": np.zeros((28, 6, 6, 4), "u1")},
        {},
        r"\(28, 6, 6, 4\); give NHW, NHWC or",
    ),
    (
        "oblong",
        {"train_images": IMAGES[:28, :4]},
        {},
        "has images of 4 x 6 pixels and 3 channels; give squares",
    ),
    ("other layout", {}, {"layout": "NHW"}, r"the shape \(28, 6, 6, 3\) and not NHW; give"),
    (
        "two sizes",
        {"test_images": IMAGES[28:, :5, :5]},
        {},
        "6 pixels and 3 channels and 5 pixels and 3 chan",
    ),
    ("scalar", {"train_images": np.uint8(3)}, {}, "train_images: is a single number; give an array"),
    ("empty", {"train_images": IMAGES[:0]}, {}, "train_images: has no image; give at least one"),
    (
        "Fortran's",
        {"train_images": np.asfortranarray(IMAGES[:28])},
        {},
        "in Fortran's order; save numpy.asco",
    ),
    (
        "too bright",
        {"test_images": IMAGES[28:] * 1.0},
        {},
        r"test_images: image 0, .* has the value [\d.]+; .* to 1",
    ),
    (
        "not a number",
        {"train_images": np.full((28, 6, 6, 3), np.nan)},
        {},
        "image 0, .* has the value nan; give",
    ),
    ("too dark", {"train_images": -IMAGES[:28].astype(int)}, {}, "image 0, .* has the value -"),
    ("labels twice", {}, {"test_labels": "train_labels"}, "test_labels: names the training labels, tra"),
    ("one array twice", {}, {"test_images": "train_images"}, "test_images: names the training images, tra"),
    ("own test set", {}, {"same_as": "cifar10", "test_fraction": 0.1}, "cifar10 has a test set of its own"),
    (
        "test arrays and a fraction",
        {},
        {"test_labels": "others", "test_fraction": 0.5},
        "data.test_labels: has no effect with test_fraction, which keeps training labels for testing; leave",
    ),
    ("not CIFAR-10", {}, {"same_as": "cifar10"}, "train_labels: the labels are not those of CIFAR-10 in its"),
]


@pytest.mark.parametrize(("changed", "options", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_misfit_is_named_with_what_is_right(
    changed: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path, configure: Configure
) -> None:
    with pytest.raises(DataError, match=message) as raised:
        cache.facts_of(configure("arrays", root=saved(tmp_path, **changed), **options))
    assert "; " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_images_that_use_few_of_the_levels_are_told_to_be_dark(tmp_path: Path, configure: Configure) -> None:
    root = saved(tmp_path, train_images=IMAGES[:28] // 128)
    notes = " ".join(prepared(configure("arrays", root=root)).notes)
    assert "train_images: the largest value is 1, and white is 255; set data.white" in notes
    assert "npz: test_images" not in notes
    digits = saved(tmp_path, train_images=IMAGES[:28] // 16)
    told = " ".join(prepared(configure("arrays", root=digits)).notes)
    assert "train_images: the largest value is 15, and white is 255" in told
    assert "largest" not in " ".join(prepared(configure("arrays", root=saved(tmp_path))).notes)


def test_a_test_set_that_is_the_training_set_is_refused(tmp_path: Path, configure: Configure) -> None:
    copies = {"test_images": IMAGES[:28], "test_labels": LABELS[:28]}
    config = configure("arrays", root=saved(tmp_path, **copies))
    with pytest.raises(DataError, match="the test arrays have the same images and labels as the training"):
        cache.facts_of(config)


@pytest.mark.parametrize(
    ("copied", "said"),
    [
        (0, ()),
        (1, ("1 of 12 test images is a training image, too, value for value",)),
        (5, ("5 of 12 test images are training images, too, value for value",)),
        (12, ("12 of 12 test images are training images, too, value for value",)),
    ],
)
def test_test_images_that_are_training_images_are_counted(
    copied: int, said: tuple[str, ...], tmp_path: Path, configure: Configure
) -> None:
    test = np.concatenate([IMAGES[:copied], IMAGES[28 + copied :]])
    data = prepared(configure("arrays", root=saved(tmp_path, test_images=test)))
    assert data.notes == said


def test_images_that_occur_twice_in_training_or_in_two_classes_are_counted(
    tmp_path: Path, configure: Configure
) -> None:
    """Image 3 is also image 0, and image 29, of the test set, is also image 1."""
    train, test = IMAGES[:28].copy(), IMAGES[28:].copy()
    train[3], test[1] = train[0], train[1]
    labels = {"train_labels": LABELS[:28].copy(), "test_labels": LABELS[28:].copy()}
    labels["train_labels"][3], labels["test_labels"][1] = labels["train_labels"][0], LABELS[1]
    same = prepared(configure("arrays", root=saved(tmp_path, train_images=train, test_images=test, **labels)))
    twice = (
        "1 of 12 test images is a training image, too, value for value",
        "2 of 28 training images equal others, value for value, so a validation set may hold what is "
        "trained on",
    )
    assert same.notes == twice
    labels["test_labels"][1] = (LABELS[1] + 1) % (LABELS.max() + 1)
    other = prepared(
        configure("arrays", root=saved(tmp_path, train_images=train, test_images=test, **labels))
    )
    assert other.notes == (*twice, "2 images have an equal one in another class: are the labels right?")


def test_an_archive_that_is_cut_off_is_told_from_what_is_none(tmp_path: Path, configure: Configure) -> None:
    whole = Path(saved(tmp_path)).read_bytes()
    for content, told in (
        (whole[: len(whole) // 2], r"cut\.npz: is cut off: the list of its arrays, at its end, is missing"),
        (whole[:-10], "is cut off"),
        (b"", r"cut\.npz: is an empty file; data\.root names an \.npz file"),
        (b"text", r"cut\.npz: is neither a folder nor an \.npz archive"),
    ):
        (tmp_path / "cut.npz").write_bytes(content)
        with pytest.raises(DataError, match=told):
            cache.facts_of(configure("arrays", root=str(tmp_path / "cut.npz")))


def test_nothing_is_unpickled(tmp_path: Path, configure: Configure) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (tmp_path.joinpath("trap").touch, ())

    with pytest.raises(DataError, match="has the type object; give integers or floating-point numbers"):
        cache.facts_of(configure("arrays", root=saved(tmp_path, train_images=np.array([Trap()] * 28))))
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_damaged_files_are_refused_in_a_line(kind: str, tmp_path: Path, configure: Configure) -> None:
    root = Path(saved(tmp_path))
    file = root
    if kind == "npy":
        with zipfile.ZipFile(root) as archive:
            archive.extractall(tmp_path / "folder")
        root = tmp_path / "folder"
        file = root / "train_images.npy"
    whole = file.read_bytes()
    said = list[str]()
    for number in range(150):
        content = bytearray(whole[: DICE.randint(len(whole))] if number % 3 == 0 else whole)
        if content and number % 3:
            for place in DICE.randint(0, min(len(content), [len(content), 200][number % 2]), 1 + number % 3):
                content[place] = DICE.randint(256)
        file.write_bytes(content)
        try:
            cache.facts_of(configure("arrays", root=str(root)))
        except DataError as error:
            said.append(str(error))
    assert len(said) > 75
    assert all("\n" not in message and str(tmp_path) in message for message in said)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "no.npz").write_bytes(b"no archive")
    for name, wrong in (
        ("no.npz", "is neither a folder nor an .npz archive"),
        ("none", "there is no such file"),
    ):
        with pytest.raises(DataError, match=rf"{name}: {wrong}.*; data\.root names an \.npz file"):
            cache.facts_of(configure("arrays", root=str(tmp_path / name)))
    with pytest.raises(DataError, match=r"data\.root: is missing; name an \.npz file"):
        cache.facts_of(configure("arrays"))


def test_a_header_cannot_ask_for_more_memory_than_the_file_has(tmp_path: Path) -> None:
    for shape in ((10**12, 4, 4), (4, 10**6, 10**6)):
        header = io.BytesIO()
        npy.npy.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        (tmp_path / "x.npy").write_bytes(header.getvalue() + b"few")
        with pytest.raises(DataError, match="is shorter or longer than its header says; save"):
            list(npy.stored(tmp_path, "x").blocks())


def test_pixels_are_hashed_once_for_many_commands(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "SETTLED", -10)
    config, read = configure("arrays", root=saved(tmp_path)), list[str]()
    blocks = npy.StoredArray.blocks
    monkeypatch.setattr(npy.StoredArray, "blocks", lambda self: (read.append(self.name), blocks(self))[1])
    facts = [cache.facts_of(config) for _ in range(3)]
    assert facts[0] == facts[1] == facts[2]
    assert sorted(name for name in read if name.endswith("images")) == ["test_images", "train_images"]


# In what follows, CIFAR-10 has two blocks of ten images, and images 3 and 12 are known as copies only.


@pytest.fixture
def small_cifar(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    images = DICE.randint(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    arrays = {"train_images": images[:20], "train_labels": np.arange(20) % 10}
    arrays |= {"test_images": images[20:], "test_labels": np.arange(20) % 10}

    def split(name: str, copies: tuple[int, ...]) -> known.KnownSplit:
        pixels = arrays[f"{name}_images"].copy()
        digests = {place: hashlib.sha256(pixels[place].tobytes()).hexdigest()[:8] for place in copies}
        pixels[list(copies)] = 0
        blocks = tuple(hashlib.sha256(pixels[i : i + 10].tobytes()).hexdigest()[:16] for i in (0, 10))
        return known.KnownSplit(
            hashlib.sha256(arrays[f"{name}_labels"].tobytes()).hexdigest(), blocks, digests
        )

    whole = known.KNOWN["cifar10"]
    small = known.KnownSet(
        whole.title, whole.classes, whole.shape, {"train": split("train", (3, 12)), "test": split("test", ())}
    )
    monkeypatch.setattr(known, "BLOCK", 10)
    monkeypatch.setattr(npy, "ROWS", 10)
    monkeypatch.setitem(known.KNOWN, "cifar10", small)
    return arrays


def test_a_set_is_recognised_by_its_content(
    small_cifar: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    config = configure("arrays", root=saved(tmp_path, **small_cifar), same_as="cifar10")
    assert cache.facts_of(config).classes[:2] == ("airplane", "automobile")
    assert cache.Survey().notes(config) == (
        "18 of 20 train images are CIFAR-10's own by their hashes, 2 are decoded JPEG copies",
        "20 of 20 test images are CIFAR-10's own by their hashes",
    )
    originals = small_cifar["train_images"].copy()
    originals[3] ^= 7
    config = configure(
        "arrays", root=saved(tmp_path, **{**small_cifar, "train_images": originals}), same_as="cifar10"
    )
    assert cache.Survey().notes(config)[0] == (
        "18 of 20 train images are CIFAR-10's own by their hashes, 1 is a decoded JPEG copy, "
        "1 cannot be checked, because no hash of them is known"
    )


def test_anything_else_is_not_recognised(
    small_cifar: dict[str, Any], tmp_path: Path, configure: Configure
) -> None:
    def refused(message: str, **changed: Any) -> None:
        root = saved(tmp_path, **{**small_cifar, **changed})
        with pytest.raises(
            DataError, match=message + ".* of CIFAR-10 in its usual order; leave data.same_as out"
        ):
            cache.facts_of(configure("arrays", root=root, same_as="cifar10"))
        assert cache.facts_of(configure("arrays", root=root)).train

    images, labels = small_cifar["train_images"], small_cifar["train_labels"]
    one = images.copy()
    one[15, 31, 31, 2] ^= 1
    refused("train_images: the images 10 to 19, counted from 0, are", train_images=one)
    refused("train_images: the images 0 to 9, counted from 0, are", train_images=images[::-1].copy())
    sixteen = {f"{split}_images": small_cifar[f"{split}_images"][:, :16, :16] for split in ("train", "test")}
    refused("train_images: the images are", **sixteen)
    refused("train_labels: the labels are", train_labels=labels[::-1].copy())
    refused("train_labels: the labels are", train_images=images[:10], train_labels=labels[:10])
    refused("test_images: the images 0 to 9", test_images=images[::-1].copy())


def test_recognised_arrays_train_as_the_set_s_own_files(
    small_cifar: dict[str, Any], tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: Cifar10, split: base.Split, *_: Any) -> Any:
        yield Chunk(small_cifar[f"{split}_images"], small_cifar[f"{split}_labels"])

    monkeypatch.setattr(Cifar10, "read", read)
    options = {"crop": 4, "flip": True, "validation_size": 10}
    root = saved(tmp_path, **small_cifar)
    arrays = open_data(configure("arrays", root=root, same_as="cifar10", **options), "cpu")
    cifar = open_data(configure("cifar10", **options), "cpu")
    assert arrays.facts.classes == cifar.facts.classes
    for name, split in arrays.splits.items():
        other, rows = cifar.splits[name], torch.arange(10)
        assert split is not None
        assert other is not None
        assert len(split) == len(other)
        for batches in ((split.batch, other.batch), (split.training(3, 1), other.training(3, 1))):
            (x, y), (x_other, y_other) = (batch(rows) for batch in batches)
            assert torch.equal(x, x_other)
            assert torch.equal(y, y_other)


def test_the_whole_of_cifar10_is_recognised() -> None:
    """The hashes that come with the package, of which there is a copy only where the real data are."""
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10"
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder.parent.name}/{folder.name}")
    for split in ("test", "train"):
        labels = np.load(folder / f"{split}_labels.npy")
        known.Recognition(known.KNOWN["cifar10"], split, "here").check_labels(labels)
        exact = np.load(folder / f"{split}_exact.npy")
        copies = known.KNOWN["cifar10"].splits[split].copies
        assert list(copies) == np.flatnonzero(~exact).tolist()
        assert len(known.KNOWN["cifar10"].splits[split].blocks) * 1000 == len(labels)
