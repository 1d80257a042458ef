"""Nets that answer one class only are named, and no verdict on them is good news."""

from __future__ import annotations

from typing import Any

import pytest
from made_up import FINAL, make_records, of, trial

from resexp.report.tables import accuracy, comparisons, degradation, pareto
from resexp.report.verdict import Tone, Verdict

RARE = {"train_chance": 0.002, "test_chance": 0.0022}
"""The errors of always saying no where two in a thousand are positive."""


def nets(
    kind: str, error: float, share: float, depths: tuple[int, ...] = (8, 20), **more: Any
) -> list[dict[str, Any]]:
    return [
        trial(
            kind,
            depth,
            seed,
            **{**RARE, "train_error": error, "test_error": error + 1e-6 * seed, **more},
            train_most_answered=share,
            test_most_answered=share,
        )
        for depth in depths
        for seed in range(3)
    ]


def test_an_accuracy_of_a_rare_class_is_no_success() -> None:
    records = make_records(nets("plain", 0.0022, 1.0))
    table = of(accuracy, records)
    assert table.cells()[0][-1] == "3 of 3"
    (sentence,) = table.sentences
    assert (sentence.badge, sentence.tone) == (Verdict.ONE_CLASS, Tone.BAD)
    assert "3 of 3 seeds at depth 8 answer one class only" in sentence.text
    (sentence,) = of(degradation, records).sentences
    assert sentence.badge == Verdict.DID_NOT_TRAIN
    assert "3 of 3 seeds at depth 20 answer one class only" in sentence.text


def test_a_net_that_finds_the_rare_class_did_train() -> None:
    records = make_records(nets("plain", 0.0001, 0.998))
    (sentence,) = of(degradation, records).sentences
    assert (sentence.badge, sentence.tone) == (Verdict.DOES_NOT_DEGRADE, Tone.GOOD)
    table = of(accuracy, records)
    assert table.sentences == ()
    assert "One class" not in [column.title for column in table.columns]


def test_no_verdict_on_them_is_green(monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = nets("plain", 0.0001, 0.998, (8,))
    deep = nets("plain", 0.0001, 1.0, (20,))
    (sentence,) = of(degradation, make_records([*shallow, *deep])).sentences
    assert (sentence.badge, sentence.tone) == (Verdict.ONE_CLASS, Tone.BAD)
    # One class has a lower error than nets that guess: that is no merit.
    guessing = nets("residual", 0.3, 0.7)
    (sentence,) = of(comparisons, make_records([*nets("plain", 0.0022, 1.0), *guessing])).sentences
    assert (sentence.badge, sentence.tone) == (Verdict.ONE_CLASS, Tone.OPEN)
    monkeypatch.setitem(FINAL["plain"], 32, FINAL["plain"][20])
    falling = [
        net
        for depth, error in ((8, 0.4), (20, 0.3), (32, 0.2), (56, 0.0022))
        for net in nets("plain", error, 1.0 if depth == 56 else 0.6, (depth,))
    ]
    (sentence,) = of(pareto, make_records(falling)).sentences
    assert sentence.badge == Verdict.ONE_CLASS


def test_a_split_of_one_class_names_nobody() -> None:
    records = make_records(nets("plain", 0.0, 1.0, train_chance=0.0, test_chance=0.0))
    assert of(accuracy, records).sentences == ()
