"""A report says what was trained, in every format, and by which run."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from made_up import ENVIRONMENT, make_records, trial

from resexp.catalog.plugins import Plugin
from resexp.config.parse import parse_settings
from resexp.report import frames
from resexp.report.build import Report, build
from resexp.report.render import csv as csv_format
from resexp.report.render import html, latex, markdown, terminal
from resexp.report.render import json as json_format
from resexp.report.setup import Setup, setup
from resexp.store import Records

Make = Callable[..., Records]
RATES = {"plain": 0.05, "residual": 0.05, "skip": 0.2}


def settings(row: Mapping[str, Any], rate: float, **model: Any) -> dict[str, Any]:
    """Complete settings, as a plan holds them."""
    given = {
        "data": {"kind": "digits", "validation_size": 100},
        "model": {
            "kind": "resnet",
            "depth": row["depth"],
            "width": 8,
            "connection": row["connection"],
            **model,
        },
        "training": {
            "epochs": 7,
            "batch_size": 64,
            "optimizer": {"kind": "sgd", "lr": rate},
            "schedule": "one_cycle",
            "precision": "bfloat16",
        },
        "seed": row["seed"],
    }
    return parse_settings(given).model_dump(mode="json")


def rows() -> list[dict[str, Any]]:
    sizes = {"train_examples": 1337, "test_examples": 360}
    return [trial(kind, depth, seed, **sizes) for kind in RATES for depth in (8, 20) for seed in range(3)]


def setup_of(records: Records) -> Setup:
    """The setup alone, without the tables of a report."""
    return setup(frames.prepared(records))


@pytest.fixture(scope="module")
def trained() -> Report:
    """Three connections, of which one has its own learning rate and a growth that was matched."""
    found = rows()
    own = {row["id"]: settings(row, RATES[row["connection"]]) for row in found}
    for row in found:
        if row["connection"] == "skip":
            own[row["id"]]["model"] |= {"match": "params"}
            own[row["id"]]["model"]["connection"]["growth"] = 12 + row["depth"] // 8
    return build(make_records(found, settings=own))


@pytest.mark.parametrize("module", [html, json_format, latex, markdown, terminal])
def test_every_format_says_what_was_trained(trained: Report, module: ModuleType) -> None:
    written = {latex: latex.escape, markdown: markdown.escape}.get(module, str)
    text = " ".join(module.render(trained).replace("&#39;", "'").replace("\\allowbreak{}", "").split())
    for said in (
        *("digits", "examples: 1,337 to train, 100 to validate, 360 to test"),
        *("resnet", "width 8", "depth 8 and 20", "sgd (lr=0.05", "one_cycle", "7 epochs", "batches of 64"),
        *(
            "bfloat16",
            "0, 1 and 2",
            "h' = f(h)",
            "h' = S h + f(h)",
            "skip (concatenation)",
            "h' = [S h, f(h)]",
        ),
        "model.match: none for plain and residual, params for skip (concatenation)",
        "model.connection.growth: 13 to 14, by depth",
        "training.optimizer.lr: 0.05 for plain and residual, 0.2 for skip (concatenation)",
    ):
        assert written(said) in text, said


@pytest.mark.parametrize(("kind", "told"), [("resnet", "batches of 50,"), ("svbm", "each round on all")])
def test_a_batch_has_no_more_examples_than_there_are_to_train_on(kind: str, told: str, make: Make) -> None:
    """As training takes them. A model without batches has no optimiser either."""
    found = [trial("plain", 8, seed, train_examples=50) for seed in range(3)]
    own = {row["id"]: settings(row, 0.1) for row in found}
    for each in own.values():
        each["model"]["kind"] = kind
    training = dict(setup_of(make(found, settings=own)).rows)["Training"]
    assert told in training
    assert ("sgd" in training) == (kind == "resnet")


def test_a_data_set_is_named_once_while_some_trials_are_not_trained(make: Make) -> None:
    waiting = [trial("plain", 8, seed, status="pending", train_examples=None) for seed in range(3)]
    found = [*waiting, *(trial("residual", 8, seed, train_examples=50) for seed in range(3))]
    own = {row["id"]: settings(row, 0.1) for row in found}
    data = dict(setup_of(make(found, settings=own)).rows)["Data"]
    assert data.count("digits") == 1, data
    assert "50 to train" in data


def test_the_noise_of_a_start_is_told_of_the_start_that_has_it(make: Make) -> None:
    found = [trial("plain", 8, seed) for seed in range(3)]
    for start, told in (("he", False), ("dirac", True)):
        own = {row["id"]: settings(row, 0.1, init=start) for row in found}
        network = dict(setup_of(make(found, settings=own)).rows)["Network"]
        assert ("init_noise=0.1" in network) is told


def test_the_differences_are_those_between_variants(trained: Report) -> None:
    told = dict(trained.setup.rows)["Differs between variants"]
    assert [part.partition(":")[0] for part in told.split("; ")] == [
        "model.match",
        "training.optimizer.lr",
        "model.connection.growth",
    ]


def test_one_sentence_names_parts_without_their_options(trained: Report) -> None:
    brief = trained.setup.brief
    assert brief.startswith("resnet, width 8, depth 8 and 20; digits, examples: 1,337 to train")
    assert "sgd lr=0.05, one_cycle, 7 epochs" in brief
    assert brief.endswith("seeds 0, 1 and 2")


def test_csv_and_json_have_every_setting_that_is_not_its_default(trained: Report) -> None:
    table = list(csv.DictReader(io.StringIO(csv_format.render(trained))))
    assert {"training.optimizer.momentum", "model.norm"}.isdisjoint(table[0])  # nobody changed them
    document = json.loads(json_format.render(trained))
    for row, told in zip(table, document["trials"], strict=True):
        rate = RATES[row["connection"]]
        assert (row["training.optimizer.lr"], row["training.epochs"]) == (str(rate), "7")
        assert row["model.match"] == ("params" if row["connection"] == "skip" else "none")
        assert told["settings"]["training"]["optimizer"] == {"kind": "sgd", "lr": rate}
        assert ("match" in told["settings"]["model"]) == (row["connection"] == "skip")


def test_each_trial_names_the_run_that_trained_it(make: Make) -> None:
    found = rows()
    ids = [row["id"] for row in found]
    second = {**ENVIRONMENT, "date": "2026-02-03T00:00:00+00:00", "command": "resexp run more.yaml"}
    runs = [
        {"environment": ENVIRONMENT, "trials": ids[:5]},
        {"environment": second, "trials": ids[5:]},
    ]
    report = build(make(found, runs=runs))
    table = {row["id"]: row for row in csv.DictReader(io.StringIO(csv_format.render(report)))}
    places = {row["id"]: row["run"] for row in json.loads(json_format.render(report))["trials"]}
    for run in runs:
        for id in run["trials"]:
            assert table[id]["run.command"] == run["environment"]["command"]
            assert table[id]["run.date"] == run["environment"]["date"]
            assert runs[places[id]] == run


def test_the_equation_of_a_users_connection_is_read_and_its_file_never_run(
    make: Make, tmp_path: Path
) -> None:
    source = (
        b"from resexp.connections.base import Connection\nraise SystemExit('was run')\n\n"
        b'class Halved(Connection):\n    """h\' = h / 2 + f(h)\n\n    A plugin\'s."""\n'
    )
    plugin = Plugin(tmp_path / "halved.py", source)
    row = trial("plain", 8, 0)
    own = settings(row, 0.1)
    own["model"]["connection"] = {"kind": "halved"}
    records = make([row], settings={row["id"]: own}, plugins={row["id"]: (plugin,)})
    records = replace(records, trials=records.trials.assign(connection="halved", variant="halved"))
    report = build(records)
    assert dict(report.setup.rows)["Connection halved"].startswith("h' = h / 2 + f(h)")
    document = json.loads(json_format.render(report))
    assert document["trials"][0]["settings"]["model"]["connection"] == {"kind": "halved"}
    # If the copy is lost, the report still stands, with all settings.
    report = build(replace(records, plugins={}))
    assert not [name for name, _ in report.setup.rows if name.startswith("Connection")]
    document = json.loads(json_format.render(report))
    assert document["trials"][0]["settings"]["model"]["norm"] == "batch"


