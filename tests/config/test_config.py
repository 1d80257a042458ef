"""Configuration: what a file and its overrides mean."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from resexp.catalog import scan
from resexp.config import grid, published, yaml_text
from resexp.config.load import Experiment
from resexp.config.load import load as load_file
from resexp.config.parse import parse_settings
from resexp.config.published import Published
from resexp.config.schema import json_schema
from resexp.config.settings import ROLE_CONFIGS, models
from resexp.errors import ConfigError

BASE = """\
name: small
data: synthetic
model: {kind: resnet, depth: 8}
training: {epochs: 2, optimizer: sgd}
"""


def load(tmp_path: Path, more: str = "", overrides: Sequence[str] = ()) -> Experiment:
    path = tmp_path / "x.yaml"
    path.write_text(BASE + more, encoding="utf-8")
    return load_file(path, overrides)


def axes(experiment: Experiment) -> list[tuple[Any, ...]]:
    return [tuple(point.axes.values()) for point in experiment.points]


def lrs(experiment: Experiment) -> list[float]:
    return [point.settings.training.optimizer.options()["lr"] for point in experiment.points]


def test_a_file_without_a_sweep_is_one_point(tmp_path: Path) -> None:
    experiment = load(tmp_path)
    (point,) = experiment.points
    assert (experiment.name, point.axes, experiment.published) == ("small", {}, Published())
    assert experiment.text == BASE
    settings = point.settings
    assert (settings.data.kind, settings.model.depth, settings.model.connection.kind) == (
        "synthetic",
        8,
        "plain",
    )
    assert settings.training.optimizer.options()["lr"] == scan.parts("optimizer")["sgd"].options["lr"].default
    assert (settings.training.schedule.kind, settings.probes, settings.seed) == ("constant", (), 0)


def test_the_grid_is_the_product_with_the_last_axis_fastest(tmp_path: Path) -> None:
    experiment = load(tmp_path, "sweep: {model.depth: [8, 14], seed: [0, 1]}")
    assert axes(experiment) == [(8, 0), (8, 1), (14, 0), (14, 1)]
    assert [p.settings.seed for p in experiment.points] == [0, 1, 0, 1]


def test_a_list_of_grids_is_their_union_and_equal_points_are_one(tmp_path: Path) -> None:
    experiment = load(tmp_path, "sweep:\n- model.depth: [8, 14]\n- {model.depth: [8], seed: [0, 1]}\n")
    assert [p.axes for p in experiment.points] == [
        {"model.depth": 8, "seed": 0},
        {"model.depth": 14, "seed": 0},
        {"model.depth": 8, "seed": 1},
    ]


def test_an_axis_reaches_into_a_short_form_and_into_an_absent_part(tmp_path: Path) -> None:
    more = "sweep: {training.optimizer.lr: [0.1, 1e-3], training.schedule.warmup: [0.1]}"
    assert lrs(load(tmp_path, more)) == [0.1, 0.001]


def test_a_whole_part_goes_in_before_its_options_whatever_the_order(tmp_path: Path) -> None:
    more = "sweep: {training.optimizer.lr: [0.5], training.optimizer: [sgd, adamw]}"
    experiment = load(tmp_path, more)
    assert lrs(experiment) == [0.5, 0.5]
    assert {p.settings.training.optimizer.kind for p in experiment.points} == {"sgd", "adamw"}


def test_an_axis_of_parts_replaces_the_base_part_with_its_options(tmp_path: Path) -> None:
    more = "sweep: {model.connection: [plain, {kind: residual, shortcut: projection}]}"
    experiment = load(tmp_path, more)
    assert axes(experiment) == [("plain",), ({"kind": "residual", "shortcut": "projection"},)]
    assert experiment.points[1].settings.model.connection.options()["shortcut"] == "projection"


RULE = """
overrides:
- when: {model.connection: plain, model.depth: [14, 20]}
  set: {training.optimizer.lr: 0.01}
