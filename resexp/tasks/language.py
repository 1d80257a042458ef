"""Prediction of the next character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from resexp.random import key_of
from resexp.tasks import ngrams
from resexp.tasks.base import Task
from resexp.tasks.cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from resexp.data.examples import Examples

SAMPLES, LENGTH = 3, 120
"""The number of texts that a trained network generates, and of characters that it adds to each."""


@runtime_checkable
class Text(Protocol):
    """Examples that are windows of `context` characters of one text, `tokens` (N,) int64."""

    tokens: Tensor
    context: int


class Language(CrossEntropy, Task):
    """The next character at every position: cross-entropy in nats, and the share of wrong characters.

    `bits` is the loss in bits per character, log2 of the perplexity. Networks must be causal.
    """

    targets: ClassVar[str] = "tokens"
    causal: ClassVar[bool | None] = True

    def baselines(self, train: Examples, test: Examples, classes: int) -> dict[str, float]:
        """The test losses, in nats per character, of n-gram models that count the training text."""
        texts = [part.tokens.cpu().numpy() for part in (train, test) if isinstance(part, Text)]
        return ngrams.losses(texts[0], texts[1], classes) if len(texts) == 2 else {}

    def samples(self, network: nn.Module, test: Examples, classes: Sequence[str], seed: int) -> list[str]:
        """`SAMPLES` texts that begin with the first character of the test text.

        Each further character is drawn from the distribution that the network predicts. Shape suffixes: S
        texts, T their characters so far, C classes.
        """
        if not isinstance(test, Text):
            return []
        generator = torch.Generator().manual_seed(key_of(seed, "samples"))
        x_ST = test.tokens[:1].repeat(SAMPLES, 1)
        with torch.no_grad():
            for _ in range(LENGTH):
                logits_SC = network(x_ST[:, -test.context :])[:, :, -1].float().cpu()
                drawn_S1 = torch.multinomial(logits_SC.softmax(1), 1, generator=generator)
                x_ST = torch.cat([x_ST, drawn_S1.to(x_ST.device)], dim=1)
        return ["".join(classes[token] for token in row) for row in x_ST.tolist()]

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        return {"bits": loss / math.log(2)}