def test_runs_of_others_have_no_setup(make: Make) -> None:
    report = build(make([trial("plain", 8, 0)], settings={}, foreign=True))
    assert report.setup.rows == ()
    assert "Setup" not in terminal.render(report)


def test_equations_are_read_without_torch() -> None:
    code = (
        "import sys\nfrom resexp.report.known_parts import equation\n"
        "assert equation('residual') == \"h' = S h + f(h)\"\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sentence_names_a_trunk_once_however_many_starts_it_has(make: Make) -> None:
    found = [trial("plain", 8, seed) for seed in range(3)]
    own = {
        row["id"]: settings(row, 0.1, init=start)
        for row, start in zip(found, ("he", "orthogonal", "dirac"), strict=True)
    }
    told = setup_of(make(found, settings=own))
    assert told.brief.count("resnet") == 1
    assert "init=orthogonal" in dict(told.rows)["Network"]
    assert "pre_activation" not in dict(told.rows)["Network"]


def test_seeds_that_are_not_the_same_everywhere_are_told_by_place(make: Make) -> None:
    every = rows()
    assert dict(setup_of(make(every)).rows)["Seeds"] == "0, 1 and 2"
    few = [row for row in every if row["connection"] != "skip" or row["depth"] == 8 or row["seed"] == 0]
    shown = setup_of(make(few))
    told = dict(shown.rows)["Seeds"]
    assert told.startswith(
        "0, 1 and 2; not all of them everywhere: 0, 1 and 2 for plain at depth 8, plain at"
    )
    assert told.endswith("; 0 for skip (concatenation) at depth 20")
    assert shown.brief.endswith("seeds 0, 1 and 2, not all everywhere")


def test_what_differs_between_the_depths_of_one_variant_names_it(make: Make) -> None:
    found = rows()
    own = {row["id"]: settings(row, 0.1) for row in found}
    for row in found:
        if row["connection"] == "plain" and row["depth"] == 20:
            own[row["id"]]["training"]["epochs"] = 9
    told = dict(setup_of(make(found, settings=own)).rows)["Differs between depths"]
    assert told == "plain: training.epochs (7 at depth 8 and 9 at depth 20)"


def test_the_setup_says_how_nearly_budgets_are_matched(make: Make) -> None:
    def network(sizes: Mapping[str, int], matched: tuple[str, ...]) -> tuple[str, str]:
        found = [trial(kind, 8, seed, params=size) for kind, size in sizes.items() for seed in range(3)]
        own = {row["id"]: settings(row, 0.1) for row in found}
        for row in found:
            own[row["id"]]["model"]["match"] = "params" if row["connection"] in matched else "none"
        told = setup_of(make(found, settings=own))
        return dict(told.rows)["Network"], told.brief

    every = ("plain", "residual", "skip")
    told = "matched in parameters: 0.89 to 1.24 times those of the plain network"
    for text in network({"plain": 10_000, "residual": 8_900, "skip": 12_400}, every):
        assert told in text
    told = "matched in parameters: 8,900 to 12,400 at depth 8, a factor of 1.39"
    for text in network({"residual": 8_900, "skip": 12_400}, every):
        assert told in text
    row, brief = network({"plain": 10_000, "residual": 15_000, "skip": 10_200}, ("skip",))
    assert "skip (concatenation) matched in parameters: 1.02 times those of the plain network" in row
    assert "matched" not in brief  # because it is near
    assert "matched" not in network({"plain": 10_000, "residual": 15_000}, ())[0]


@pytest.mark.parametrize(
    ("match", "norm", "told"),
    [("params", "group", True), ("params", "batch", False), ("none", "group", False)],
)
def test_the_setup_says_that_matched_sizes_change_the_groups_of_a_norm(
    match: str, norm: str, told: bool, make: Make
) -> None:
    found = [trial(kind, 8, seed) for kind in ("plain", "skip") for seed in range(3)]
    own = {row["id"]: settings(row, 0.1) for row in found}
    for each in own.values():
        each["model"].update(match=match, norm=norm)
    assert ("Matched sizes" in dict(setup_of(make(found, settings=own)).rows)) is told
