"""What is said of all of CIFAR-10 follows from one committed row per trial."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

import pytest

import resexp
from resexp.report.build import Report
from resexp.report.render import markdown

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "results/evidence"


@cache
def judged(name: str) -> Report:
    return resexp.judge(EVIDENCE / f"{name}.csv", data="data.same_as", unit="share")


def rows_of(name: str) -> list[dict[str, str]]:
    with (EVIDENCE / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sentences(name: str) -> list[str]:
    degradation = judged(name).table("degradation")
    assert degradation is not None
    return [" ".join(sentence.text.split()) for sentence in degradation.sentences]


@pytest.mark.parametrize("name", ["cifar10_full", "cifar10_starts"])
def test_the_committed_report_is_that_of_the_rows(name: str) -> None:
    assert markdown.render(judged(name)) == (EVIDENCE / name / "report.md").read_text("utf-8")


def test_what_skip_means_in_a_table_of_runs_stays_open() -> None:
    """`judge` does not know who wrote the table, and in the literature a skip may be an addition."""
    assert "concatenation" not in markdown.render(judged("cifar10_full"))


def test_the_verdicts_in_the_readme_are_those_of_the_rows() -> None:
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    for verdict in sentences("cifar10_full"):
        assert verdict in readme
    found = {
        net: re.search(
            r"error is (\S+)\s% against (\S+)\s% .* gap of (\S+) points (\[.*\]), n = (\d+)", start
        )
        for start in sentences("cifar10_starts")
        for net in ("plain", "residual")
        if start.startswith(f"{net} (near-identity)")
    }
    assert found["plain"]
    assert found["residual"]
    deep, shallow, gap, interval, _ = found["plain"].groups()
    assert f"{shallow} % at depth 20 to {deep} % at depth 56, by {gap.strip('+')} points {interval}" in readme
    _, _, gap, interval, seeds = found["residual"].groups()
    assert (
        f"That of residual nets rises by {gap.strip('+')} {interval} instead of falling (n = {seeds})"
        in readme
    )


def test_the_starts_are_compared_with_the_runs_of_the_first_screen() -> None:
    first, second = (
        {(row["id"], row["train_error"], row["test_error"]) for row in rows if row["connection"] != "skip"}
        for rows in map(rows_of, ("cifar10_full", "cifar10_starts"))
    )
    assert first < second
