from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from resexp.config.settings import DataConfig
from resexp.data import cache, digits
from resexp.data.base import resized

CONFIGS = [
    ("digits", {}),
    ("digits", {"image_size": 16, "classes": (3, 8), "train_size": 100}),
    ("synthetic", {}),
    ("synthetic", {"channels": 3, "size": 12, "image_size": 6, "train": 101, "test_size": 10}),
]


@pytest.mark.parametrize(("kind", "fields"), CONFIGS)
def test_facts_are_what_comes(
    kind: str, fields: dict[str, object], configure: Callable[..., DataConfig]
) -> None:
    config = configure(kind, **fields)
    prepared = cache.load_prepared(cache.prepare(config))
    assert cache.narrowed(prepared.facts, config) == cache.facts_of(config)
    facts = prepared.facts
    for split in ("train", "test"):
        counts = getattr(facts, f"{split}_counts")
        assert prepared.images[split].shape == (sum(counts), *facts.shape[1:], facts.shape[0])
        assert np.bincount(prepared.labels[split]).tolist() == list(counts)
    values = prepared.images["train"] / 255
    assert np.allclose(prepared.mean, values.mean((0, 1, 2)), rtol=0, atol=1e-12)
    assert np.allclose(prepared.std, values.std((0, 1, 2)), rtol=0, atol=1e-9)


def test_digits_are_all_there_and_in_their_place(configure: Callable[..., DataConfig]) -> None:
    from sklearn.datasets import load_digits

    prepared = cache.load_prepared(cache.prepare(configure("digits")))
    assert (len(prepared.labels["train"]), len(prepared.labels["test"])) == (1437, 360)
    values, labels = load_digits(return_X_y=True)
    original = {
        row.tobytes(): label for row, label in zip(values.round().astype(np.uint8), labels, strict=True)
    }
    seen = 0
    for split in ("train", "test"):
        back = np.round(prepared.images[split].reshape(-1, 64) / (255 / 16)).astype(np.uint8)
        assert [original[row.tobytes()] for row in back] == prepared.labels[split].tolist()
        seen += len({row.tobytes() for row in back})
    assert seen == len(original)
    assert prepared.images["train"].max() == 255
    assert sum(digits.TEST) == 360


def test_synthetic_is_learnable_and_noise_is_an_option(configure: Callable[..., DataConfig]) -> None:
    def nearest_mean_error(**options: float) -> float:
        prepared = cache.load_prepared(cache.prepare(configure("synthetic", **options)))
        x, y = prepared.images["train"].reshape(256, -1), prepared.labels["train"]
        means = np.stack([x[y == c].mean(0) for c in range(4)])
        distances = ((prepared.images["test"].reshape(64, 1, -1) - means) ** 2).sum(-1)
        return float((distances.argmin(1) != prepared.labels["test"]).mean())

    assert nearest_mean_error() == 0
    assert nearest_mean_error(noise=1.0) > 0.5


def test_resized_antialiases() -> None:
    checks = np.indices((8, 8)).sum(0) % 2 * np.uint8(200)
    small = resized(checks[..., None].astype(np.uint8), 2)
    assert small.shape == (2, 2, 1)
    assert (abs(small.astype(int) - 100) < 10).all()
    assert resized(np.zeros((4, 4, 3), np.uint8), 8).shape == (8, 8, 3)
