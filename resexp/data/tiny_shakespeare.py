"""The data set `tiny_shakespeare`: forty thousand lines of Shakespeare's plays."""

from __future__ import annotations

import string
from collections.abc import Iterator

from resexp.data.base import Chunk, Facts, Progress, Source, Split
from resexp.data.download import Remote, fetch
from resexp.data.text import text_chunks, window_facts
from resexp.machine.folders import data_folder, own_folder
from resexp.options import Length

VOCABULARY = ("\n", *" !$&',-.3:;?", *string.ascii_uppercase, *string.ascii_lowercase)
REMOTE = Remote(
    "tinyshakespeare.txt",
    1115394,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
)


class TinyShakespeare(Source):
    """1,115,394 characters of Shakespeare's plays, 65 of them distinct, in windows of `context` characters.

    Source: Karpathy 2015 (char-rnn). The first nine tenths are for training, as in nanoGPT. If the folder
    `root`, by default the data folder, lacks `tinyshakespeare.txt`, the file is downloaded into it. Sizes
    count windows: `train_size` and `test_size` take the first windows of their texts, and `validation_size`
    the last windows of the training text.
    """

    def __init__(self, *, root: str | None = None, context: Length = 64) -> None:
        self.root = data_folder() if root is None else own_folder(root)
        self.context = context

    def facts(self, image_size: int | None) -> Facts:
        return window_facts("tiny_shakespeare", REMOTE.size, VOCABULARY, self.context)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield from text_chunks(fetch(REMOTE, self.root, progress).read_bytes().decode("ascii"), split)
