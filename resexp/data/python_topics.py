"""The data set `python_topics`: the texts of Python's own help, which every installation has."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from resexp.data.base import Chunk, Facts, Progress, Source, Split
from resexp.data.text import text_chunks, text_facts
from resexp.options import Length


class PythonTopics(Source):
    """The topics of Python's help(), from `pydoc_data.topics`, in windows of `context` characters.

    About 450,000 characters, sorted by topic; the last tenth is the test set. Nothing is downloaded. The text
    differs between versions of Python, so a trial on another version is another trial. Sizes count windows:
    `train_size` and `test_size` take the first windows of their texts, and `validation_size` the last windows
    of the training text.
    """

    def __init__(self, *, context: Length = 64) -> None:
        self.context = context

    def facts(self, image_size: int | None) -> Facts:
        return text_facts("python_topics", _text(), self.context, platform.python_version())

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield from text_chunks(_text(), split)


def _text() -> str:
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))
