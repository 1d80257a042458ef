"""`checks` and `claims` of a configuration about what its plan lacks are found before training."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp import api
from resexp.errors import ConfigError

TEXT = """\
name: x
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 1, batch_size: 32}
sweep: {model.connection: [plain, residual], model.depth: [8, 14]}
tiers: {small: {sweep: {model.depth: [8]}}}
checks:
- plain degrades
- residul does not degrade
- test_error(residual, 20) < test_error(plain, 8)
"""


def plan(folder: Path, *overrides: str, text: str = TEXT, tier: str = "full") -> int:
    (folder / "x.yaml").write_text(text)
    return len(api.trials(api.load(folder / "x.yaml", overrides, tier=tier), "cpu"))


@pytest.mark.parametrize("overrides", [(), ("training.epochs=2",), ("name=y",)])
def test_every_unknown_variant_and_depth_is_told_with_its_line(
    overrides: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path, *overrides)
    variant, depth = map(str, refused.value.problems)
    assert (
        "x.yaml:9: residul does not degrade: there is no variant 'residul'; did you mean residual?" in variant
    )
    assert (
        "x.yaml:10: test_error(residual, 20) < test_error(plain, 8): there is no depth 20; residual has 8, 14"
        in depth
    )


def test_a_part_of_the_sweep_need_not_have_all_that_is_checked(tmp_path: Path) -> None:
    assert plan(tmp_path, "model.depth=8") == 2
    assert plan(tmp_path, "model.connection=plain") == 2
    assert plan(tmp_path, tier="small") == 2


def test_checks_of_what_the_plan_has_are_fine(tmp_path: Path) -> None:
    assert plan(tmp_path, text=TEXT.replace("residul", "residual").replace("20", "14")) == 4


def test_a_check_of_validation_needs_a_validation_set(tmp_path: Path) -> None:
    text = TEXT.partition("- plain degrades")[0] + "- validation_error(residual, 8) < 90 %\n"
    with pytest.raises(
        ConfigError, match=r"x.yaml:8: validation_error.*: validation_error is not measured; g"
    ):
        plan(tmp_path, text=text)
    assert plan(tmp_path, text=text.replace("test: 16}", "test: 16, validation_size: 16}")) == 4


def test_other_problems_are_told_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path, text=TEXT.replace("[8, 14]", "[8, 9]"))
    assert {problem.key for problem in refused.value.problems} == {"model.depth"}


CLAIMS = f"""\
{TEXT.partition("checks:")[0]}claims:
- say: the deeper residual net errs less than the deepest plain one
  lower: {{model.connection: LOWER, model.depth: DEPTH}}
  higher: {{model.connection: plain, model.depth: deepest, seed: [0, 1]}}
  metric: test_error
  source: mine
"""


def test_a_side_of_a_claim_that_no_trial_is_on_is_told_with_its_line(tmp_path: Path) -> None:
    for lower, depth, wrong in (
        ("residul", "14", "no trial has model.connection: 'residul'; the plan has plain, residual"),
        ("residual", "20", "no trial has model.depth: 20; the plan has 8, 14"),
    ):
        text = CLAIMS.replace("LOWER", lower).replace("DEPTH", depth)
        with pytest.raises(ConfigError) as refused:
            plan(tmp_path, text=text)
        assert str(refused.value).endswith(f"x.yaml:9: claims.0.lower: {wrong}")
        assert plan(tmp_path, "model.depth=8", text=text) == 2, "a part of the sweep may lack a side"


def test_claims_about_what_the_plan_has_are_fine(tmp_path: Path) -> None:
    for lower in ("residual", "{kind: residual}", "[residual, skip]"):
        assert plan(tmp_path, text=CLAIMS.replace("LOWER", lower).replace("DEPTH", "deepest")) == 4


def refusals(folder: Path, text: str, **changes: str) -> list[str]:
    """What is wrong with the claim of CLAIMS after some words in it were replaced."""
    for old, new in {"LOWER": "residual", "DEPTH": "deepest", **changes}.items():
        text = text.replace(old, new)
    try:
        plan(folder, text=text)
    except ConfigError as refused:
        return [f"{problem.key}: {problem.wrong}" for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    ("metric", "more", "wrong"),
    [
        ("validation_error", "", "validation_error is not measured"),
        ('"steps_to@validation_error:0.5"', "", "validation_error is not measured"),
        ("test_accuracy", "", "accuracies are not measured"),
        ('"lesion.error@0.5:mean"', "", "no trial reads lesion at 50 % of training"),
        ('"lesion.error@0.5:mean"', "probes: [{kind: lesion, at: [0, 1]}]", "no trial reads lesion at 50 %"),
        ('"lesion.error@0.5:mean"', "probes: [{kind: lesion, at: [0.5]}]", ""),
        ('"lesion.error@1:mean"', "", ""),  # `resexp probe` may add it
        ("test_iou", "", ""),  # a task may have measures of its own
    ],
)
def test_a_claim_on_what_no_trial_measures_is_refused(
    metric: str, more: str, wrong: str, tmp_path: Path
) -> None:
    said = refusals(tmp_path, f"{CLAIMS}{more}\n", test_error=metric)
    assert [each.startswith(f"claims.0.metric: {wrong}") for each in said] == [True] * bool(wrong)


def test_a_claim_on_validation_is_fine_with_a_validation_set(tmp_path: Path) -> None:
    text = CLAIMS.replace("test: 16}", "test: 16, validation_size: 16}")
    assert not refusals(tmp_path, text, test_error="validation_error")


@pytest.mark.parametrize("metric", ["validation_error", '"steps_to@validation_error:0.5"', "test_error"])
def test_a_claim_on_the_examples_by_which_values_are_tuned_is_refused(metric: str, tmp_path: Path) -> None:
    """A side with more tuned values would win, because the least of more errors is lower."""
    text = CLAIMS.replace("test: 16}", "test: 16, validation_size: 16}")
    text += "tune: {training.optimizer.lr: [0.1, 0.01]}\n"
    found = refusals(tmp_path, text, test_error=metric)
    wrong = "claims.0.metric: is of the examples by which tuned values are chosen, so it is too low"
    assert found == ([] if metric == "test_error" else [wrong])


@pytest.mark.parametrize(
    ("lower", "higher", "depths", "wrong"),
    [
        ("deepest", "best_shallower", "[8]", "lower.model.depth: means no depth: the sides share depth 8"),
        ("deepest", "shallowest", "[8]", "lower.model.depth: means the same trials as the other side"),
        ("14", "deepest", "[8, 14]", "higher.model.depth: means the same trials as the other side"),
        ("deepest", "best_shallower", "[8, 14]", ""),
        ("8", "deepest", "[8, 14]", ""),
        ("[8, 14]", "deepest", "[8, 14]", ""),
    ],
)
def test_words_for_depths_that_mean_no_two_groups_are_refused(
    lower: str, higher: str, depths: str, wrong: str, tmp_path: Path
) -> None:
    text = CLAIMS.replace("[8, 14]", depths)
    text = text.replace("plain, model.depth: deepest, seed: [0, 1]", "residual, X")
    said = refusals(tmp_path, text, DEPTH=lower, X=f"model.depth: {higher}")
    assert [each.startswith(f"claims.0.{wrong}") for each in said] == [True] * bool(wrong)
