from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest

from resexp.data import download
from resexp.data.download import Remote, fetch, members
from resexp.errors import DataError

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers /good truthfully and every other path in the way its name says."""

    def do_GET(self) -> None:
        what = unquote(self.path.strip("/"))
        self.server.asked.append(what)  # type: ignore[attr-defined]
        body = {"wrong": CONTENT[::-1], "short": CONTENT[:-1], "long": CONTENT * 2}.get(what, CONTENT)
        if what.startswith("drip"):
            self.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 50 * (what == "drip of headers"))
            return
        status = {"missing": 404, "astray": 302}.get(what, 200)
        self.send_response(status)
        if what == "astray":
            self.send_header("Location", f"http://localhost:{self.server.server_port}/good")  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if what == "half" else body)

    def drip(self, head: bytes) -> None:
        """Send the head, or as much of it as there is, and then a body, a byte at a time."""
        slowly = head[20:]
        self.wfile.write(head[:20] + b"\r\n" * (not slowly))
        with suppress(OSError):  # the client has left
            for byte in slowly or CONTENT[:500]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] - clients here hang up on purpose
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(running: ThreadingHTTPServer) -> ThreadingHTTPServer:
    running.asked = []  # type: ignore[attr-defined]
    return running


def remote(server: ThreadingHTTPServer, *paths: str) -> Remote:
    here = f"http://127.0.0.1:{server.server_port}/"
    return Remote("set.tar.gz", len(CONTENT), SHA256, tuple(here + path for path in paths))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_fetches_once_and_says_how_far_it_is(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    for _ in range(2):
        path = fetch(remote(server, "good"), tmp_path / "new" / "folder", lambda *event: told.append(event))
    assert path.read_bytes() == CONTENT
    assert server.asked == ["good"]  # type: ignore[attr-defined]
    assert told[-1] == ("fetching set.tar.gz", len(CONTENT), len(CONTENT))
    assert len(told) > 1
    assert visible(path.parent) == ["set.tar.gz"]


@pytest.mark.parametrize("bad", ["drip", "drip%20of%20headers"])
def test_a_server_that_sends_a_byte_now_and_then_gives_way(
    bad: str, server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    monkeypatch.setattr(download, "SLOWEST", 1000)
    path = fetch(remote(server, bad, "good"), tmp_path, lambda *_: None)
    assert path.read_bytes() == CONTENT
    with pytest.raises(DataError, match="bytes came in 0 seconds"):
        fetch(remote(server, bad), tmp_path / "alone", lambda *_: None)
    assert visible(tmp_path / "alone") == []


@pytest.mark.parametrize("bad", ["wrong", "short", "long", "half", "missing", "astray"])
def test_bad_address_gives_way_to_the_next(bad: str, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    path = fetch(remote(server, bad, "good"), tmp_path, lambda *_: None)
    assert path.read_bytes() == CONTENT
    assert server.asked == [bad, "good"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("wrong", f"SHA-256 {hashlib.sha256(CONTENT[::-1]).hexdigest()}"),
        ("half", f"{len(CONTENT) // 2} bytes came"),
        ("missing", "Not Found"),
        ("astray", "not https"),
    ],
)
def test_nothing_unverified_is_left(bad: str, says: str, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch(remote(server, bad), tmp_path, lambda *_: None)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert f"{server.server_port}/{bad} (SHA-256 {SHA256}) and put it into {tmp_path}" in message
    assert visible(tmp_path) == []


@pytest.mark.parametrize("address", ["http://example.org/set", "ftp://127.0.0.1/set", "file:///etc/hostname"])
def test_only_https_is_asked(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not https"):
        fetch(Remote("set", 1, SHA256, (address,)), tmp_path, lambda *_: None)


def test_two_at_once_fetch_once(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: fetch(remote(server, "good"), tmp_path, lambda *_: None), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert server.asked == ["good"]  # type: ignore[attr-defined]


def test_damaged_file_is_named_and_not_used(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "set.tar.gz").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DataError, match=r"set\.tar\.gz: damaged"):
        fetch(remote(server, "good"), tmp_path, lambda *_: None)
    assert server.asked == []  # type: ignore[attr-defined]


def test_unwritable_folder_is_said(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be downloaded.*file"):
        fetch(remote(server, "good"), tmp_path / "file", lambda *_: None)


def archive(path: Path, *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in ("set/a", "set/b"):
            info = tarfile.TarInfo(name)
            info.size = 1000
            tar.addfile(info, io.BytesIO(name[-1:].encode() * 1000))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = (
        kind,
        size,
        "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "",
    )
    return info


def test_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", entry("set", tarfile.DIRTYPE))
    assert members(path, ["set/b"], 10_000) == {"set/b": b"b" * 1000}
    with pytest.raises(DataError, match="set/c is missing"):
        members(path, ["set/b", "set/c"], 10_000)


@pytest.mark.parametrize(
    "bad",
    [
        entry("../escape"),
        entry("set/../../escape"),
        entry("/etc/escape"),
        entry("set/link", tarfile.SYMTYPE),
        entry("set/link", tarfile.LNKTYPE),
        entry("set/device", tarfile.CHRTYPE),
        entry("set/pipe", tarfile.FIFOTYPE),
        entry("set/bomb", size=50_000),
    ],
    ids=lambda info: info.name,
)
def test_hostile_archives_are_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is outside it, too long, a link or a device"):
        members(archive(tmp_path / "a.tar.gz", bad), ["set/a"], 10_000)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.tar.gz"]


@pytest.mark.parametrize("length", [0, 1, 20, 60, 100])
def test_truncated_archive_is_refused(length: int, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="delete it to have it fetched again"):
        members(path, ["set/a", "set/b"], 10_000)
