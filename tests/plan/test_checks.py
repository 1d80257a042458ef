"""`checks` and `claims` of a configuration about trials that its plan lacks are found before training."""

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