"""
SWEEP = "sweep: {model.depth: [8, 14], model.connection: [{kind: plain}, residual]}"


def test_a_rule_applies_where_all_of_when_fits_and_a_list_is_any_of(tmp_path: Path) -> None:
    assert lrs(load(tmp_path, SWEEP + RULE)) == [0.1, 0.1, 0.01, 0.1]


def test_many_rules_look_at_a_point_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    real = grid.lookup
    monkeypatch.setattr(grid, "lookup", lambda tree, *rest: looked.append(rest) or real(tree, *rest))
    rules = "".join(f"- {{when: {{seed: {n}}}, set: {{training.epochs: {n}}}}}\n" for n in range(1, 51))
    load(tmp_path, f"sweep: {{seed: {list(range(1, 101))}}}\noverrides:\n{rules}")
    assert len(looked) <= 2 * 100


def test_a_kinds_name_matches_whatever_the_options_and_a_default_counts(tmp_path: Path) -> None:
    more = """
sweep: {model.connection: [plain, {kind: scaled, shortcut: projection}]}
overrides:
- {when: {model.connection: scaled}, set: {training.optimizer.lr: 0.2}}
- {when: {model.connection: {kind: scaled, initial: 0.0}, model.norm: batch}, set: {seed: 7}}
- {when: {seed: 7}, set: {training.batch_size: 32}}
"""
    experiment = load(tmp_path, more)
    assert lrs(experiment) == [0.1, 0.2]
    assert [(p.settings.seed, p.settings.training.batch_size) for p in experiment.points] == [
        (0, 128),
        (7, 32),
    ]


def test_a_rule_sees_that_a_setting_is_off(tmp_path: Path) -> None:
    """A setting that is null has no options, and so not its model's defaults."""
    off, on = "{kind: cosine}", "{kind: cosine, low_rate: {}}"
    rules = [
        "{when: {training.schedule.low_rate: null}, set: {training.optimizer.lr: 0.3}}",
        "{when: {training.schedule.low_rate: {factor: 0.1}}, set: {training.optimizer.lr: 0.4}}",
    ]
    more = f"sweep: {{training.schedule: [{off}, {on}]}}\noverrides: [{', '.join(rules)}]"
    assert lrs(load(tmp_path, more)) == [0.3, 0.4]


def test_an_axis_shows_the_value_that_a_rule_gave(tmp_path: Path) -> None:
    more = "sweep: {seed: [1, 2]}\noverrides: [{when: {seed: 2}, set: {seed: 3}}]"
    assert axes(load(tmp_path, more)) == [(1,), (3,)]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model.depth=20"], [(20, {"kind": "plain"}), (20, "residual")]),
        (["model.depth=8,20", "model.connection=skip"], [(8, "skip"), (20, "skip")]),
        (
            ["model.connection={kind: residual, shortcut: pool}", "model.depth=8"],
            [(8, {"kind": "residual", "shortcut": "pool"})],
        ),
    ],
)
def test_the_command_line_replaces_the_axis_of_its_key(
    tmp_path: Path, overrides: list[str], expected: list[tuple[Any, ...]]
) -> None:
    assert axes(load(tmp_path, SWEEP, overrides)) == expected


def test_the_command_line_sets_the_base_adds_axes_and_names_the_experiment(tmp_path: Path) -> None:
    experiment = load(tmp_path, "", ["name=other", "seed=3,4", "data.classes=[0, 1]", "training.clip=null"])
    assert experiment.name == "other"
    assert [p.axes for p in experiment.points] == [{"seed": 3}, {"seed": 4}]
    assert experiment.points[0].settings.data.classes == (0, 1)
    assert experiment.overrides[0] == "name=other"


def test_the_command_line_wins_over_rules(tmp_path: Path) -> None:
    more = SWEEP + RULE
    assert lrs(load(tmp_path, more, ["training.optimizer.lr=0.3"])) == [0.3] * 4
    assert lrs(load(tmp_path, more, ["training.optimizer=adamw"])) == [0.001] * 4
    swap = "\noverrides: [{when: {model.depth: 8}, set: {training.optimizer: adamw}}]"
    assert lrs(load(tmp_path, swap, ["training.optimizer.lr=0.3"])) == [0.3]


def test_a_sweep_narrowed_on_the_command_line_may_leave_a_rule_idle(tmp_path: Path) -> None:
    assert len(load(tmp_path, SWEEP + RULE, ["model.depth=8"]).points) == 2


def test_references_are_read(tmp_path: Path) -> None:
    when = "{when: {model.depth: 8}, metric: test_error"
    more = f"references: [{when}, value: 0.07, statistic: mean, sd: 1e-3, runs: 5, source: A}}]"
    (reference,) = load(tmp_path, more).published.references
    assert (reference.value, reference.sd, reference.verified, reference.note) == (
        0.07,
        0.001,
        "memory",
        None,
    )


