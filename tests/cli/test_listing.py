"""A plan on a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from resexp.cli.show import show_parts
from resexp.cli.trials import show_plan
from resexp.estimate.outline import Outline
from resexp.plan.trial import Cost, Trial

LONG = "residual (projection_everywhere)"


def trial(number: int, variant: str, **model: Any) -> Trial:
    settings = {
        "model": {"match": "none", "connection": {}, "width": 16, **model},
        "training": {"precision": "float32"},
    }
    cost = Cost(1_234_567, 41_200_000, 812_345)
    return Trial(str(number), variant, "residual", variant, 56, number, settings, cost=cost)


def shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *trials: Trial
) -> tuple[str, str]:
    """The heading of the plan and all of its words without spaces."""
    monkeypatch.setenv("COLUMNS", "80")
    show_plan(Outline("t", trials, {one.id: "pending" for one in trials}, ("cpu",), 500.0))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return text.partition("\n")[0], "".join(text.split())


def test_a_long_variant_is_told_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heading, words = shown(capsys, monkeypatch, trial(0, LONG), trial(1, "a" * 70))
    assert "size" not in heading.split()
    assert "(projection_everywhere)" in words
    assert "…" not in words


def test_sizes_stand_where_some_are_matched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heading, words = shown(capsys, monkeypatch, trial(0, "plain"), trial(1, LONG, match="params", width=13))
    assert "size" in heading.split()
    assert "width13" in words


def test_a_plan_says_what_skip_means(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "skip(concatenation)" in shown(capsys, monkeypatch, trial(0, "skip"))[1]
    parts = show_parts("connections")
    assert "\nskip (concatenation)\n" in parts
    assert "\nresidual\n" in parts
