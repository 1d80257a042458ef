"""Tables: the split is the seed's, and features are standardised by the rows for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

from resexp.data import cache
from resexp.data.opening import Data, open_data
from resexp.errors import DataError
from resexp.settings import DataConfig

Configure = Callable[..., DataConfig]
SHAPES = {"iris": (150, 4, 3), "wine": (178, 13, 3), "breast_cancer": (569, 30, 2), "digits": (1797, 64, 10)}


def everything(examples: Any) -> tuple[torch.Tensor, torch.Tensor]:
    found: tuple[torch.Tensor, torch.Tensor] = examples.batch(torch.arange(len(examples)))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_facts_are_what_comes(name: str, configure: Configure) -> None:
    config = configure("table", name=name)
    data = open_data(config, "cpu", seed=7)
    rows, features, classes = SHAPES[name]
    assert data.facts == cache.describe(config)
    assert (data.facts.shape, data.facts.form, len(data.facts.classes)) == ((features,), "rows", classes)
    assert (len(data.train) + len(data.test), len(data.test)) == (rows, round(0.3 * rows))
    for split in ("train", "test"):
        _, labels = everything(getattr(data, split))
        assert tuple(np.bincount(labels).tolist()) == getattr(data.facts, f"{split}_counts")
    x, _ = everything(data.train)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.mean(0), torch.zeros(features), atol=1e-5, rtol=0)
    varies = (x.std(0) > 0).float()
    torch.testing.assert_close(x.std(0, correction=0), varies, atol=1e-4, rtol=0)


def test_each_seed_splits_the_whole_table_anew(configure: Configure) -> None:
    table, target = load_wine(return_X_y=True)

    def rows(data: Data, split: str) -> set[int]:
        """Which rows of the table these are, found by the order of values, which no scale changes."""
        x, y = everything(getattr(data, split))
        whole = torch.cat([everything(data.train)[0], everything(data.test)[0]]).numpy()
        scale = whole.std(0) / table.std(0)
        back = (x.numpy() - whole.mean(0)) / scale + table.mean(0)
        near = [int(np.abs((table - row) / table.std(0)).max(1).argmin()) for row in back]
        assert (target[near] == y.numpy()).all()
        return set(near)

    splits = []
    for seed in (0, 1, 1):
        data = open_data(configure("table", name="wine"), "cpu", seed)
        train, test = rows(data, "train"), rows(data, "test")
        assert train | test == set(range(178))
        assert not train & test
        splits.append(test)
    assert splits[0] != splits[1]
    assert splits[1] == splits[2]


def test_sizes_classes_and_validation_as_for_images(configure: Configure) -> None:
    config = configure(
        "table", name="iris", classes=("virginica", "setosa"), train_size=20, test_size=10, validation_size=8
    )
    data = open_data(config, "cpu", seed=3)
    assert data.facts == cache.describe(config)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 8, 10)
    x, y = everything(data.train)
    assert np.bincount(y).tolist() == [10, 10]
    assert x[y == 0][:, 2].min() > x[y == 1][:, 2].max(), "petals of virginica, class 0 here, are longer"


def test_nothing_held_out_is_refused(configure: Configure) -> None:
    with pytest.raises(DataError, match=r"data\.held_out: 0 examples cannot cover 3 classes"):
        cache.describe(configure("table", name="iris", held_out=0.0))
