"""Splits of texts as batches for training. An input is a window of tokens; the target of a token is the next
token.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resexp.data.examples import Batches, Examples
from resexp.random import key_of

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData


class TokenSet(Examples):
    """One split of a text: N tokens of any integer type, cut into (N - 1) // `context` windows.

    In training, all windows of an epoch are shifted by the phase, a number of tokens that is drawn for the
    epoch, so that windows do not always end at the same tokens. A window that would pass the text's end is
    moved back. In evaluation, nothing is shifted.
    """

    def __init__(self, tokens: Tensor, context: int, device: torch.device) -> None:
        self.tokens = tokens.long().to(device)
        self.context = context

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def batch(self, index: Tensor, phase: int = 0) -> tuple[Tensor, Tensor]:
        """Tokens (B, T) int64, and the token after each (B, T), with T = `context`."""
        last = len(self.tokens) - 1 - self.context
        start = (index.to(self.tokens.device) * self.context + phase).clamp(max=last)
        index_BT = start[:, None] + torch.arange(self.context, device=self.tokens.device)
        return self.tokens[index_BT], self.tokens[index_BT + 1]

    def training(self, seed: int, epoch: int) -> Batches:
        return partial(self.batch, phase=key_of(seed, epoch, "phase") % self.context)


def token_sets(prepared: PreparedData, config: DataConfig, device: torch.device) -> dict[str, TokenSet]:
    """The splits of a prepared text, as configured. Sizes count windows.

    The training and the test split take the first windows of their texts. The validation split takes the last
    windows of the training text. No token is a target in two splits.
    """
    (context,) = prepared.facts.shape
    train, test = prepared.facts.train, prepared.facts.test
    rest = train - (config.validation_size or 0)
    ranges = {
        "train": (0, min(config.train_size or rest, rest)),
        "test": (0, config.test_size or test),
        "validation": (rest, train),
    }

    def token_set(name: str, first: int, last: int) -> TokenSet:
        tokens = prepared.images["test" if name == "test" else "train"]
        stretch = torch.from_numpy(tokens[first * context : last * context + 1].astype("int64"))
        return TokenSet(stretch, context, device)

    return {name: token_set(name, *span) for name, span in ranges.items() if span[0] < span[1]}
