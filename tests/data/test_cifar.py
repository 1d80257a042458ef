from __future__ import annotations

import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resexp.data import cifar
from resexp.data.cifar import CIFAR10, CIFAR100, Cifar10, Cifar100, Edition
from resexp.data.download import Remote
from resexp.errors import DataError

ROWS = np.random.RandomState(0).randint(0, 256, (2, 5, 3072), dtype=np.uint8)
LABELS = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]]


def batch(rows: np.ndarray, labels: list[int]) -> bytes:
    """A pickle as Python 2 and its numpy wrote it: byte strings, and arrays from numpy.core."""
    text = pickle.dumps({"data": rows, "labels": labels, "batch_label": "testing"}, protocol=3)
    size = struct.pack("<I", rows.nbytes)
    assert b"B" + size in text
    return text.replace(b"B" + size, b"T" + size).replace(b"numpy._core.", b"numpy.core.")


FILES = {"data_batch_1": batch(ROWS[0], LABELS[0]), "test_batch": batch(ROWS[1], LABELS[1])}


def edition(archive: bytes = b"", files: dict[str, bytes] = FILES) -> Edition:
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    remote = Remote(
        "cifar-10-python.tar.gz", len(archive), hashlib.sha256(archive).hexdigest(), ("http://no.net/x",)
    )
    return replace(
        CIFAR10,
        archive=remote,
        train={"data_batch_1": md5["data_batch_1"]},
        test={"test_batch": md5["test_batch"]},
    )


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(edition: Edition, root: Path) -> None:
    for number, split in enumerate(("train", "test")):
        (chunk,) = cifar._read(edition, root, split, None, lambda *_: None)  # type: ignore[arg-type]
        assert chunk.labels.tolist() == LABELS[number]
        assert chunk.images.shape == (5, 32, 32, 3)
        assert (chunk.images[4, 7, 8] == ROWS[number, 4].reshape(3, 32, 32)[:, 7, 8]).all()


def test_reads_the_archive_in_place(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(tar(FILES))
    read(edition(tar(FILES)), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("data")] == [
        "cifar-10-python.tar.gz"
    ]


def test_reads_what_torchvision_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    folder.chmod(0o500)
    read(edition(), tmp_path)
    folder.chmod(0o700)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("evil"),)  # type: ignore[return-value]


def test_nothing_is_unpickled_before_its_hash_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = {**FILES, "test_batch": pickle.dumps(Evil())}
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(evil["test_batch"])
    opened: list[object] = []
    monkeypatch.setattr(cifar, "_Plain", lambda *args, **_: opened.append(args))
    with pytest.raises(DataError, match=r"test_batch: missing or damaged, its MD5 is not"):
        list(cifar._read(edition(), tmp_path, "test", None, lambda *_: None))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(tar(evil))
    with pytest.raises(DataError, match="damaged, its SHA-256 is not"):
        list(cifar._read(edition(tar(FILES)), tmp_path, "test", None, lambda *_: None))
    assert not opened


def test_even_a_pickle_of_the_right_hash_can_call_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = {**FILES, "test_batch": pickle.dumps(Evil())}
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(tar(evil))
    with pytest.raises(DataError, match="which no original does"):
        list(cifar._read(edition(tar(evil)), tmp_path, "test", None, lambda *_: None))
    assert not (tmp_path / "evil").exists()


def test_without_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"cannot be downloaded .*get http://no\.net/x .* and put it into"
    ) as caught:
        list(cifar._read(edition(), tmp_path / "none", "test", None, lambda *_: None))
    assert "\n" not in str(caught.value)


def test_facts() -> None:
    ten, hundred = Cifar10().facts(None), Cifar100().facts(16)
    assert (ten.train, ten.test, ten.shape) == (50000, 10000, (3, 32, 32))
    assert (hundred.train, hundred.test, hundred.shape[1], len(hundred.classes)) == (50000, 10000, 16, 100)
    assert list(hundred.classes) == sorted(hundred.classes)
    assert ten.fingerprint != hundred.fingerprint
    for known in (CIFAR10, CIFAR100):
        assert len(known.archive.addresses) > 1
        assert all(address.startswith("https://") for address in known.archive.addresses)


def test_constants_are_torchvisions() -> None:
    from torchvision.datasets import cifar as theirs

    for ours, their in ((CIFAR10, theirs.CIFAR10), (CIFAR100, theirs.CIFAR100)):
        assert ours.archive.addresses[-1] == their.url
        assert ours.folder == their.base_folder
        assert list(ours.train.items()) == [tuple(pair) for pair in their.train_list]
        assert list(ours.test.items()) == [tuple(pair) for pair in their.test_list]
