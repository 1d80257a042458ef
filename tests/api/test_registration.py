"""What was registered before a run, what changed since, and what the report says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs_made_up import TEXT, noisy, opening, trained

from resexp import api, durable, store
from resexp.config.load import Experiment
from resexp.config.published import Published
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer
from resexp.plan import make
from resexp.plan.looks import Look, with_seeds
from resexp.plan.trial import Trial, identity
from resexp.report.build import build
from resexp.report.render import json
from resexp.store.registration import digest


def claiming(folder: Path, claims: str) -> Experiment:
    """The experiment with claims of its own, as a paper's file would give them."""
    claimed = Published.from_json({"claims": yaml.safe_load(claims)})
    (folder / "x.yaml").write_text(TEXT)
    return replace(api.load(folder / "x.yaml"), published=claimed)


CLAIMS = """\
- {say: é, lower: {model.depth: 8}, higher: {model.depth: 14}, metric: train_error, within: 0.01, source: s}
- {say: é, lower: {model.depth: 8}, higher: {model.depth: 14}, metric: test_error, source: s}
"""


def test_what_is_registered_before_a_run_stands_beside_its_results(
    experiment: Experiment, tmp_path: Path
) -> None:
    file, sha256 = api.register(experiment, results=tmp_path, device="cpu")
    assert file.name == "registered.json"
    trained(experiment, tmp_path, noisy(0.5))
    registered = api.results("x", tmp_path).registered
    assert registered is not None
    assert registered["sha256"] == sha256
    assert [len(plan) for plan in registered["trials"]] == [6]
    with pytest.raises(ConfigError, match="have been trained already"):
        api.register(experiment, results=tmp_path, device="cpu")


def test_a_registration_that_was_edited_counts_as_nothing(experiment: Experiment, tmp_path: Path) -> None:
    file, _ = api.register(experiment, results=tmp_path, device="cpu")
    document = durable.read_document(file)
    durable.write_document(file, {**document, "rules": {**document["rules"], "margin": 3.0}})
    trained(experiment, tmp_path, noisy(0.5))
    assert api.results("x", tmp_path).registered is None
    assert "does not match its hash" in opening(tmp_path)


def test_a_margin_and_a_claim_that_are_changed_later_are_in_the_first_sentence(tmp_path: Path) -> None:
    api.register(claiming(tmp_path, CLAIMS), results=tmp_path, device="cpu")
    trained(claiming(tmp_path, CLAIMS), tmp_path, noisy(0.02))
    assert "nothing that was registered has changed" in opening(tmp_path)
    trained(claiming(tmp_path, CLAIMS.replace("0.01", "0.5")), tmp_path, noisy(0.02))
    assert "in the claim “é”, within was 0.01 and is 0.5." in opening(tmp_path)
    assert opening(tmp_path).count("in the claim") == 1
    trained(claiming(tmp_path, CLAIMS.splitlines()[1]), tmp_path, noisy(0.02))
    assert "the claim “é” was dropped." in opening(tmp_path)
    later = CLAIMS + CLAIMS.splitlines()[1].replace("é", "later").replace("test", "train")
    trained(claiming(tmp_path, later), tmp_path, noisy(0.02))
    assert opening(tmp_path).endswith("has changed since. Added since, and exploratory: 1 claim.")


