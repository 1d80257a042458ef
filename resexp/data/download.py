"""Downloads files whose size and SHA-256 are known beforehand. Does not import torch.

A file is downloaded over https under a temporary name. It gets its own name only if its size and SHA-256 are
right, so that no unverified file is ever opened.
"""

from __future__ import annotations

import hashlib
import http.client
import lzma
import tarfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock

from resexp.data.base import Progress
from resexp.data.contents import digest_of
from resexp.errors import DataError
from resexp.machine.host import machine_name

BLOCK = 1 << 20
TIMEOUT = 30.0
"""Seconds without a byte after which the next address is tried."""
PATIENCE = 60.0
"""The speed of a server is measured over each period of this many seconds."""
SLOWEST = 16 << 10
"""The least bytes per second over PATIENCE seconds. If a server is slower, the next address is tried."""


@dataclass(frozen=True)
class Remote:
    """A file of known content: its name, size in bytes, SHA-256, and addresses, the best first.

    If a server packs an archive anew for each download, its SHA-256 is not known. Then `sha256` is "", `size`
    is the most bytes that it may have, and the contents of the archive must be checked instead.
    """

    name: str
    size: int
    sha256: str
    addresses: tuple[str, ...]


def fetch(
    remote: Remote, folder: Path, progress: Progress, check: Callable[[Path], object] = lambda path: None
) -> Path:
    """The path of the verified file in `folder`; downloads the file if it is missing.

    If two processes ask at the same time, the file is downloaded once. `check` is called with the path of
    what was downloaded, and must raise DataError if the content is wrong. Then the next address is tried. If
    no address has the file, a DataError of one line says why.
    """
    path = folder / remote.name
    if path.is_file():
        return verified(path, remote)
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{remote.name}.lock"):
            for address in remote.addresses:
                if path.is_file():
                    break
                try:
                    _download(address, remote, path, progress, check)
                except (OSError, http.client.HTTPException, ValueError, DataError) as error:
                    failures.append(f"{urlsplit(address).netloc}: {getattr(error, 'reason', None) or error}")
    except OSError as error:
        failures.append(f"{folder}: {error.strerror or error}")
    if not path.is_file():
        known = f" (SHA-256 {remote.sha256})" if remote.sha256 else ""
        raise DataError(
            f"{remote.name} cannot be downloaded ({'; '.join(' '.join(f.split()) for f in failures)}); get "
            f"{remote.addresses[-1]}{known} and put it into {folder}"
        )
    return path


def verified(path: Path, remote: Remote) -> Path:
    """The path, if the file has the right SHA-256, or if none is known. Raises DataError otherwise."""
    if not remote.sha256:
        return path
    if path.stat().st_size == remote.size and digest_of(path) == remote.sha256:
        return path
    raise DataError(
        f"{path}: damaged, its SHA-256 is not {remote.sha256}; delete it to have it fetched again"
    )


def members(
    archive: Path, wanted: Collection[str], limit: int, named: Callable[[str], str] = str
) -> dict[str, bytes]:
    """The contents of the wanted members of a .tar.gz or .tar.xz, by name. Nothing is unpacked on disk.

    `named` turns a member's path into its name in `wanted`.

    Raises DataError if the archive is damaged, lacks a wanted member or holds more than `limit` bytes, and if
    any member is a link, a device or a path that leads out of the archive.
    """
    contents: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                total += member.size
                outside = member.name.startswith("/") or ".." in member.name.split("/")
                if outside or total > limit or not (member.isreg() or member.isdir()):
                    raise tarfile.ReadError(f"{member.name!r} is outside it, too long, a link or a device")
                name = named(member.name)
                if name in wanted and (content := tar.extractfile(member)):
                    contents[name] = content.read()
        if missing := set(wanted) - contents.keys():
            raise tarfile.ReadError(f"{', '.join(sorted(missing)[:5])} is missing")
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{archive}: {error}; delete it to have it fetched again") from error
    return contents


def _download(
    address: str, remote: Remote, path: Path, progress: Progress, check: Callable[[Path], object]
) -> None:
    """Download the file from one address to `path`.

    Raises ValueError if the server sends another file, OSError if it sends none, and what `check` raises.
    """
    request = urllib.request.Request(_allowed(address), headers={"User-Agent": "resexp"})
    # Only the lock's holder writes this file. Another machine may not see the lock, and uses another name.
    temporary = path.with_name(f".{path.name}.{machine_name()}.part")
    try:
        with temporary.open("wb") as file, closing(_received(request)) as blocks:
            digest = _copy(blocks, file, remote, progress)
        if digest != (remote.sha256 or digest):
            raise ValueError(f"the file that came has SHA-256 {digest}")
        check(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _received(request: urllib.request.Request) -> Generator[bytes, None, None]:
    """The server's answer in blocks. Raises TimeoutError if the server is too slow, and what urllib raises.

    The timeout of a socket begins anew with each byte, so a server that sends one byte per second would hold
    us up for ever. Therefore a thread receives the blocks, and is abandoned if they come too slowly.
    """
    queue: Queue[bytes | Exception] = Queue(maxsize=8)
    abandoned = threading.Event()

    def receive() -> None:
        try:
            with urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as response:
                while not abandoned.is_set() and (block := response.read1(BLOCK)):
                    queue.put(block)
            queue.put(b"")
        except Exception as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            queue.put(error)

    threading.Thread(target=receive, daemon=True).start()
    begun, size = time.monotonic(), 0
    try:
        while True:
            try:
                block = queue.get(timeout=max(0.0, begun + PATIENCE - time.monotonic()))
            except Empty:
                block = None
            if isinstance(block, Exception):
                raise block
            if block == b"":
                return
            size += len(block or b"")
            if time.monotonic() - begun >= PATIENCE:
                if size < PATIENCE * SLOWEST:
                    raise TimeoutError(f"{size} bytes came in {PATIENCE:.0f} seconds")
                begun, size = time.monotonic(), 0
            if block:
                yield block
    finally:
        abandoned.set()
        with suppress(Empty):  # a thread that waits for room in the queue must see the event
            while True:
                queue.get_nowait()


def _copy(source: Iterable[bytes], target: IO[bytes], remote: Remote, progress: Progress) -> str:
    digest, done = hashlib.sha256(), 0
    for block in source:
        target.write(block)
        digest.update(block)
        done += len(block)
        progress(f"fetching {remote.name}", done, remote.size)
        if done > remote.size:
            break
    if done > remote.size or (remote.sha256 and done != remote.size):
        right = f"{remote.size}" if remote.sha256 else f"at most {remote.size}"
        raise ValueError(f"{done} bytes came, {right} are right")
    return digest.hexdigest()


def _allowed(address: str) -> str:
    """The address, if it is https or on this machine (for tests). Raises ValueError otherwise."""
    parts = urlsplit(address)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
        raise ValueError(f"{address} is not https")
    return address


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects to anything but https."""

    def redirect_request(  # noqa: PLR0917 - urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            return super().redirect_request(req, fp, code, msg, headers, _allowed(newurl))
        except ValueError:
            fp.close()
            raise
