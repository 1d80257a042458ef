"""The images kept from training to choose by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.images import ImageSet
from resexp.data.opening import open_data
from resexp.errors import DataError

Configure = Callable[..., DataConfig]


def pictures(split: Any) -> set[bytes]:
    assert isinstance(split, ImageSet)
    rows = slice(None) if split.rows is None else split.rows
    return {image.numpy().tobytes() for image in split.images[rows]}


@pytest.mark.parametrize("fields", [{}, {"train_size": 700}, {"classes": (3, 8, 5), "train_size": 100}])
def test_three_splits_share_no_image(fields: dict[str, Any], configure: Configure) -> None:
    config = configure("digits", validation_size=200, **fields)
    data = open_data(config, "cpu")
    assert data.validation is not None
    train, held, test = map(pictures, (data.train, data.validation, data.test))
    assert (len(train), len(held), len(test)) == (data.facts.train, 200, data.facts.test)
    assert not train & held
    assert not train & test
    assert not held & test
    assert cache.facts_of(config) == data.facts
    _, labels = data.validation.batch(torch.arange(200))
    assert torch.bincount(labels).tolist() == list(data.facts.validation_counts)


def test_it_is_the_same_whatever_is_trained_on(configure: Configure) -> None:
    sets = [
        open_data(configure("digits", validation_size=50, **fields), "cpu").validation
        for fields in ({}, {"train_size": 20}, {"crop": 1, "test_size": 30}, {"subset_seed": 1})
    ]
    first, *same, other = map(pictures, sets)
    assert all(each == first for each in same)
    assert other != first
    alone = open_data(configure("digits", train_size=50), "cpu").train
    assert pictures(alone) != first, "what is kept is no draw of what would be trained on"


def test_without_it_nothing_changes(configure: Configure) -> None:
    plain, split = (cache.facts_of(configure("digits", **f)) for f in ({}, {"validation_size": 100}))
    assert (plain.train, plain.validation) == (1437, 0)
    assert (split.train, split.validation, split.test) == (1337, 100, 360)
    assert np.abs(np.array(split.validation_counts) - 10).max() <= 1
    assert plain.fingerprint != split.fingerprint
    assert open_data(configure("digits"), "cpu").validation is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"validation_size": 256},
            "validation_size: 256 of 256 examples leave some class nothing to train on",
        ),
        ({"validation_size": 300}, "validation_size: 300 examples are asked for and there are 256"),
        ({"validation_size": 3}, "validation_size: 3 examples cannot cover 4 classes"),
        (
            {"validation_size": 100, "train_size": 200},
            "train_size: 200 examples are asked for and there are 156",
        ),
    ],
)
def test_sizes_there_are_not(fields: dict[str, int], says: str, configure: Configure) -> None:
    with pytest.raises(DataError, match=says):
        cache.facts_of(configure("synthetic", **fields))
