"""Papers as data: every file that ships reads well, and a wrong one is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from resexp.config import published
from resexp.config.margins import default_margin
from resexp.config.metrics import reading
from resexp.config.published import Claim, Published, Reference, names, read_published
from resexp.config.schema import known_keys
from resexp.errors import ConfigError


@pytest.mark.parametrize("name", names())
def test_every_paper_names_keys_that_exist(name: str) -> None:
    paper = read_published(name)
    whens = [r.when for r in paper.references] + [w for c in paper.claims for w in (c.lower, c.higher)]
    keys = {key for settings in (*whens, *(r.protocol for r in paper.references)) for key in settings}
    assert {*paper.protocol, *keys} <= set(known_keys())
    assert paper.claims or paper.references


@pytest.mark.parametrize("name", names())
def test_a_paper_survives_the_results_folder(name: str) -> None:
    assert Published.from_json(read_published(name).model_dump(mode="json")) == read_published(name)


def test_an_unknown_paper_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean he2015_cifar10"):
        read_published("he2015_cifar")


GOOD: dict[str, Any] = {
    "say": "Plain is worse.",
    "lower": {"model.connection": "residual"},
    "higher": {"model.connection": "plain"},
    "metric": "train_error",
    "source": "A paper",
}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"metric": "train_eror"}, "'train_eror' is not a metric"),
        ({"metric": "lesion.error@2:mean"}, "is not a metric"),
        ({"metric": "lesion.error@1:mode"}, "is not a metric"),
        ({"metric": "steps_until@train_error:0.1"}, "is not a metric"),
        ({"metric": "gap@test_loss:0.1"}, "is not a metric"),
        ({"metric": "steps_to@train_error:shared"}, "is not a metric"),
        ({"metric": "steps_to@train_error:5"}, "gives 5 as an error"),
        ({"metric": "gap@train_loss:0"}, "gives 0 as a loss"),
        ({"metric": "steps_to@train_error:0.1", "published": (200, 100)}, "not what its published numbers"),
        ({"metric": "steps_to@train_error:0.1", "published": (0, 100)}, "0 or fewer steps"),
        ({"relation": "lower", "within": 0.1}, "the relation lower needs none"),
        ({"relation": "no_worse", "metric": "params"}, "params has no default"),
        ({"relation": "no_worse", "metric": "test_iou"}, "of test_iou more is better"),
        ({"relation": "no_worse", "published": (0.2, 0.1)}, "is not what its published numbers say"),
        (
            {"relation": "no_worse", "metric": "steps_to@train_error:0.1", "published": (120, 100)},
            "is not what",
        ),
        ({"published": (0.2, 0.1)}, "is not what its published numbers say"),
        ({"published": (0.1, 0.2), "within": 0.05}, "is not what its published numbers say"),
        ({"published": (1, 2)}, "gives 2 as an error"),
        ({"higher": GOOD["lower"]}, "compares trials with themselves"),
        ({"verified": "yes"}, "Input should be"),
    ],
)
def test_a_claim_that_cannot_be_meant_is_refused(change: dict[str, Any], wrong: str) -> None:
    Claim.model_validate(GOOD)
    with pytest.raises(ValueError, match=wrong):
        Claim.model_validate({**GOOD, **change})


def test_a_reading_of_a_probe_is_taken_apart() -> None:
    assert reading("gradient_norms.weight_rms@0.5:slope") == ("gradient_norms", "weight_rms", 0.5, "slope")
    assert reading("train_error") is None


def test_only_claims_are_about_training_curves() -> None:
    value = {
        "when": {},
        "metric": "steps_to@train_error:0.1",
        "value": 100,
        "statistic": "mean",
        "source": "A",
    }
    with pytest.raises(ValueError, match="only claims may be about"):
        Reference.model_validate(value)
    published_ = {"metric": "steps_to@train_error:0.1", "published": (32000, 64000)}
    assert Claim.model_validate({**GOOD, **published_}).published == (32000, 64000)


@pytest.mark.parametrize(
    "changes",
    [
        {"within": 0.01, "published": (0.06, 0.07)},
        {"within": 0.01, "published": (0.07, 0.06)},
        {"relation": "no_worse", "within": 0.01, "published": (0.07, 0.06)},
        {"metric": "steps_to@train_error:0.1", "within": 0.1, "published": (1000, 1100)},
    ],
)
def test_published_numbers_that_differ_by_just_the_margin_lie_within_it(changes: dict[str, Any]) -> None:
    """As floats, 0.07 - 0.06 is greater than 0.01, and 1100 / 1000 - 1 is greater than 0.1."""
    assert Claim.model_validate({**GOOD, **changes}).published == changes["published"]


@pytest.mark.parametrize(
    ("metric", "margin"),
    [
        ("test_error", 0.01),
        ("test_loss", 0.05),
        ("test_iou", 0.01),
        ("gap@train_loss:0.1", 0.05),
        ("gap@train_error:shared", 0.01),
        ("steps_to@test_error:0.1", 0.1),
        ("seconds", None),
        ("gradient_norms.weight_rms@0:slope", None),
    ],
)
def test_margins_of_equivalence(metric: str, margin: float | None) -> None:
    assert default_margin(metric) == margin
    assert Claim.model_validate({**GOOD, "metric": metric, "within": 0.2}).margin == 0.2
    assert Claim.model_validate({**GOOD, "metric": metric}).margin is None


def test_problems_of_a_file_have_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    text = "claim: A\nclaims:\n- {say: A, lower: {seed: 0}, higher: {seed: 1}, source: A,\n   metric: eror}\n"
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"bad.yaml:4: claims.0.metric: 'eror' is not a metric"):
        read_published("bad")
    (tmp_path / "bad.yaml").write_text("claim: All is well.\n")
    with pytest.raises(ConfigError, match=r"bad.yaml:1: paper: is missing"):
        read_published("bad")


PROTOCOLS = {name: read_published(name).protocol for name in names()}
IMAGES = [
    name
    for name, protocol in PROTOCOLS.items()
    if protocol.get("data.kind") in ("cifar10", "image_folder") and protocol.get("task.kind") != "adversarial"
]
"""Papers on classifiers of images. That on generators has no number that a run could reproduce."""


@pytest.mark.parametrize("name", names())
def test_a_secondary_source_is_named_with_a_link_and_no_mark_of_drafts_is_left(name: str) -> None:
    paper = read_published(name)
    for stated in (*paper.references, *paper.claims):
        if stated.verified == "secondary":
            assert re.search(r"\(https://[^ )]+\)", stated.source), stated.source
        assert "secondary source" not in stated.source
    text = (published.FOLDER / f"{name}.yaml").read_text()
    assert not re.search(r"\[[tsmc]\]|\(memory\)|\(secondary\)", text)


@pytest.mark.parametrize("name", IMAGES)
def test_a_protocol_on_images_says_what_nets_and_how_many_images_see_and_how(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert {"data.train_size", "data.validation_size", "data.normalise", "data.flip"} <= {*protocol}
    connections = protocol.get("model.connection", [])
    connections = connections if isinstance(connections, list) else [connections]
    stated = [c for c in connections if c == "plain" or (isinstance(c, dict) and "shortcut" in c)]
    assert "model.connection.shortcut" in protocol or (stated and stated == connections)


def test_published_values_of_li_2018_are_of_the_learning_rate_and_the_shortcuts_of_its_authors() -> None:
    paper = read_published("li2018_shortcuts")
    (plain_110,) = [r for r in paper.references if r.value == 0.1644]
    assert plain_110.when["training.optimizer.lr"] == 0.01
    assert paper.protocol["model.connection.shortcut"] == [None, "projection"]


def test_he_2015_on_imagenet_compares_nets_of_option_a() -> None:
    paper = read_published("he2015_imagenet")
    assert {r.value for r in paper.references} == {0.2794, 0.2854, 0.2788, 0.2503}
    assert paper.protocol["model.connection"] == ["plain", {"kind": "residual", "shortcut": "pad"}]
