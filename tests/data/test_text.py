"""Texts as windows: targets are one place further, and an epoch sees every window once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from shared_data import SHARED

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.opening import open_data
from resexp.data.text import MOST_CHARACTERS
from resexp.data.text_file import LIMIT
from resexp.data.tiny_shakespeare import REMOTE, VOCABULARY
from resexp.data.windows import TokenSet
from resexp.errors import DataError

Configure = Callable[..., DataConfig]
TEXT = "".join(chr(97 + i * i % 23) for i in range(1000)) + "é"


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return str(tmp_path / "text.txt")


def decoded(data: TokenSet, names: tuple[str, ...]) -> str:
    return "".join(names[token] for token in data.tokens)


@pytest.mark.parametrize("phase", [0, 1, 7])
def test_targets_are_one_place_further(phase: int) -> None:
    tokens = torch.arange(100)
    x, y = TokenSet(tokens, 8, torch.device("cpu")).batch(torch.tensor([2, 0, 5]), phase)
    assert x.shape == y.shape == (3, 8)
    assert torch.equal(y, x + 1)
    assert x[:, 0].tolist() == [16 + phase, phase, 40 + phase]


def test_an_epoch_is_every_window_once_from_a_phase_of_its_own() -> None:
    data = TokenSet(torch.arange(100), 8, torch.device("cpu"))
    everything = torch.arange(len(data))
    assert len(data) == 12
    starts = []
    for epoch in range(40):
        x, y = data.training(5, epoch)(everything)
        again, _ = data.training(5, epoch)(everything)
        assert torch.equal(x, again)
        assert y.max() <= 99
        first = x[0, 0].item()
        assert x[:-1, 0].tolist() == [first + 8 * i for i in range(11)]
        starts.append(first)
    assert set(starts) == set(range(8))
    assert (
        data.training(6, 0)(everything)[0][0, 0] != starts[0]
        or data.training(6, 1)(everything)[0][0, 0] != starts[1]
    )
    assert torch.equal(data.batch(everything)[0].flatten(), torch.arange(96))


def test_a_file_is_split_in_nine_tenths_and_one(file: str, configure: Configure) -> None:
    config = configure("text_file", root=file, context=10)
    data = open_data(config, "cpu")
    assert data.facts == cache.facts_of(config)
    assert (data.facts.shape, data.facts.targets) == ((10,), "tokens")
    assert data.facts.classes == tuple(sorted(set(TEXT)))
    assert (len(data.train), len(data.test)) == (89, 10)
    assert isinstance(data.train, TokenSet)
    assert isinstance(data.test, TokenSet)
    assert decoded(data.train, data.facts.classes) == TEXT[: 89 * 10 + 1]
    assert decoded(data.test, data.facts.classes) == TEXT[900 : 900 + 101]
    x, y = data.test.batch(torch.tensor([9]))
    assert y[0, -1] == len(data.facts.classes) - 1, "the é at the very end is foretold"
    assert torch.equal(x[0, 1:], y[0, :-1])


def test_no_character_is_foretold_in_two_splits(file: str, configure: Configure) -> None:
    config = configure("text_file", root=file, context=10, validation_size=9, train_size=80, test_size=4)
    data = open_data(config, "cpu")
    assert data.facts == cache.facts_of(config)
    assert isinstance(data.train, TokenSet)
    assert isinstance(data.validation, TokenSet)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 9, 4)
    assert decoded(data.train, data.facts.classes)[1:] == TEXT[1:801]
    assert decoded(data.validation, data.facts.classes)[1:] == TEXT[801:891]
    with pytest.raises(DataError, match="train_size: 81 examples are asked for and there are 80"):
        cache.facts_of(configure("text_file", root=file, context=10, validation_size=9, train_size=81))


def test_another_text_is_another_set(file: str, configure: Configure) -> None:
    before = cache.facts_of(configure("text_file", root=file, context=10)).fingerprint
    assert cache.facts_of(configure("text_file", root=file, context=11)).fingerprint != before
    Path(file).write_text(TEXT.replace("a", "b", 1), encoding="utf-8")
    assert cache.facts_of(configure("text_file", root=file, context=10)).fingerprint != before


def test_texts_that_do_not_fit(tmp_path: Path, file: str, configure: Configure) -> None:
    with pytest.raises(DataError, match="1001 characters are too few for a test window of 101"):
        cache.facts_of(configure("text_file", root=file, context=101))
    with pytest.raises(DataError, match="No such file"):
        cache.facts_of(configure("text_file", root=str(tmp_path / "none")))
    (tmp_path / "latin").write_bytes("é".encode("latin-1") * 2000)
    with pytest.raises(DataError, match="names a text file in UTF-8"):
        cache.facts_of(configure("text_file", root=str(tmp_path / "latin")))


def test_a_text_of_more_characters_than_have_numbers_is_refused(tmp_path: Path, configure: Configure) -> None:
    """Numbers are stored in 16 bits. Character 65,536 would be read as character 0."""
    points = [point for point in range(0x100, 0x11000) if not 0xD800 <= point < 0xE000]
    wide = "".join(map(chr, points))
    for count, refused in ((MOST_CHARACTERS, False), (MOST_CHARACTERS + 1, True)):
        (tmp_path / "wide").write_text(wide[:count], encoding="utf-8")
        with pytest.raises(DataError, match="65,537 different characters") if refused else nullcontext():
            cache.facts_of(configure("text_file", root=str(tmp_path / "wide")))


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path: Path, configure: Configure) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is not a regular file"):
            cache.facts_of(configure("text_file", root=str(place)))
    with (tmp_path / "long").open("wb") as long:
        long.truncate(LIMIT + 1)
    with pytest.raises(DataError, match=r"long: has 1\.0 GiB.* at most 1 GiB"):
        cache.facts_of(configure("text_file", root=str(tmp_path / "long")))


def test_python_topics_are_english(configure: Configure) -> None:
    data = open_data(configure("python_topics", context=64), "cpu")
    assert isinstance(data.train, TokenSet)
    text = decoded(data.train, data.facts.classes)
    assert len(text) > 300_000
    assert text.count(" the ") > 2000


def test_tiny_shakespeare(tmp_path: Path, configure: Configure) -> None:
    if not (SHARED / REMOTE.name).is_file():
        pytest.skip(f"needs {REMOTE.name} in {SHARED.parent.name}/{SHARED.name}")
    shutil.copy(SHARED / REMOTE.name, tmp_path)
    config = configure("tiny_shakespeare", root=str(tmp_path), context=64)
    data = open_data(config, "cpu")
    assert data.facts == cache.facts_of(config)
    assert isinstance(data.train, TokenSet)
    assert decoded(data.train, VOCABULARY).startswith(
        "First Citizen:\nBefore we proceed any further, hear me"
    )
    assert (len(data.train.tokens), len(VOCABULARY)) == (1003854 // 64 * 64 + 1, 65)
    (tmp_path / REMOTE.name).write_bytes(b"x")
    with pytest.raises(DataError, match="damaged"):
        list(config.build().read("train", None, print))
