from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resexp.config.settings import DataConfig
from resexp.data import cache, fashion_mnist
from resexp.data.base import fingerprint
from resexp.data.fashion_mnist import CLASSES, FILES, MIRRORS, FashionMnist, parse_idx
from resexp.errors import DataError


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize("layout", ["torchvision", "flat and packed"])
def test_folder_that_holds_them_is_used(
    layout: str, tmp_path: Path, configure: Callable[..., DataConfig]
) -> None:
    folder = tmp_path if "flat" in layout else tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for files, count in ((FILES["train"], 60000), (FILES["test"], 10000)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.repeat(labels, 28 * 28).reshape(count, 28, 28) * np.uint8(20)
        for (name, _, _), content in zip(files, (idx(images), idx(labels)), strict=True):
            packed = "flat" in layout
            (folder / (f"{name}.gz" if packed else name)).write_bytes(
                gzip.compress(content, 1) if packed else content
            )
    config = configure("fashion_mnist", root=str(tmp_path))
    prepared = cache.load_prepared(cache.prepare(config))
    assert prepared.facts == cache.facts_of(config)
    assert prepared.images["test"].shape == (10000, 28, 28, 1)
    assert (prepared.images["train"][:, 3, 4, 0] == prepared.labels["train"] * 20).all()


def test_idx() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (parse_idx(Path("x"), idx(array), (2, 3, 4, 1))[..., 0] == array).all()
    for bad in (idx(array)[:-1], idx(array) + b"0", b"", idx(array.reshape(2, 4, 3)), b"1" + idx(array)[1:]):
        with pytest.raises(DataError, match="x: not an IDX file of 2 items"):
            parse_idx(Path("x"), bad, (2, 3, 4, 1))


def test_damaged_gzip_is_named(tmp_path: Path) -> None:
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"0" * 100)[:30])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: .*delete it"):
        list(FashionMnist(root=str(tmp_path)).read("test", None, lambda *_: None))


def test_a_file_that_unpacks_to_more_than_it_should_is_not_unpacked_whole(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t10k-images-idx3-ubyte.gz", "wb", 1) as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"not an IDX file of 10000 items"):
        list(FashionMnist(root=str(tmp_path)).read("test", None, lambda *_: None))
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_files_that_are_not_the_known_ones_make_another_set(
    tmp_path: Path, configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {name: name.encode() for files in FILES.values() for name, _, _ in files}
    known = {
        split: tuple(
            (name, len(name), hashlib.sha256(gzip.compress(content[name], mtime=0)).hexdigest())
            for name, _, _ in files
        )
        for split, files in FILES.items()
    }
    monkeypatch.setattr(fashion_mnist, "FILES", known)

    def seen(folder: str, changed: bytes = b"") -> str:
        """The identity of the files, of which one is changed."""
        (tmp_path / folder).mkdir()
        for number, (name, original) in enumerate(content.items()):
            packed = gzip.compress(original + changed * (number == 2), mtime=0)
            (tmp_path / folder / f"{name}.gz").write_bytes(packed)
        return cache.facts_of(configure("fashion_mnist", root=str(tmp_path / folder))).fingerprint

    fetched = cache.facts_of(configure("fashion_mnist", root=str(tmp_path / "nothing"))).fingerprint
    assert fetched == fingerprint("fashion_mnist", 1, 28)
    assert seen("known") == fetched
    assert len({fetched, seen("one", b"1"), seen("two", b"2")}) == 3
    assert seen("copy of one", b"1") == seen("another copy of one", b"1")


def test_constants() -> None:
    from torchvision.datasets import FashionMNIST

    assert CLASSES.split("|") == FashionMNIST.classes
    assert [f"{name}.gz" for files in FILES.values() for name, _, _ in files] == [
        n for n, _ in FashionMNIST.resources
    ]
    assert len(MIRRORS) > 1
    assert all(mirror.startswith("https://") for mirror in MIRRORS)
