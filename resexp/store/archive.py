"""The format of a packed experiment: a gzipped tar archive that begins with a list of its files.

Any tar program can list and unpack such a file. The file may come from somebody else, so Python's tarfile
parses only its headers. The code here accepts only plain files, with names that this package writes, in the
order of the list. It allocates no memory for bytes that have not arrived.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from resexp import durable
from resexp.errors import DataError, StoreError
from resexp.store.experiment_lock import check_plain

PACK_FORMAT = 1
MANIFEST = "manifest.json"
LONGEST_MANIFEST = 1 << 27
LEVEL = 6
"""The level of gzip's compression."""
UNIT = 512
"""The size of a tar header in bytes. The content of each file is padded to a multiple of this size."""
BLOCK = 1 << 20
LEAST, RATIO = 1 << 30, 200
"""All files together may have at most LEAST + RATIO * (size of the archive) bytes. An archive with more is
refused as an attack.
"""

_WORD = r"(?!\.)[\w=.+\u00a0-\ud7ff\ue000-\U0010ffff-]+"
"""A name in a path. Modules that a plugin imports may have names outside of ASCII."""
PACKED = re.compile(
    rf"(config\.yaml|plan\.json|environment\.json|reported\.json|registered\.json|runs/{_WORD}\.json"
    rf"|plugins/[0-9a-f]{{64}}(\.py|(/{_WORD})+)"
    rf"|trials/{_WORD}/(attempt|trial\.json|result\.json|failure\.json|later-probes\.json|log\.txt"
    r"|(metrics|probes)\.jsonl|checkpoint-\d+-\d+(-\d+)?\.(json|pt)))",
    re.ASCII,
)
"""The paths of files that are packed. Locks, progress, notes on jobs and reports are left out."""


@dataclass(frozen=True)
class Entry:
    """A packed file: its path in the experiment's folder, its size and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The list of files that an archive begins with.

    weights: whether the archive has the last checkpoints of finished trials. checkpoints: whether it has the
    checkpoints of unfinished trials.
    """

    experiment: str
    weights: bool
    checkpoints: bool
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)

    def to_bytes(self) -> bytes:
        document: dict[str, Any] = {"format": PACK_FORMAT, "experiment": self.experiment}
        document |= {"weights": self.weights, "checkpoints": self.checkpoints}
        document["files"] = [[entry.path, entry.size, entry.sha256] for entry in self.entries]
        return durable.seal(document, indent=0)


def believed(size: int) -> int:
    """The most bytes that an archive of `size` bytes may unpack to."""
    return LEAST + RATIO * size


def write(file: BinaryIO, manifest: Manifest, folder: Path) -> None:
    """Write an archive of the files in `folder`. Raises StoreError if one is not as the manifest says."""
    with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed:
        listed = manifest.to_bytes()
        _write_member(packed, MANIFEST, len(listed), [listed])
        for entry in manifest.entries:
            digest = hashlib.sha256()
            with durable.open_file(folder / entry.path) as source, suppress(EOFError):
                _write_member(packed, entry.path, entry.size, _blocks(source.read, entry.size, digest.update))
            if digest.hexdigest() != entry.sha256:
                raise StoreError(f"{folder / entry.path}: changed while it was packed; pack again")
        packed.write(bytes(2 * UNIT))


