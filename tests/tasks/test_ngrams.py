"""N-gram baselines against direct counting."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.data.windows import TokenSet
from resexp.tasks import ngrams
from resexp.tasks.language import Language


def text(length: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A Markov chain of the second order over five characters."""
    rng = np.random.default_rng(0)
    table = rng.dirichlet([0.3] * 5, (5, 5)).cumsum(-1)
    draws = np.random.default_rng(seed).random(length)
    tokens = [0, 1]
    for draw in draws:
        tokens.append(min(4, int((draw > table[tokens[-2], tokens[-1]]).sum())))
    return np.array(tokens)


def by_hand(train: list[int], test: list[int], order: int, strengths: list[float]) -> float:
    grams = [Counter(zip(*(train[i:] for i in range(n)), strict=False)) for n in (1, 2, 3)]
    total = 0.0
    for place in range(2, len(test)):
        p = (grams[0][test[place],] + 1) / (len(train) + 5)
        for length, strength in zip(range(1, order), strengths, strict=False):
            context = tuple(test[place - length : place])
            seen = sum(n for gram, n in grams[length].items() if gram[:-1] == context)
            p = (grams[length][*context, test[place]] + strength * p) / (seen + strength)
        total -= math.log(p)
    return total / (len(test) - 2)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_loss_is_that_of_direct_counting(order: int) -> None:
    train, test = text(400, 1), text(60, 2)
    strengths = [3.0, 10.0]
    found = ngrams._loss(ngrams._foretold(train, test, 5, order, strengths))
    assert found == pytest.approx(by_hand(train.tolist(), test.tolist(), order, strengths))


def test_probabilities_of_all_characters_sum_to_one() -> None:
    train = text(300, 1)
    for context in ([0, 1], [3, 3], [4, 2]):
        ends = [np.array([*context, last]) for last in range(5)]
        total = sum(float(ngrams._foretold(train, end, 5, 3, [3.0, 3.0])[0]) for end in ends)
        assert total == pytest.approx(1)


def test_longer_contexts_foretell_a_text_that_has_them() -> None:
    found = ngrams.losses(text(5000, 1), text(2000, 2), 5)
    assert list(found) == ["unigram", "bigram", "trigram"]
    assert found["trigram"] < found["bigram"] - 0.05 < found["unigram"] - 0.1
    assert found["unigram"] < math.log(5)


def test_what_the_training_text_never_had_costs_much_but_is_possible() -> None:
    found = ngrams.losses(np.zeros(100, np.int64), np.array([0, 0, 1, 1]), 2)
    assert all(2 < loss < 15 for loss in found.values())


def test_a_text_of_two_characters_has_no_loss() -> None:
    assert all(math.isnan(loss) for loss in ngrams.losses(text(50, 1), np.array([0, 1]), 5).values())


class Repeating(nn.Module):
    """Foretells with certainty that each token is followed by the next number."""

    def forward(self, x: Tensor) -> Tensor:
        return 100.0 * functional.one_hot((x + 1) % 5, 5).transpose(1, 2).float()


def windows(seed: int) -> TokenSet:
    return TokenSet(torch.from_numpy(text(400, seed)), 8, torch.device("cpu"))


def test_the_task_counts_on_the_characters_that_the_net_is_trained_on() -> None:
    train, test = windows(1), windows(2)
    expected = ngrams.losses(train.tokens.numpy(), test.tokens.numpy(), 5)
    assert Language().baselines(train, test, 5) == expected


def test_samples_go_on_from_the_test_text_as_the_network_says() -> None:
    samples = Language().samples(Repeating(), windows(2), "abcde", 0)
    assert len(samples) == 3
    assert {sample[0] for sample in samples} == {"abcde"[int(windows(2).tokens[0])]}
    for sample in samples:
        assert len(sample) == 121
        assert all("abcde".index(b) == ("abcde".index(a) + 1) % 5 for a, b in itertools.pairwise(sample))


def test_the_memory_that_counting_takes_does_not_grow_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngrams, "MOST", 20_000)
    peaks = []
    for length in (20_000, 400_000):
        both = np.random.default_rng(0).integers(0, 60, (2, length))
        tracemalloc.start()
        ngrams.losses(both[0], both[1], 60)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[0] < 150 * 20_000  # bytes per character
