"""Tables: the split is the seed's, and features are standardised by the rows for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

from resexp.catalog import plugins
from resexp.config.settings import DataConfig, models
from resexp.data import cache
from resexp.data.base import fingerprint
from resexp.data.opening import Data, open_data
from resexp.errors import DataError

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
    assert data.facts == cache.facts_of(config)
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
    assert data.facts == cache.facts_of(config)
    assert data.validation is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 8, 10)
    x, y = everything(data.train)
    assert np.bincount(y).tolist() == [10, 10]
    assert x[y == 0][:, 2].min() > x[y == 1][:, 2].max(), "petals of virginica, class 0 here, are longer"


def test_nothing_held_out_is_refused(configure: Configure) -> None:
    with pytest.raises(DataError, match=r"data\.held_out: 0 examples cannot cover 3 classes"):
        cache.facts_of(configure("table", name="iris", held_out=0.0))


PLUGIN = """
import numpy as np
from resexp.data.base import Chunk, Facts, Source, fingerprint

class Measured(Source):
    \"\"\"Two rows of each class to learn from; the second feature is the class, but not of test rows.\"\"\"

    def __init__(self, *, wrong: str = ""):
        self.wrong = wrong

    def facts(self, image_size):
        return Facts((2,), "labels", ("a", "b"), (2, 2), (1, 3), fingerprint("measured", self.wrong))

    def read(self, split, image_size, progress):
        labels = np.array([0, 0, 1, 1] if split == "train" else [0, 1, 1, 1])
        rows = np.stack([np.arange(4.0), labels if split == "train" else 9.0 + labels], 1)
        if self.wrong in ("nan", "inf") and split == "test":
            rows[2, 1] = float(self.wrong)
        if self.wrong == "kind":
            rows = rows.astype(np.float32)
        if self.wrong == "shape":
            rows = rows[:, :1]
        if self.wrong == "label":
            labels[3] = 2
        yield Chunk(rows, labels)
"""


def measured(tmp_path: Path, **options: object) -> DataConfig:
    (tmp_path / "mine.py").write_text(PLUGIN)
    plugin = plugins.read_plugin(tmp_path / "mine.py")
    return models("data", (plugin,))["measured"](kind="measured", **options)  # type: ignore[return-value]


def test_a_source_that_gives_splits_keeps_them(tmp_path: Path) -> None:
    for seed in (0, 1):
        data = open_data(measured(tmp_path), "cpu", seed)
        (train, labels), (test, answers) = everything(data.train), everything(data.test)
        assert labels.tolist() == [0, 0, 1, 1]
        assert answers.tolist() == [0, 1, 1, 1]
        assert train[:, 1].tolist() == [-1, -1, 1, 1]
        assert test[:, 1].tolist() == [17, 19, 19, 19], "scaled as the training rows are"
    assert data.facts == cache.facts_of(measured(tmp_path))


def test_its_trials_are_others_than_when_its_rows_were_thrown_together(tmp_path: Path) -> None:
    config = measured(tmp_path)
    assert cache.facts_of(config).fingerprint != config.build().facts(None).fingerprint


def test_built_in_tables_keep_their_identity(configure: Configure) -> None:
    config = configure("table", name="iris")
    assert cache.facts_of(config).fingerprint == fingerprint("table", 1, "iris", 0.3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("nan", "test split: feature 1 of row 2, both counted from 0, is nan; fill in"),
        ("inf", "test split: feature 1 of row 2, both counted from 0, is inf; fill in"),
        ("kind", r"train split: `images` is \(4, 2\) of float32; .* of float64"),
        ("shape", r"train split: `images` is \(4, 1\) of float64"),
        ("label", "train split: the label of example 3 holds 2; there are 2 classes"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(wrong: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        cache.prepare(measured(tmp_path, wrong=wrong))