def _write_member(packed: gzip.GzipFile, name: str, size: int, blocks: Iterable[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        header = info.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        raise StoreError(
            f"{name}: cannot be packed, because its path has more than about 150 characters, or it has more "
            "than 8 GiB. A trial's folder may be renamed, except the part after the last dash"
        ) from None
    packed.write(header)
    for block in blocks:
        packed.write(block)
    packed.write(bytes(-size % UNIT))


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive in the file `path`, open until the context ends. Raises DataError if it cannot be read."""
    try:
        file = durable.open_file(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; name a file that `resexp pack` has written") from None
    with file, gzip.GzipFile(fileobj=file) as packed:
        yield Archive(path, packed, path.stat().st_size)


class Archive:
    """An archive that is read from its beginning: call `manifest`, then `contents`. Both raise DataError if
    it is damaged.
    """

    def __init__(self, path: Path, packed: gzip.GzipFile, size: int) -> None:
        self.path, self._packed, self._size = path, packed, size

    def manifest(self) -> Manifest:
        """The list of files, checked: every path matches PACKED, and none occurs twice."""
        name, size = self._header()
        if name != MANIFEST or not 0 <= size <= LONGEST_MANIFEST:
            raise self._wrong("does not begin with a list of its files")
        try:
            listed = durable.unseal(b"".join(self._content(size)))
        except durable.Damaged as damage:
            raise self._wrong(f"has a list of files that is damaged: {damage}") from None
        if listed.get("format") != PACK_FORMAT:
            raise self._wrong(f"has format {listed.get('format')!r:.20}, but only {PACK_FORMAT} is known")
        try:
            entries = tuple(_entry(*each) for each in listed["files"])
            manifest = Manifest(
                _text(listed["experiment"]), listed["weights"] is True, listed["checkpoints"] is True, entries
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._wrong(f"has a faulty list of files ({error})") from None
        self._check(manifest)
        return manifest

    def contents(self, manifest: Manifest) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each file with its bytes in blocks. Read all blocks of a file before you ask for the next: its hash
        is checked after the last block.
        """
        for entry in manifest.entries:
            if self._header() != (entry.path, entry.size):
                raise self._wrong(f"holds another file where its list has {entry.path!r}")
            digest = hashlib.sha256()
            yield entry, self._content(entry.size, digest.update)
            if digest.hexdigest() != entry.sha256:
                raise self._wrong(f"holds a damaged {entry.path}")
        if self._read(2 * UNIT) != bytes(2 * UNIT) or self._read(1):
            raise self._wrong("holds more than its list of files says, or was cut off")

    def _check(self, manifest: Manifest) -> None:
        try:
            check_plain(manifest.experiment)
        except StoreError as error:
            raise self._wrong(f"is of an experiment whose name is refused: {error}") from None
        if manifest.experiment.startswith("."):
            raise self._wrong("is of an experiment whose name is refused: it begins with a dot")
        paths = [entry.path for entry in manifest.entries]
        for path in paths:
            if not PACKED.fullmatch(path):
                raise self._wrong(f"holds {path[:200]!r}, which is not a file of an experiment")
        if len(set(paths)) < len(paths) or "plan.json" not in paths or "config.yaml" not in paths:
            raise self._wrong("holds a file twice, or no plan or configuration")
        if manifest.size > (most := believed(self._size)):
            raise self._wrong(
                f"says that it unpacks to {manifest.size:,} bytes; "
                f"a file of its size may have at most {most:,}"
            )

    def _header(self) -> tuple[str, int]:
        """The next member's name and size. Only plain files are accepted."""
        try:
            info = tarfile.TarInfo.frombuf(self._read(UNIT), "utf-8", "strict")
        except (tarfile.TarError, ValueError):
            raise self._wrong("is not an archive that `resexp pack` has made, or it was cut off") from None
        if info.type != tarfile.REGTYPE:
            raise self._wrong(f"holds {info.name[:200]!r}, which is a link, a folder or a device")
        return info.name, info.size

    def _content(self, size: int, seen: Callable[[bytes], object] = len) -> Iterator[bytes]:
        try:
            yield from _blocks(self._read, size, seen)
        except EOFError:
            raise self._wrong("was cut off") from None
        self._read(-size % UNIT)

    def _read(self, size: int) -> bytes:
        try:
            return self._packed.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._wrong(f"is damaged or was cut off ({error})") from None

    def _wrong(self, wrong: str) -> DataError:
        return DataError(f"{self.path}: {wrong}; nothing was unpacked. Pack the experiment again")


def _blocks(read: Callable[[int], bytes], size: int, seen: Callable[[bytes], object]) -> Iterator[bytes]:
    """Exactly `size` bytes in blocks; `seen` is called with each. Raises EOFError if there are fewer."""
    while size:
        block = read(min(BLOCK, size))
        if not block:
            raise EOFError
        seen(block)
        size -= len(block)
        yield block


def _entry(path: Any, size: Any, sha256: Any) -> Entry:
    if type(size) is not int or size < 0:
        raise ValueError("a size is not a whole number")
    return Entry(_text(path), size, _text(sha256))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value