CLAIM = "{say: é, lower: {model.depth: 8}, higher: {%s: 14}, metric: test_error, source: ours}"


def test_claims_of_one_s_own_stand_behind_those_of_the_paper(tmp_path: Path) -> None:
    (claim,) = load(tmp_path, f"claims: [{CLAIM % 'model.depth'}]").published.claims
    assert (claim.say, claim.higher, claim.verified) == ("é", {"model.depth": 14}, "memory")
    paper = load(tmp_path, "references: he2015_cifar10").published
    both = load(tmp_path, f"references: he2015_cifar10\nclaims: [{CLAIM % 'model.depth'}]").published
    assert (both.claims, both.own, paper.own) == ((*paper.claims, claim), 1, 0)
    assert both.references == paper.references
    with pytest.raises(ConfigError, match=r"x.yaml:\d+: model.deep: is not a known key"):
        load(tmp_path, f"claims: [{CLAIM % 'model.deep'}]")


def test_references_by_name_are_a_papers(tmp_path: Path) -> None:
    paper = load(tmp_path, "references: he2015_cifar10").published
    assert paper == published.read_published("he2015_cifar10")
    assert paper.claims
    with pytest.raises(ConfigError, match=r"x.yaml:5: references: .* did you mean he2015_cifar10?"):
        load(tmp_path, "references: he2015_cifar")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        (".5e3", 500.0),
        ("1.", 1.0),
        ("+1_0", "+1_0"),
        ("no", "no"),
        ("ON", "ON"),
        ("True", True),
        ("12:30:45", "12:30:45"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("2026-07-01", "2026-07-01"),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ("!!str 3", "3"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    document = yaml_text.parse(f"a: {text}", "x")
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


def test_settings_survive_json(tmp_path: Path) -> None:
    probes = "probes: [gradient_norms]\n"
    more = probes + "sweep: {training.optimizer: [sgd, adamw], training.schedule: [step, cosine]}"
    for point in load(tmp_path, more).points:
        data = json.loads(json.dumps(point.settings.model_dump(mode="json"), allow_nan=False))
        assert parse_settings(data) == point.settings
        assert data["probes"][0]["at"] == [0.0, 0.01, 0.1, 0.5, 1.0]


def test_settings_from_damaged_json_are_refused(tmp_path: Path) -> None:
    data = load(tmp_path).points[0].settings.model_dump(mode="json")
    data["model"]["depth"] = "8"
    with pytest.raises(ConfigError, match=r"settings: model.depth: '8' is not a whole number"):
        parse_settings(data)


def test_what_is_loaded_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path).points[0].settings
    with pytest.raises(ValueError, match="frozen"):
        settings.model.depth = 20  # type: ignore[misc]


def test_the_schema_knows_every_part_and_option() -> None:
    schema = json_schema()
    json.dumps(schema, allow_nan=False)
    for role, base in ROLE_CONFIGS.items():
        for kind, model in models(role).items():
            described = schema["$defs"][model.__name__]["properties"]
            assert described["kind"]["const"] == kind
            assert described.keys() == {*base.model_fields, *scan.parts(role)[kind].options}
    short, long = schema["properties"]["data"]["anyOf"]
    assert "synthetic" in short["enum"]
    assert long["discriminator"]["propertyName"] == "kind"
    assert "model.connection.shortcut" in schema["properties"]["sweep"]["anyOf"][0]["propertyNames"]["enum"]


def test_a_thousand_points_load_in_a_moment(tmp_path: Path, turn: float) -> None:
    more = (
        RULE
        + f"sweep: {{seed: {list(range(250))}, model.depth: [8, 14], model.connection: [plain, residual]}}"
    )
    load(tmp_path)  # the parts' models are made once
    start = time.process_time()
    experiment = load(tmp_path, more)
    assert len(experiment.points) == 1000
    assert time.process_time() - start < 100 * turn  # of which 4 to 7 are used


TIERS = """
sweep: {model.depth: [8, 14], seed: [0, 1, 2], training.optimizer.lr: [0.1, 0.2]}
overrides: [{when: {model.depth: 14}, set: {training.batch_size: 64}}]
tiers:
  quick:
    set: {training.epochs: 1, model: {kind: mlp, depth: 3, width: 8}}
    sweep: {model.depth: [3], seed: null, training.optimizer.lr: [], model.norm: [none, batch]}
  tiny: {set: {training.epochs: 3}}
"""


def test_the_file_is_the_full_tier(tmp_path: Path) -> None:
    experiment = load(tmp_path, TIERS)
    assert (experiment.name, experiment.tier, len(experiment.points)) == ("small", "full", 12)
    assert {p.settings.training.epochs for p in experiment.points} == {2}


def test_a_tier_sets_the_base_and_replaces_adds_and_drops_axes(tmp_path: Path) -> None:
    load(tmp_path, TIERS)
    experiment = load_file(tmp_path / "x.yaml", tier="quick")
    assert (experiment.name, experiment.tier) == ("small-quick", "quick")
    assert [p.axes for p in experiment.points] == [
        {"model.depth": 3, "model.norm": "none"},
        {"model.depth": 3, "model.norm": "batch"},
    ]
    settings = experiment.points[0].settings
    assert (settings.training.epochs, settings.model.kind, settings.seed) == (1, "mlp", 0)
    tiny = load_file(tmp_path / "x.yaml", ["seed=5", "name=mine"], tier="tiny")
    assert (tiny.name, len(tiny.points)) == ("mine-tiny", 4)
    assert {(p.settings.training.epochs, p.settings.seed) for p in tiny.points} == {(3, 5)}


def test_why_and_what_to_expect_are_told_by_tier_and_change_no_trial(tmp_path: Path) -> None:
    said = "why: because\nexpect: {quick: 1 minute, full: 9 days}\n"
    plain = load(tmp_path, TIERS)
    experiment = load(tmp_path, said + TIERS)
    assert (experiment.why, experiment.expect) == ("because", "9 days")
    assert [p.settings for p in experiment.points] == [p.settings for p in plain.points]
    assert load_file(tmp_path / "x.yaml", tier="quick").expect == "1 minute"
    assert load_file(tmp_path / "x.yaml", tier="tiny").expect == ""


def test_a_tiers_sweep_replaces_a_list_of_grids_whole(tmp_path: Path) -> None:
    more = "sweep: [{seed: [1, 2]}, {model.depth: [14]}]\ntiers: {quick: {sweep: {seed: [7]}}}\n"
    load(tmp_path, more)
    assert axes(load_file(tmp_path / "x.yaml", tier="quick")) == [(7,)]


def test_an_unknown_tier_suggests_one(tmp_path: Path) -> None:
    load(tmp_path, TIERS)
    with pytest.raises(
        ConfigError, match=r"command line: --tier: there is no tier 'quik'; did you mean quick?"
    ):
        load_file(tmp_path / "x.yaml", tier="quik")


def test_the_schema_knows_what_tiers_and_references_may_say() -> None:
    schema = json_schema()
    assert "seed" in schema["$defs"]["TierText"]["properties"]["set"]["propertyNames"]["enum"]
    assert "he2015_cifar10" in schema["properties"]["references"]["anyOf"][1]["enum"]


TUNE = """
tune: {training.optimizer.lr: [0.1, 0.3]}
tiers:
  quick: {sweep: {seed: []}, tune: {training.optimizer.lr: [0.5]}}
  sure: {tune: {training.optimizer.lr: null}}
"""
KEPT = ["data.validation_size=9"]


def test_what_is_tuned_is_an_axis_of_every_grid(tmp_path: Path) -> None:
    tune = TUNE.partition("tiers:")[0]
    experiment = load(tmp_path, tune + "sweep: [{seed: [0, 1]}, {model.depth: [14]}]", KEPT)
    assert experiment.tuned == ("training.optimizer.lr",)
    assert lrs(experiment) == [0.1, 0.3] * 3
    assert [point.axes["training.optimizer.lr"] for point in experiment.points] == [0.1, 0.3] * 3
    assert lrs(load_file(tmp_path / "x.yaml", [*KEPT, "training.optimizer.lr=0.2"])) == [0.2] * 3


def test_a_tier_may_tune_otherwise(tmp_path: Path) -> None:
    load(tmp_path, TUNE + "sweep: {seed: [0, 1]}", KEPT)
    quick, sure = (load_file(tmp_path / "x.yaml", KEPT, tier=tier) for tier in ("quick", "sure"))
    assert (quick.tuned, lrs(quick)) == (("training.optimizer.lr",), [0.5])
    assert (sure.tuned, len(sure.points)) == ((), 2)
