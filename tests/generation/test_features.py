"""The classifier in whose features images are compared, and the readings of generated digits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from resexp.config.parse import parse_settings
from resexp.data import cache
from resexp.errors import DataError
from resexp.generation import features
from resexp.generation.features import Features, features_of, pixels
from resexp.generation.measures import COLLAPSED, MOST, TOLD, Reference, halves


def digits(**options: Any) -> Any:
    model, training = {"kind": "resnet", "depth": 8}, {"epochs": 1}
    data = {"kind": "digits", **options}
    return parse_settings({"data": data, "model": model, "training": training}).data


def decoded(split: str) -> tuple[Tensor, Any]:
    prepared = cache.load_prepared(cache.prepare(digits()))
    images = torch.from_numpy(np.array(prepared.images[split])).permute(0, 3, 1, 2)  # type: ignore[index]
    return images, prepared.labels[split]  # type: ignore[index]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of data with a classifier that was trained for a short time."""
    with pytest.MonkeyPatch.context() as patch:
        own = tmp_path_factory.mktemp("classifier")
        patch.setenv("RESEXP_DATA", str(own))
        patch.setattr(features, "EPOCHS", 3)
        yield own


@pytest.fixture(scope="module")
def found(folder: Path) -> Features:
    return features_of(digits())


def no_training(*_: Any) -> bytes:
    raise AssertionError("a classifier is trained")


def test_the_classifier_has_learned_and_its_test_error_is_that_of_its_answers(found: Features) -> None:
    images, labels = decoded("test")
    seen = torch.from_numpy(found(images))
    assert seen.shape == (360, features.WIDTHS[-1])
    assert seen.dtype == torch.float64
    answers = found.network[-1](seen.float()).argmax(1).numpy()
    assert found.error == np.mean(answers != labels) < 0.1


def test_it_is_trained_once_whatever_part_of_the_set_a_trial_uses(
    found: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_trained", no_training)
    images, _ = decoded("test")
    for config in (digits(), digits(train_size=100, normalise="pixel_mean"), digits(classes=2, flip=True)):
        again = features_of(config)
        assert (again.sha256, again.error) == (found.sha256, found.error)
        assert np.array_equal(again(images), found(images))


def test_other_images_or_another_version_have_another_classifier(
    found: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_trained", no_training)
    with pytest.raises(AssertionError, match="is trained"):
        features_of(digits(image_size=9))
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    with pytest.raises(AssertionError, match="is trained"):
        features_of(digits())


def test_weights_do_not_depend_on_the_trial_that_asks_first_nor_the_trial_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "EPOCHS", 1)
    threads, hashes, draws = torch.get_num_threads(), set(), []
    for number in (1, 2):
        monkeypatch.setenv("RESEXP_DATA", str(tmp_path / str(number)))
        try:
            torch.set_num_threads(number)
            torch.manual_seed(number)
            with torch.inference_mode(number == 2):
                hashes.add(features_of(digits()).sha256)
            draws.append(torch.rand(()).item())
            assert torch.get_num_threads() == number
        finally:
            torch.set_num_threads(threads)
    assert len(hashes) == 1
    assert draws == [torch.manual_seed(number) and torch.rand(()).item() for number in (1, 2)]


def test_of_several_that_ask_at_once_one_trains(
    found: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (cache.data_folder() / "classifiers").glob("*.pt")
    contents, calls = file.read_bytes()[64:], []  # without the hash of the contents

    def trained(_: Any) -> bytes:
        calls.append(1)
        return contents

    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    monkeypatch.setattr(features, "_trained", trained)
    cache.prepare(digits())
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda _: features_of(digits()).sha256, range(8)))
    assert (len(calls), set(hashes)) == (1, {found.sha256})


def test_damaged_weights_are_not_used(
    found: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (cache.data_folder() / "classifiers").glob("*.pt")
    whole = file.read_bytes()
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    damaged = tmp_path / "classifiers" / file.name
    damaged.parent.mkdir()
    for data in (whole[:-1], whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:], b""):
        damaged.write_bytes(data)
        with pytest.raises(DataError, match="delete it to have the classifier trained again"):
            features_of(digits())
    damaged.unlink()
    damaged.parent.rmdir()
    damaged.parent.write_text("in the way")
    with pytest.raises(DataError, match="set RESEXP_DATA to a folder that you can write to"):
        features_of(digits())


def test_data_without_two_classes_of_images_have_no_classifier() -> None:
    text = {"data": "python_topics", "model": {"kind": "transformer", "depth": 2}, "task": "language"}
    config = parse_settings({**text, "training": {"epochs": 1}}).data
    with pytest.raises(DataError, match="images of at least two classes"):
        features_of(config)


def test_generated_images_get_the_values_of_pixels(found: Features) -> None:
    values = torch.arange(256, dtype=torch.float32)
    assert torch.equal(pixels(values / 127.5 - 1), values.to(torch.uint8))
    assert pixels(torch.tensor([-7.0, -1, 0, 1, 7])).tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(TypeError, match="pass them through `pixels`"):
        found(torch.zeros(1, 1, 8, 8))


def test_halves_share_no_image() -> None:
    first, second = halves(101)
    assert len(first) == len(second) == 50 == len(set(first)) == len(set(second))
    assert not set(first) & set(second)
    assert [len(half) for half in halves(10_000)] == [MOST, MOST]
    assert np.array_equal(halves(101)[0], first)


def test_readings_of_digits(found: Features) -> None:
    images, _ = decoded("train")
    first, second = halves(len(images))
    reference = Reference.of(found(images[first]), found(images[second]))
    assert reference.recall_floor > TOLD
    assert reference.frechet_floor > 0

    real = reference.readings(found(images[second]))
    assert real["frechet"] == real["frechet_floor"] == reference.frechet_floor
    assert (real["recall"], real["collapsed"]) == (reference.recall_floor, 0.0)

    few = reference.readings(found(images[np.resize(second[:10], len(first))]))
    assert few["collapsed"] == 1.0
    assert (few["recall"] or 0) < COLLAPSED
    assert (few["precision"] or 0) > 0.5
    assert (few["frechet"] or 0) > 10 * reference.frechet_floor

    noise = torch.randint(256, (len(first), 1, 8, 8), generator=torch.Generator().manual_seed(0))
    noisy = reference.readings(found(noise.to(torch.uint8)))
    assert (noisy["precision"] or 0) < 0.5 * (real["precision"] or 0)
    assert (noisy["frechet"] or 0) > 10 * reference.frechet_floor


def test_collapse_is_not_told_if_real_images_do_not_find_each_other() -> None:
    rng = np.random.default_rng(0)
    far = Reference.of(rng.normal(size=(50, 3)), 10 + rng.normal(size=(50, 3)))
    assert far.recall_floor == 0
    assert far.readings(rng.normal(size=(50, 3)))["collapsed"] is None
