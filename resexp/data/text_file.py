"""The data set `text_file`: a text file of your own."""

from __future__ import annotations

from collections.abc import Iterator

from resexp.data.base import Chunk, Facts, Progress, Source, Split
from resexp.data.text import text_chunks, text_facts
from resexp.errors import DataError
from resexp.machine.folders import own_folder
from resexp.options import Length

LIMIT = 1 << 30
"""The most bytes of a file. In memory, a text takes up to six times as much."""


class TextFile(Source):
    """The characters of the UTF-8 file `root`, of at most 1 GiB, in windows of `context` characters.

    The last tenth is the test set. The vocabulary is every character that occurs. Sizes count windows:
    `train_size` and `test_size` take the first windows of their texts, and `validation_size` the last windows
    of the training text.
    """

    def __init__(self, *, root: str, context: Length = 64) -> None:
        self.root = own_folder(root)
        self.context = context

    def facts(self, image_size: int | None) -> Facts:
        return text_facts("text_file", self._text(), self.context)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield from text_chunks(self._text(), split)

    def _text(self) -> str:
        try:
            size = self.root.stat().st_size if self.root.is_file() else None
            if size is None and self.root.exists():
                raise DataError(f"{self.root}: is not a regular file; data.root names a text file in UTF-8")
            if size is not None and size > LIMIT:
                wrong = f"has {size / 2**30:.1f} GiB, but the text must fit in memory"
                raise DataError(f"{self.root}: {wrong}; give one of at most {LIMIT // 2**30} GiB")
            return self.root.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{self.root}: {reason}; data.root names a text file in UTF-8") from error
