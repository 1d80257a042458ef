"""The spoken digits: fetched, each recording checked by its own hash, and split by recording or speaker."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache as once
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from recordings import file_of
from shared_data import SHARED

from resexp.config.settings import DataConfig
from resexp.data import cache, spoken_digits
from resexp.data.download import Remote
from resexp.data.opening import open_data
from resexp.data.spoken_digits import SPEAKERS, WORDS, checked, hashes
from resexp.errors import DataError

Configure = Callable[..., DataConfig]


@once
def made_up() -> Mapping[str, bytes]:
    """A recording of a tenth of a second for each name: the first sample tells which it is."""
    names = sorted(hashes())
    silence = np.zeros(800, np.int16)
    contents = {}
    for number, name in enumerate(names):
        silence[0] = number + 1
        contents[name] = file_of(silence)
    return contents


def archive(
    contents: Mapping[str, bytes], top: str = "free-spoken-digit-dataset-master/", mode: str = "w:gz"
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, compresslevel=1) as tar:  # type: ignore[call-overload]
        for name, content in {
            "README.md": b"read me",
            **{f"recordings/{n}": c for n, c in contents.items()},
        }.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up recordings pass for the real ones."""
    known = {name: hashlib.sha256(content).hexdigest()[:32] for name, content in made_up().items()}
    monkeypatch.setattr(spoken_digits, "hashes", lambda: known)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        wrong = dict(made_up()) | {"7_theo_0.wav": made_up()["7_theo_1.wav"]}
        body = archive(wrong if self.path == "/wrong" else made_up())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def remote(server: ThreadingHTTPServer, *paths: str) -> Remote:
    here = f"http://127.0.0.1:{server.server_port}/"
    return Remote(spoken_digits.REMOTE.name, 1 << 22, "", tuple(here + path for path in paths))


@pytest.mark.usefixtures("hashed")
def test_the_archive_is_fetched_once_from_an_address_where_every_recording_is_right(
    server: ThreadingHTTPServer, data_folder: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spoken_digits, "REMOTE", remote(server, "wrong", "good"))
    config = configure("spoken_digits", seconds=0.1)
    assert cache.facts_of(config).train == 2700
    assert server.asked == []  # type: ignore[attr-defined]
    prepared = cache.load_prepared(cache.prepare(config))
    assert server.asked == ["/wrong", "/good"]  # type: ignore[attr-defined]
    assert prepared.images["train"].shape == (2700, 800)
    names = sorted(made_up())
    for split, tested in (("train", False), ("test", True)):
        told = [names[sample - 1] for sample in prepared.images[split][:, 0]]
        assert [int(name[0]) for name in told] == prepared.labels[split].tolist()
        assert {int(name[:-4].split("_")[2]) < 5 for name in told} == {tested}
        assert len(set(told)) == len(told)
    assert [p.name for p in data_folder.iterdir() if p.suffix == ".gz"] == [spoken_digits.REMOTE.name]


@pytest.mark.usefixtures("hashed")
def test_an_archive_with_a_wrong_recording_is_refused_and_not_kept(
    server: ThreadingHTTPServer, data_folder: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spoken_digits, "REMOTE", remote(server, "wrong"))
    with pytest.raises(DataError, match=r"1 of 3,000 recordings are .*\(7_theo_0\.wav\)") as caught:
        cache.prepare(configure("spoken_digits", seconds=0.1))
    assert "\n" not in str(caught.value)
    assert not list(data_folder.glob("*.gz"))
    monkeypatch.setattr(
        spoken_digits, "REMOTE", Remote("a.tar.gz", 1000, "", remote(server, "good").addresses)
    )
    with pytest.raises(DataError, match="at most 1000 are right"):
        cache.prepare(configure("spoken_digits", seconds=0.1))


@pytest.mark.usefixtures("hashed")
@pytest.mark.parametrize(
    "form", ["recordings", "free-spoken-digit-dataset/recordings", "spoken-digits.tar.xz"]
)
def test_recordings_that_are_there_are_not_fetched(form: str, tmp_path: Path, configure: Configure) -> None:
    if form.endswith(".xz"):
        (tmp_path / form).write_bytes(tar_xz())
    else:
        (tmp_path / form).mkdir(parents=True)
        for name, content in made_up().items():
            (tmp_path / form / name).write_bytes(content)
    prepared = cache.load_prepared(cache.prepare(configure("spoken_digits", root=str(tmp_path), seconds=0.1)))
    assert (len(prepared.labels["train"]), len(prepared.labels["test"])) == (2700, 300)
    if not form.endswith(".xz"):
        (tmp_path / form / "3_lucas_7.wav").unlink()
        with pytest.raises(DataError, match=r"1 of 3,000 recordings are missing or .*\(3_lucas_7\.wav\)"):
            checked(tmp_path / form)


def tar_xz() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=0) as tar:
        for name, content in made_up().items():
            member = tarfile.TarInfo(f"recordings/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.usefixtures("hashed")
def test_no_speaker_is_heard_in_both_sets(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "spoken-digits.tar.xz").write_bytes(tar_xz())
    config = configure("spoken_digits", root=str(tmp_path), seconds=0.1, test_speakers=("theo", "lucas"))
    facts = cache.facts_of(config)
    assert (facts.train_counts, facts.test_counts) == ((200,) * 10, (100,) * 10)
    prepared = cache.load_prepared(cache.prepare(config))
    names = sorted(made_up())
    heard = {
        split: {names[sample - 1].split("_")[1] for sample in prepared.images[split][:, 0]}
        for split in ("train", "test")
    }
    assert heard == {"train": set(SPEAKERS) - {"theo", "lucas"}, "test": {"theo", "lucas"}}
    assert facts.fingerprint != cache.facts_of(configure("spoken_digits", seconds=0.1)).fingerprint


@pytest.mark.parametrize("held", [(), ("nobody",), SPEAKERS, ("theo", "theo")])
def test_speakers_must_be_left_for_both_sets(held: tuple[str, ...], configure: Configure) -> None:
    with pytest.raises(
        DataError, match=r"^data\.test_speakers: .*name some, and not all, of george, jackson"
    ):
        cache.facts_of(configure("spoken_digits", test_speakers=held))


def test_hashes_are_of_every_word_by_every_speaker() -> None:
    wanted = {f"{w}_{s}_{n}.wav" for w in range(len(WORDS)) for s in SPEAKERS for n in range(50)}
    assert hashes().keys() == wanted
    assert len(set(hashes().values())) == 3000
    assert {len(digest) for digest in hashes().values()} == {32}


def test_the_real_recordings_are_decoded_exactly(configure: Configure) -> None:
    packed = SHARED / "spoken-digits.tar.xz"
    if not packed.is_file():
        pytest.skip(f"needs the real data in {SHARED.parent.name}/{SHARED.name}/{packed.name}")
    config = configure("spoken_digits", root=str(SHARED), seconds=0.5)
    data = open_data(config, "cpu")
    assert (len(data.train), len(data.test)) == (2700, 300)
    prepared = cache.load_prepared(cache.prepare(config))
    assert [note.split(":")[0] for note in prepared.notes] == [
        "822 files longer than 0.5 s, of which the middle is taken"
    ]
    samples, rate = soundfile.read(io.BytesIO(checked(packed)["0_george_5.wav"]), dtype="int16")
    assert (rate, len(samples) > 4000) == (8000, True)
    start = (len(samples) - 4000) // 2
    assert (prepared.images["train"][0] == samples[start : start + 4000]).all()
