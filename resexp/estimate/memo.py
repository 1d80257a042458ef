"""Remembers answers that take long to find out and do not change, such as what a network costs. They are kept
in a file beside the data.
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
from resexp.errors import ConfigError
from resexp.machine.folders import data_folder

CODE = (
    *("models", "connections", "tasks", "probes", "options.py"),
    *("plan/compatible.py", "estimate/network.py", "estimate/duration.py"),
)
"""The files and folders of the package whose code computes the answers. When one of them changes, or the
version of PyTorch, all answers are forgotten.
"""


class Remembered:
    """JSON answers in a file, one per line. If the file cannot be read or written, answers are computed
    again.
    """

    def __init__(self, learn: Callable[[], object] | None = None) -> None:
        """`learn` is called once, before this process computes its first answer. It may let another process
        write answers into the file. The file is read again afterwards.
        """
        self._learn = learn
        self._path = data_folder() / "networks.json"
        self._code = code_fingerprint()
        self._whole = True
        self._answers = self._read()
        self._refused: dict[str, ConfigError] = {}

    def answer(self, question: str, compute: Callable[[], dict[str, int]]) -> dict[str, int]:
        """The answer to a question; `compute` is called if it is not known. If `compute` raises ConfigError,
        the same question raises that error again in this process.
        """
        key = hashlib.sha256(question.encode()).hexdigest()[:16]
        if key not in self._answers and self._learn is not None:
            learn, self._learn = self._learn, None
            learn()
            self._answers = {**self._read(), **self._answers}
        if key in self._refused:
            raise ConfigError(self._refused[key].problems)
        if key not in self._answers:
            try:
                self._answers[key] = compute()
            except ConfigError as refused:
                self._refused[key] = refused
                raise
            self._keep(key)
        return self._answers[key]

    def _read(self) -> dict[str, dict[str, int]]:
        """The answers that today's code has computed. If the file also has other answers, or is damaged,
        the next write replaces it.
        """
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
        """Append an answer to the file instead of rewriting it, because a plan may ask thousands of
        questions.
        """
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
    """Append to a file, which is created if needed. Several processes may append at once: each does so in one
    write.
    """
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        durable.write_all(fd, data)
    finally:
        os.close(fd)


def code_fingerprint() -> str:
    """A hash of the code that computes the answers.

    Raises FileNotFoundError if a name in CODE does not exist. Without this error, nobody would notice that
    code has moved and that its changes are no longer seen.
    """
    package = Path(__file__).parents[1]
    files = [file for part in CODE for file in _sources(package / part)]
    sources = {str(f.relative_to(package)): f.read_text(encoding="utf-8") for f in files}
    text = json.dumps([metadata.version("torch"), sources], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sources(part: Path) -> list[Path]:
    """The file itself, or all Python files of the folder."""
    if part.suffix:
        return [part]
    files = sorted(part.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{part} holds no Python file")
    return files
