"""The gallery: what it lists, what it publishes, and that nothing of this machine gets into it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unmeasured import Unmeasured

from resexp.cli.app import app
from resexp.config.load import load
from resexp.errors import ConfigError, NoExperimentError, StoreError
from resexp.gallery import papers, publish
from resexp.gallery.page import page
from resexp.plan.make import make_plan
from resexp.plan.trial import Cost
from resexp.store import Attempt, create

TEXT = """\
why: "depth: hurts plain nets, and only them"
expect: {quick: "4 trials, a minute", full: "8 trials, an hour"}
name: made_up
data: digits
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 2}
sweep:
  model.connection: [plain, residual]
  seed: [0, 1, 2, 3]
references: he2015_cifar10
tiers:
  quick: {set: {training.epochs: 1}, sweep: {seed: [0, 1]}}
"""


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of one configuration; returns the results' folder."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/made_up.yaml").write_text(TEXT)
    monkeypatch.setattr(papers, "PAPERS", tmp_path / "papers")
    return tmp_path / "results"


def run(results: Path, tier: str = "quick", *, trained: int = 4, **environment: Any) -> None:
    """What a run would leave: the plan, and results of the first trials."""
    experiment = load(papers.path("made_up"), tier=tier)
    trials = make_plan(experiment, Unmeasured(Cost(1, 1, 1)))
    with create(
        results,
        experiment.name,
        config_text=experiment.text,
        trials=trials,
        environment=environment,
        published=experiment.published.model_dump(mode="json"),
    ) as opened:
        for trial in trials[:trained]:
            folder, number = opened.claim(trial)
            errors = {"train_error": 0.1 if trial.connection == "residual" else 0.3 + trial.seed / 100}
            errors |= {"test_error": errors["train_error"]}
            attempt = Attempt(folder, number)
            attempt.begin({})
            attempt.commit({"status": "done", "cause": None, **errors})


def test_it_lists_claims_costs_and_how_far_each_tier_is(paper: Path) -> None:
    run(paper, trained=3)
    (entry,) = papers.entries(paper)
    assert entry.claim.startswith("Plain networks fit their training set worse")
    assert [(s.tier, s.experiment, s.trials, s.ended, s.expect, s.published) for s in entry.sizes] == [
        ("quick", "made_up-quick", 4, 3, "4 trials, a minute", False),
        ("full", "made_up", 8, 0, "8 trials, an hour", False),
    ]


def test_without_references_the_claim_is_what_the_file_says_is_asked(paper: Path) -> None:
    (papers.PAPERS / "made_up.yaml").write_text(TEXT.replace("references: he2015_cifar10\n", ""))
    assert papers.entries(paper)[0].claim == "depth: hurts plain nets, and only them"


def test_every_configuration_that_ships_is_listed(tmp_path: Path) -> None:
    found = papers.entries(tmp_path)
    assert tuple(entry.name for entry in found) == papers.names()
    assert all(entry.claim and {"quick", "full"} <= {size.tier for size in entry.sizes} for entry in found)


def test_an_unknown_name_is_answered_with_the_nearest(paper: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration 'made_upp'; did you mean made_up\?"):
        papers.path("made_upp")
    with pytest.raises(ConfigError, match=r"did you mean made_up\?"):
        publish.publish("made_upp", paper)


def test_only_a_finished_experiment_is_published(paper: Path) -> None:
    with pytest.raises(NoExperimentError, match="first run `resexp gallery run made_up --tier quick`"):
        publish.publish("made_up", paper)
    run(paper, trained=3)
    with pytest.raises(NoExperimentError, match="1 trial left to train"):
        publish.publish("made_up", paper)
    assert not (paper / "gallery").exists()


def test_published_files_name_no_folder_of_this_machine(paper: Path) -> None:
    home = "/home/some-body"
    run(paper, command=f"resexp run {home}/x.yaml data.root={home}/images/cifar10")
    stray = paper / "made_up-quick/trials/left_aside"
    stray.mkdir()
    folder = publish.publish("made_up", paper)
    assert folder == paper / "gallery/made_up"
    written = [path for path in (paper / "gallery").rglob("*") if path.is_file()]
    assert {path.name for path in written} >= {"README.md", "report.md", "report.json", "trials.csv"}
    for path in written:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        assert "some-body" not in text
        assert str(paper.parent) not in text.replace("\\", "")
    report = json.loads((folder / "report.json").read_text())
    assert report["environment"]["command"] == "resexp run x.yaml data.root=cifar10"
    assert any("left aside" in note for note in report["notes"])


def test_figures_of_an_earlier_report_go(paper: Path) -> None:
    run(paper)
    old = paper / "gallery/made_up/figures/old.svg"
    old.parent.mkdir(parents=True)
    old.write_text("<svg/>")
    publish.publish("made_up", paper)
    assert not old.exists()
    assert list(old.parent.glob("*.svg"))


def test_the_index_has_a_line_for_every_claim_and_stays_the_same(paper: Path) -> None:
    run(paper)
    run(paper, "full", trained=8)
    publish.publish("made_up", paper)
    publish.publish("made_up", paper, "full")
    text = (paper / "gallery/README.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 2 * 3
    assert re.search(
        r"^\|  \| At the greatest depth .* \| 6\.97 / 12\.95.%.*secondary.* \| "
        r"10\.00 / 30\.50.%: \+20\.50 pt, n = 2 \| ⚪ too few seeds \|$",
        text,
        re.MULTILINE,
    )
    assert "[made\\_up-full](made_up-full/report.md)" in text
    assert publish.index(paper / "gallery") == text


def test_a_report_that_cannot_be_read_is_named(paper: Path) -> None:
    broken = paper / "gallery/broken/report.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    with pytest.raises(StoreError, match=r"broken/report\.json"):
        publish.index(paper / "gallery")


def test_what_diverged_or_is_missing_has_no_size_in_the_index() -> None:
    claim = {
        **{"say": "a | b", "metric": "test_error", "verified": "memory", "published_lower": None},
        **{"published_higher": None, "lower": 0.1, "higher": None, "difference": None, "low": None},
        **{"high": None, "n": 3, "diverged": 3, "verdict": "direction agrees"},
    }
    lost = {**claim, "n": 0, "diverged": 0, "lower": None, "verdict": "not comparable"}
    also = {**claim, "say": "a", "confounded": ["model.match: params against none"], "pooled": ["b", "c"]}
    text = page([("one", {"published": {"claims": [claim, lost, also]}}), ("two", {"published": {}})])
    assert "| a (its sides also differ in model.match: params against none) (averaged over b and c) |" in text
    assert (
        "| [one](one/report.md) | a \\| b | no number (memory) | 10.00 / –\u00a0%, 3 trials diverged, n = 3 |"
        in text
    )
    assert "| no number (memory) | – | ⚪ not comparable |" in text
    assert "without a published claim: [two](two/report.md)" in text


def test_a_paper_that_states_values_alone_has_a_line_for_each() -> None:
    value = {
        **{"metric": "test_loss", "published": 1.88, "verified": "text", "verdict": "not reproduced"},
        **{"measured": 1.908, "measured_sd": 0.0015, "n": 3},
    }
    unmeasured = {**value, "measured": None, "measured_sd": None, "n": 0, "verdict": "not comparable"}
    paper = {"claim": "It reaches 1.88.", "claims": [], "references": [value, unmeasured]}
    text = page([("one", {"published": paper}), ("two", {"published": {**paper, "claim": None}})])
    measured = "| 1.880 nats (text) | 1.908 ± 0.0015 nats, n = 3 | 🔴 not reproduced |"
    assert f"| [one](one/report.md) | It reaches 1.88. {measured}" in text
    assert "| 1.880 nats (text) | – | ⚪ not comparable |" in text
    assert "without a published claim: [two](two/report.md)" in text


def test_the_command_lists_and_refuses(paper: Path) -> None:
    run(paper)
    runner = CliRunner()
    shown = runner.invoke(app, ["gallery", "--results", str(paper)])
    assert "made_up" in shown.output
    assert "4/4" in shown.output
    listed = runner.invoke(app, ["gallery", "--results", str(paper), "--format", "json"])
    assert json.loads(listed.output)[0]["sizes"][0]["ended"] == 4
    done = runner.invoke(app, ["gallery", "publish", "made_up", "--results", str(paper)])
    assert done.exit_code == 0
    refused = runner.invoke(app, ["gallery", "run", "made_upp"])
    assert isinstance(refused.exception, ConfigError)


def test_verdicts_are_counted_by_where_they_were_checked_raw_and_corrected() -> None:
    claim = {
        **{"say": "a", "metric": "test_loss", "published_lower": None, "published_higher": None},
        **{"lower": 0.1, "higher": 0.2, "difference": 0.1, "low": 0.0, "high": 0.2, "n": 3, "diverged": 0},
    }
    agrees, disagrees = "direction agrees", "direction disagrees"
    claims = [
        {**claim, "verified": "text", "verdict": agrees, "p": 0.001},
        {**claim, "verified": "text", "verdict": agrees, "p": 0.04},  # 0.04 x 3 / 2 is more than 0.05
        {**claim, "verified": "text", "verdict": agrees},  # of an older report
        {**claim, "verified": "memory", "verdict": disagrees, "p": 0.9},
        {**claim, "verified": "memory", "verdict": disagrees, "p": 0.001, "within": 0.1},  # a tie
    ]
    text = page([("one", {"published": {"claims": claims}})])
    corrected = "on a direction with a p-value, after correction:"
    assert f"- 3 claims read in the paper's text: 3 agree, 0 disagree; of the 2 {corrected} 1 agree" in text
    assert f"- 2 claims from memory, or ours: 0 agree, 2 disagree; of the 1 {corrected} 0 agree" in text
    assert "secondary source: " not in text
