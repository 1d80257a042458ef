"""What is said of all of CIFAR-10 follows from one committed row per trial."""

from __future__ import annotations

from pathlib import Path

import pytest

import resexp
from resexp.report.build import Report
from resexp.report.render import markdown

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "results/evidence"


@pytest.fixture(scope="module")
def report() -> Report:
    return resexp.judge(EVIDENCE / "cifar10_full.csv", data="data.same_as", unit="share")


def test_the_committed_report_is_that_of_the_rows(report: Report) -> None:
    assert markdown.render(report) == (EVIDENCE / "cifar10_full/report.md").read_text("utf-8")


def test_the_verdicts_in_the_readme_are_those_of_the_rows(report: Report) -> None:
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    degradation = report.table("degradation")
    assert degradation is not None
    assert len(degradation.sentences) == 2
    for sentence in degradation.sentences:
        assert " ".join(sentence.text.split()) in readme
