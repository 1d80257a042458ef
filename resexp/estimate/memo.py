"""Answers that take long and never change, kept on disk beside the data: what a network costs, which parts
go together, how long a step takes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from resexp import durable
from resexp.machine.folders import data_folder

CODE = (
    *("models", "connections", "tasks", "probes", "options.py"),
    *("plan/compatible.py", "estimate/network.py", "estimate/duration.py"),
)
"""Below this package: what the answers are computed by, together with PyTorch. A change forgets them all."""


class Remembered:
    """JSON answers in one file, one a line. Losing it costs time only: it is no error if the disk refuses."""

    def __init__(self, learn: Callable[[], object] | None = None) -> None:
        """`learn` is called before the first answer is computed here: it may have others write answers."""
        self._learn = learn
        self._path = data_folder() / "networks.json"
        self._code = code_fingerprint()
        self._whole = True
        self._answers = self._read()

    def answer(self, question: str, compute: Callable[[], dict[str, int]]) -> dict[str, int]:
        """What `compute` gave when the question was first asked, now or in an earlier process."""
        key = hashlib.sha256(question.encode()).hexdigest()[:16]
        if key not in self._answers and self._learn is not None:
            learn, self._learn = self._learn, None
            learn()
            self._answers = {**self._read(), **self._answers}
        if key not in self._answers:
            self._answers[key] = compute()
            self._keep(key)
        return self._answers[key]

    def _read(self) -> dict[str, dict[str, int]]:
        """The answers of this code. A file that holds others, or damage, is not added to but replaced."""
        try:
            data = durable.read_bytes(self._path)
        except OSError as problem:
            self._whole = isinstance(problem, FileNotFoundError)
            return {}
        rows, good = durable.read_rows(data)
        own = [row for row in rows if row.get("code") == self._code]
        self._whole = good == len(data) and len(own) == len(rows)
        return {row["question"]: row["answer"] for row in own}

    def _keep(self, key: str) -> None:
        """Add an answer to the file, without writing again what is there: a plan may ask thousands."""
        keys = [key] if self._whole else list(self._answers)
        rows = [{"code": self._code, "question": each, "answer": self._answers[each]} for each in keys]
        data = b"".join(map(durable.seal, rows))
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._whole:
                _append(self._path, data)
            else:
                durable.write_atomic(self._path, data, durable=False)
                self._whole = True


def _append(path: Path, data: bytes) -> None:
    """Add to a file, made where there is none, in one write, so that several processes may add to it."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        durable.write_all(fd, data)
    finally:
        os.close(fd)


def code_fingerprint() -> str:
    """A hash of the code that computes the answers.

    Raises FileNotFoundError if a name in CODE leads nowhere: otherwise answers of old code would be served.
    """
    package = Path(__file__).parents[1]
    files = [file for part in CODE for file in _sources(package / part)]
    sources = {str(f.relative_to(package)): f.read_text(encoding="utf-8") for f in files}
    text = json.dumps([metadata.version("torch"), sources], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sources(part: Path) -> list[Path]:
    """A file, or all Python files of a folder."""
    if part.suffix:
        return [part]
    files = sorted(part.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{part} holds no Python file")
    return files
