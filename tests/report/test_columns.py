"""Tables on a terminal: no number is cut, however narrow it is."""

from __future__ import annotations

import io
import random

import pytest
from rich.console import Console
from whole_numbers import WIDTHS, cut, within

from resexp.cli.gallery import print_entries
from resexp.cli.trials import show_plan
from resexp.estimate.outline import Outline
from resexp.gallery.papers import Entry, Size
from resexp.plan.trial import Cost, Trial
from resexp.report.render.columns import FURTHER, ColumnHead, Columns, broken


def shown(table: Columns, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    return text


def made(rng: random.Random) -> tuple[Columns, list[str], list[str]]:
    """A table of one to twelve columns, its cells of numbers, and its texts."""
    columns = [ColumnHead("Connection")]
    for _ in range(rng.randint(0, 11)):
        heading = " ".join(rng.choice(("error", "95 %", "Generalisation", "(points)")) for _ in "ab")
        columns.append(ColumnHead(heading, rng.random() < 0.7))
    rows = []
    for _ in range(rng.randint(1, 6)):
        cells = []
        for column in columns:
            value = rng.uniform(-1e4, 1e4)
            number = rng.choice((f"{value:.3f}", f"{value:.2f} ± {value / 7:.2f}", f"[{value:.1f}, 0.0]"))
            words = f"residual (init_scale={abs(value):.4f}, order=pre_activation) and {number}"
            cells.append(number if column.numeric else words[: rng.choice((8, 100))])
        rows.append(cells)
    numbers = [cell for row in rows for cell, c in zip(row, columns, strict=True) if c.numeric]
    texts = [cell for row in rows for cell, c in zip(row, columns, strict=True) if not c.numeric]
    return Columns.of(columns, rows), numbers, texts


@pytest.mark.parametrize("width", [50, *WIDTHS])
def test_every_number_of_random_tables_is_shown_whole(width: int) -> None:
    rng = random.Random(20)
    folded = 0
    for _ in range(40):
        table, numbers, texts = made(rng)
        text = shown(table, width)
        assert not cut(numbers, text)
        assert not within(texts, text)
        folded += FURTHER in text
    assert (folded > 0) == (width < 200)  # or nothing was asked


def test_columns_without_room_stand_below_beside_what_tells_their_rows_apart() -> None:
    heads = [
        ColumnHead("Connection"),
        ColumnHead("Depth", True),
        *(ColumnHead(f"Error {n}", True) for n in "abc"),
    ]
    rows = [["plain", "8", *"123"], ["plain", "20", *"456"], ["residual", "8", *"789"]]
    rows = [[*row[:2], *(f"{cell}5.67 ± 1.23" for cell in row[2:])] for row in rows]
    text = shown(Columns.of(heads, rows), 46)
    first, second = (part.split() for part in text.split(FURTHER))
    assert first[:2] == second[:2] == ["Connection", "Depth"]
    assert first.count("20") == second.count("20") == 1
    assert "35.67" in second
    assert FURTHER not in shown(Columns.of(heads, rows), 80)


def test_text_is_broken_between_words_then_after_signs_and_never_in_a_number() -> None:
    assert broken("no number is cut", 9) == ["no number", "is cut"]
    assert broken("residual (init_scale=0.0001)", 14) == ["residual", "(init_scale=", "0.0001)"]
    assert broken("lr=0.0001", 6) == ["lr=", "0.0001"]
    assert broken("aaaa12,345", 7) == ["aaaa", "12,345"]
    assert broken("it is 12.5 % here", 11) == ["it is", "12.5 % here"]
    assert broken("模型模型", 5) == ["模型", "模型"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_has_its_numbers_whole(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    model = {"match": "params", "connection": {}, "width": 1234}
    settings = {"model": model, "training": {"precision": "float32"}}
    cost = Cost(123_456_789_012, 41_200_000_000, 812_345_678_901)
    names = ["residual (order=pre_activation, init_scale=0.0001, projection=everywhere)", "plain"]
    trials = [
        Trial(f"{name}{seed}", name, "residual", name, 1001, seed, settings, cost=cost)
        for name in names
        for seed in range(12)
    ]
    show_plan(Outline("t", trials, {trial.id: "done" for trial in trials}, ("cpu",), 500.0))
    text = capsys.readouterr().out
    numbers = ["1001", "123,456,789,012", "41.2 G", "793,306,327 KiB", "12/12", "12"]
    assert not cut(2 * numbers, text)
    assert not within(["init_scale=0.0001", "width 1234", "width 1234"], text)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_gallery_has_its_numbers_whole(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    expect = "1,234 trials of 64,000 steps, 1.5 hours on 2 cores; at depth 1001 the error is 12.345 ± 0.678 %"
    print_entries(
        [Entry("one", "a claim", (Size("a_very_long_tier_of_its_own", "e", 12345, 1234, expect, True),))]
    )
    text = capsys.readouterr().out
    assert not within(["1234/12345", expect], text)
    assert "published" in text