def test_seeds_added_to_a_registered_variant_are_a_change_and_another_variant_is_not(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = api.load(tmp_path / "x.yaml")
    api.register(experiment, results=tmp_path, device="cpu")
    trained(with_seeds(experiment, 5), tmp_path, noisy(0.02))
    assert "the plan adds 4 trials to registered variants" in opening(tmp_path)
    other = api.load(tmp_path / "x.yaml", ["model.connection=plain,residual"])
    trained(other, tmp_path, noisy(0.02))
    assert opening(tmp_path).endswith(
        "has changed since. Added since, and exploratory: 6 trials with other settings."
    )


def test_a_run_that_lacks_registered_trials_says_so_before_it_trains(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = api.load(tmp_path / "x.yaml")
    api.register(experiment, results=tmp_path, device="cpu")

    def warnings(*overrides: str) -> list[str]:
        changed = api.load(tmp_path / "x.yaml", list(overrides))
        planned = make.make_plan(changed, Measurer("cpu"))
        with store.create(
            tmp_path, "x", config_text="", trials=planned, environment={"overrides": overrides}
        ) as made:
            return made.warnings

    lacking = (
        "This plan lacks 6 of the 6 registered trials, for example because of an override. Without them, "
    )
    assert not warnings()
    assert lacking in " ".join(warnings("training.epochs=7"))


def test_each_look_must_have_the_trials_that_were_registered_for_it(
    experiment: Experiment, tmp_path: Path
) -> None:
    api.register(experiment, most=5, results=tmp_path, device="cpu")
    look = Look(3, (3, 5))
    trained(experiment, tmp_path, noisy(0.02), look)
    assert "has changed since" in opening(tmp_path)
    longer = api.load(tmp_path / "x.yaml", ["training.epochs=2"])
    trained(longer, tmp_path, noisy(0.02), look)
    assert "the plan leaves out 6 registered trials" in opening(tmp_path)


def test_a_registration_has_the_plan_of_every_look_and_makes_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = api.load(tmp_path / "x.yaml", ["seed=4,7"])
    asked: list[str] = []

    def noted(*facts: Any) -> str:
        asked.append(identity(*facts))
        return asked[-1]

    monkeypatch.setattr(make, "identity", noted)
    file, _ = api.register(experiment, most=8, results=tmp_path, device="cpu")
    assert len(asked) == len(set(asked)) == 16
    planned = [{trial.id for trial in api.trials(with_seeds(experiment, n), "cpu")} for n in (3, 5, 8)]
    assert [set(plan) for plan in durable.read_document(file)["trials"]] == planned


def test_what_is_registered_after_a_run_does_not_pass_for_registered(
    experiment: Experiment, tmp_path: Path
) -> None:
    trained(experiment, tmp_path, noisy(0.02))
    records = api.results("x", tmp_path)
    (tmp_path / "x/trials").rename(tmp_path / "aside")
    api.register(experiment, results=tmp_path, device="cpu")
    (tmp_path / "aside").rename(tmp_path / "x/trials")
    run = {"environment": {"date": "2020-01-01T00:00:00+00:00"}, "trials": list(records.trials["id"])}
    late = replace(api.results("x", tmp_path), runs=[run])
    assert "the plan was registered after the first run" in build(late).sentences[0].text


def test_a_registration_that_replaces_another_one_names_it(tmp_path: Path) -> None:
    told: list[str] = []

    def register(claims: str) -> tuple[Path, str]:
        return api.register(claiming(tmp_path, claims), results=tmp_path, device="cpu", tell=told.append)

    file, first = register(CLAIMS)
    assert register(CLAIMS) == (file, first)  # nothing has changed
    assert not told
    _, second = register(CLAIMS.replace("0.01", "0.02"))
    assert second != first
    assert durable.read_document(file)["replaces"] == f"SHA-256 {first}"
    assert f"({'SHA-256 ' + first})" in told[0]
    file.write_text("damaged")
    register(CLAIMS)
    assert str(file) in told[1]


def test_nothing_is_registered_once_a_trial_is_trained_in_part(
    experiment: Experiment, tmp_path: Path
) -> None:
    plan = api.trials(experiment, "cpu")
    with store.create(tmp_path, "x", config_text="", trials=plan, environment={}) as opened:
        attempt = store.Attempt(*opened.claim(plan[0]))
        attempt.begin({})
        attempt.metric({"epoch": 1, "train_error": 0.2})
    with pytest.raises(ConfigError, match="1 of its trials have been trained already, at least in part"):
        api.register(experiment, results=tmp_path, device="cpu")


def test_a_registration_with_other_contents_is_refused_in_the_first_sentence(
    experiment: Experiment, tmp_path: Path
) -> None:
    file, _ = api.register(experiment, results=tmp_path, device="cpu")
    document = durable.read_document(file)
    trained(experiment, tmp_path, noisy(0.02))
    for change in ({"published": {"claims": [3]}}, {"format": 99}, {"trials": []}, {"rules": {"x": "y"}}):
        content = {key: value for key, value in {**document, **change}.items() if key != "sha256"}
        durable.write_document(file, {**content, "sha256": digest(content)})
        assert opening(tmp_path).startswith("What was registered cannot be used")


def test_a_comparison_is_registered_only_with_all_its_trials(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT.replace("[8, 14]", "[8]"))
    two = ["model.connection=residual,plain"]
    api.register(api.load(tmp_path / "x.yaml", two), results=tmp_path, device="cpu")

    def error(trial: Trial) -> float:
        return 0.1 + 0.5 * (trial.connection == "plain") + 0.001 * trial.seed

    for connections, said in (
        (two, "Registered."),
        (["model.connection=residual,plain,skip"], "Exploratory."),
    ):
        trained(api.load(tmp_path / "x.yaml", connections), tmp_path, error)
        report = build(api.results("x", tmp_path))
        assert report.leading == "comparisons"
        assert report.sentences[-1].text.endswith(said)
        written = [row for row in json.document(report)["sentences"] if row["table"] == "comparisons"]
        assert [row["text"].rpartition(" ")[2] for row in written] == [said] * (
            len(connections[0].split(",")) - 1
        )


def test_a_claim_is_exploratory_once_its_variants_have_further_trials(tmp_path: Path) -> None:
    claimed = claiming(tmp_path, CLAIMS)
    api.register(claimed, results=tmp_path, device="cpu")
    for seeds, standing in ((3, "registered"), (5, "exploratory")):
        trained(with_seeds(claimed, seeds), tmp_path, noisy(0.02))
        table = build(api.results("x", tmp_path)).table("claims")
        assert table is not None
        assert {row["standing"] for row in table.rows} == {standing}


def test_trials_of_a_further_depth_matter_only_to_a_claim_that_names_a_depth_by_a_word(
    tmp_path: Path,
) -> None:
    deepest = CLAIMS.splitlines()[1].replace("{model.depth: 14}", "{model.depth: deepest}")
    claimed = claiming(tmp_path, CLAIMS + deepest)
    api.register(claimed, results=tmp_path, device="cpu")
    (tmp_path / "y.yaml").write_text(TEXT.replace("[8, 14]", "[8, 14, 20]"))
    deeper = replace(api.load(tmp_path / "y.yaml"), name=claimed.name, published=claimed.published)
    trained(deeper, tmp_path, noisy(0.02))
    table = build(api.results("x", tmp_path)).table("claims")
    assert table is not None
    assert [row["standing"] for row in table.rows] == ["registered", "registered", "exploratory"]


def test_no_verdict_is_registered_while_registered_trials_are_left_out(tmp_path: Path) -> None:
    """A depth that is dropped after a look at it might have turned the verdict on depth."""
    claimed = claiming(tmp_path, CLAIMS)
    (tmp_path / "y.yaml").write_text(TEXT.replace("[8, 14]", "[8, 14, 20]"))
    deeper = replace(api.load(tmp_path / "y.yaml"), name=claimed.name, published=claimed.published)
    api.register(deeper, results=tmp_path, device="cpu")
    for experiment, standing in ((deeper, "Registered."), (claimed, "Exploratory.")):
        trained(experiment, tmp_path, noisy(0.5))
        report = build(api.results("x", tmp_path))
        table = report.table("claims")
        assert table is not None
        assert {row["standing"] for row in table.rows} == {standing.lower().rstrip(".")}
        assert report.sentences[-1].text.endswith(standing)
    assert "the plan leaves out 3 registered trials" in opening(tmp_path)


NUMBER = {
    "when": {"model.depth": 8},
    "metric": "train_error",
    "value": 0.1,
    "statistic": "single",
    "source": "s",
}


def test_a_tolerance_that_is_changed_later_is_in_the_first_sentence(
    experiment: Experiment, tmp_path: Path
) -> None:
    published = [Published.from_json({"references": [NUMBER | {"tolerance": t}]}) for t in (0.01, 0.2)]
    api.register(replace(experiment, published=published[0]), results=tmp_path, device="cpu")
    for numbers, standing in zip(published, ("registered", "exploratory"), strict=True):
        trained(replace(experiment, published=numbers), tmp_path, noisy(0.02))
        table = build(api.results("x", tmp_path)).table("published")
        assert table is not None
        assert [row["standing"] for row in table.rows] == [standing]
    assert "the tolerance of 8 was 0.01 and is 0.2." in opening(tmp_path)
