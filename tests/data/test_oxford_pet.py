from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from resexp.data.contents import Contents
from resexp.data.oxford_pet import OxfordPet
from resexp.errors import DataError

# Python 3.12 and 3.13 warn of the way in which torchvision unpacks archives.
pytestmark = pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
NAMES = {"trainval": ("Abyssinian_1", "beagle_2"), "test": ("pug_3",)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The two archives, of three pictures whose left half is pet and bright, on a server of our own."""
    place = tmp_path / "served"
    (place / "annotations/trimaps").mkdir(parents=True)
    (place / "images").mkdir()
    for split, names in NAMES.items():
        (place / f"annotations/{split}.txt").write_text("".join(f"{name} 1 1 1\n" for name in names))
        for name in names:
            trimap = np.full((20, 30), 2, np.uint8)
            trimap[:, :15], trimap[:, 15] = 1, 3
            Image.fromarray(trimap).save(place / f"annotations/trimaps/{name}.png")
            Image.fromarray(np.where(trimap == 1, 250, 5).astype(np.uint8)).save(place / f"images/{name}.jpg")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    resources = []
    for part in ("images", "annotations"):
        archive = place / f"{part}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(place / part, part)
        md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
        resources.append((f"http://127.0.0.1:{server.server_port}/{part}.tar.gz", md5))
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", tuple(resources))
    yield place
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_fetched_once_and_masks_lie_on_their_images(served: Path, tmp_path: Path) -> None:
    pets = OxfordPet(root=str(tmp_path / "root"))
    (chunk,) = pets.read("train", 10, lambda *_: None)
    assert chunk.images.shape == (2, 10, 10, 3)
    assert chunk.labels is not None
    assert set(np.unique(chunk.labels)) == {0, 1, 2}
    bright = chunk.images.mean(3) > 128
    assert bright[chunk.labels == 1].all()
    assert not bright[chunk.labels == 0].any()
    for archive in served.glob("*.gz"):
        archive.unlink()
    assert sum(len(chunk.images) for chunk in pets.read("test", 10, lambda *_: None)) == 1


def test_it_is_known_by_its_content(served: Path, tmp_path: Path) -> None:
    def seen(root: str) -> str | None:
        return OxfordPet(root=str(tmp_path / root)).identity(Contents())

    assert seen("root") is None
    next(OxfordPet(root=str(tmp_path / "root")).read("train", 10, lambda *_: None))
    shutil.copytree(tmp_path / "root", tmp_path / "copy")
    assert seen("root") is None, "what was fetched is what would be fetched"
    assert seen("copy") is None
    identities: list[str | None] = [None]
    for colour in (1, 2):
        Image.new("L", (30, 20), colour).save(tmp_path / "copy/oxford-iiit-pet/annotations/trimaps/pug_3.png")
        identities.append(seen("copy"))
    assert len(set(identities)) == 3
    (tmp_path / "copy/oxford-iiit-pet/annotations/test.txt").unlink()
    with pytest.raises(DataError, match="cannot be fetched or read"):
        seen("copy")


def test_what_comes_wrong_is_no_data_set(served: Path, tmp_path: Path) -> None:
    (served / "annotations.tar.gz").write_bytes(b"something else")
    pets = OxfordPet(root=str(tmp_path / "root"))
    with pytest.raises(DataError, match="oxford-iiit-pet: cannot be fetched"):
        next(pets.read("train", 10, lambda *_: None))
    assert not (tmp_path / "root/oxford-iiit-pet").exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:60]), "train pair 1 cannot be read"),
        (
            lambda file: Image.new("L", (30, 20), 7).save(file),
            "train pair 1 has a mask with the numbers 7 to 7",
        ),
    ],
)
def test_a_damaged_pair_is_told(
    damage: Callable[[Path], object], says: str, served: Path, tmp_path: Path
) -> None:
    pets = OxfordPet(root=str(tmp_path / "root"))
    next(pets.read("train", 10, lambda *_: None))
    damage(tmp_path / "root/oxford-iiit-pet/annotations/trimaps/beagle_2.png")
    with pytest.raises(DataError, match=says):
        next(pets.read("train", 10, lambda *_: None))


def test_facts_need_no_download() -> None:
    facts = OxfordPet().facts(48)
    assert (facts.shape, facts.targets, facts.train, facts.test) == ((3, 48, 48), "masks", 3680, 3669)
