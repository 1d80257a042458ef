"""Every paper's configuration: it loads and plans in each tier, says why, and its references are about it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import resexp
from resexp.api import trials
from resexp.config import published
from resexp.config.load import Experiment, load
from resexp.config.metrics import reading
from resexp.config.yaml_text import parse, read_text
from resexp.errors import DataError
from resexp.report.protocol import fits, setting

FOLDER = Path(resexp.__file__).parent / "papers"
PAPERS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def tiers(name: str) -> list[str]:
    document: Any = parse(read_text(path_of(name)), name).value
    return ["full", *document.get("tiers", {})]


EVERY_TIER = [(name, tier) for name in PAPERS for tier in tiers(name)]


@cache
def read(name: str, tier: str) -> Experiment:
    return load(path_of(name), tier=tier)


@pytest.mark.parametrize(("name", "tier"), EVERY_TIER)
def test_every_tier_plans(name: str, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parents[1])  # folders of images are named from there
    experiment = read(name, tier)
    try:
        found = trials(experiment, "cpu")
    except DataError as error:
        pytest.skip(f"the data are not here: {error}")
    assert len(found) == len(experiment.points)
    assert len({trial.name for trial in found}) == len(found), "two trials would pass for one in the report"


@pytest.mark.parametrize("name", PAPERS)
def test_a_file_says_why_and_what_to_expect_and_has_its_own_name(name: str) -> None:
    experiment = read(name, "full")
    assert experiment.why
    assert experiment.expect
    assert experiment.name == name
    assert "quick" in tiers(name)


@pytest.mark.parametrize("name", PAPERS)
def test_references_are_about_trials_of_the_full_tier(name: str) -> None:
    experiment = read(name, "full")
    settings = [point.settings.model_dump(mode="json") for point in experiment.points]
    for reference in experiment.published.references:
        assert about(settings, reference.when), reference
    for claim in experiment.published.claims:
        assert about(settings, claim.lower), claim
        assert about(settings, claim.higher), claim


@pytest.mark.parametrize("name", PAPERS)
def test_the_full_tier_follows_the_recipe_of_each_number_of_the_paper_that_it_may_reproduce(
    name: str,
) -> None:
    experiment = read(name, "full")
    settings = [point.settings.model_dump(mode="json") for point in experiment.points]
    for reference in experiment.published.references:
        if reference.tier != "exact" or reference.verified == "secondary":
            continue
        recipe = {**experiment.published.protocol, **reference.protocol}
        for trial in settings:
            if about([trial], reference.when):
                unlike = [key for key, wanted in recipe.items() if not fits(setting(trial, key), wanted)]
                assert not unlike, reference


@pytest.mark.parametrize("name", PAPERS)
def test_claims_on_probes_are_about_probes_that_are_read_then(name: str) -> None:
    for tier in tiers(name):
        experiment = read(name, tier)
        readings = [found for claim in experiment.published.claims if (found := reading(claim.metric))]
        for point in experiment.points:
            taken = {(probe.kind, at) for probe in point.settings.probes for at in probe.at}
            assert {(found.probe, found.at) for found in readings} <= taken


def about(settings: list[dict[str, Any]], when: dict[str, Any]) -> bool:
    """Whether some trial fits: the words for depths fit any."""
    words = published.DEPTH_WORDS
    wanted = {key: value for key, value in when.items() if not (isinstance(value, str) and value in words)}
    return any(all(fits(setting(s, key), value) for key, value in wanted.items()) for s in settings)
