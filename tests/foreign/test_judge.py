"""Runs that resexp did not train get its verdicts, and nothing is said that a table cannot show."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tables import GOOD, refusals, written

import resexp
from resexp.cli.app import main
from resexp.report import frames
from resexp.report.build import Report, build
from resexp.report.render import html, latex, markdown, terminal
from resexp.report.render import json as as_json
from resexp.report.tables.cost import MEDIANS
from resexp.store import Records
from resexp.store.records import METRIC_COLUMNS, PROBE_COLUMNS

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "results/gallery/depth_sweep/trials.csv"
EXAMPLES = sorted(path for path in (ROOT / "examples/judge").iterdir() if path.suffix != ".md")


def said(report: Report) -> str:
    return " ".join(sentence.text for sentence in report.sentences)


def column(report: Report, role: str) -> str:
    return dict(report.environment)[role]


def test_the_verdicts_are_those_of_a_report_on_the_same_numbers() -> None:
    """The trials of a published report, judged as if somebody else had trained them."""
    trials = pd.read_csv(GALLERY).drop(columns=[*MEDIANS, "activation_bytes"])
    empty = [pd.DataFrame(columns=["id", *names]) for names in (METRIC_COLUMNS, PROBE_COLUMNS)]
    ours = as_json.document(build(Records("trials", trials, *empty, {}, {}, [])))
    judged = as_json.document(resexp.judge(GALLERY))
    assert {"degradation", "accuracy", "comparisons", "pareto", "cost"} == {*ours["tables"]}
    assert judged["tables"] == ours["tables"]
    for sentence in ours["sentences"]:  # what skip means is known of our own trials only
        sentence["text"] = sentence["text"].replace("skip (concatenation)", "skip")
    assert judged["sentences"] == ours["sentences"]
    assert {sentence["badge"] for sentence in judged["sentences"]} >= {"degrades", "higher", "depth hurts"}


def test_a_table_in_percent_is_judged(tmp_path: Path) -> None:
    report = resexp.judge(written(tmp_path, GOOD), chance=0.9, train_examples=45_000, test_examples=10_000)
    assert report.experiment == "runs"
    badges = {s.subject: s.badge for s in report.sentences}
    assert badges == {"plain": "degrades", "residual": "does not degrade by 1 point"}
    degradation = report.table("degradation")
    assert degradation is not None
    deepest = next(row for row in degradation.rows if row["variant"] == "plain" and row["depth"] == 56)
    assert deepest["train_error_mean"] == pytest.approx(0.054)
    assert deepest["gap"] == pytest.approx(0.042)
    assert not report.records.unjudged


def test_where_the_runs_are_from_is_said_everywhere(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    report = resexp.judge(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "The runs are the rows of runs.csv" in report.status
    assert "how they were trained was not checked" in report.status  # resexp itself may have trained them
    assert digest[:12] in report.status
    assert column(report, "SHA-256") == digest
    assert column(report, "variant") == "column 'variant', guessed"
    assert column(report, "test error") == (
        "column 'test_error', guessed, error in percent (9.7 is an error of 9.7 %)"
    )
    for text in (
        terminal.render(report, 400),
        html.render(report),
        markdown.render(report),
        latex.render(report),
    ):
        assert "Taken from" in text
        assert "Measured with" not in text
        assert digest[:12] in text
    captions = " ".join(table.caption for table in report.tables)
    for protocol in ("last epoch", "eval mode", "augmentation", "this machine", "measured on the model"):
        assert protocol not in captions
    assert "as given in the table of runs" in captions


def test_an_export_of_weights_and_biases(tmp_path: Path) -> None:
    text = (
        "Name,State,Runtime,config.connection,config.depth,config.seed,config.lr,summary.test_acc\n"
        "brisk-sun-1,finished,61,plain,20.0,1,0.1,0.902\n"
        "mild-fog-2,finished,62,plain,20.0,2,0.1,0.904\n"
        "kind-elm-3,finished,62,plain,20.0,3,0.1,0.903\n"
        "calm-oak-4,crashed,9,plain,20.0,4,0.1,0.1\n"
        "pink-ice-5,killed,9,plain,20.0,5,0.1,\n"
        "slow-sky-6,running,9,plain,20.0,6,0.1,0.5\n"
    )
    report = resexp.judge(written(tmp_path, text))
    trials = report.records.trials.set_index("seed")
    assert trials["status"].tolist() == ["done"] * 3 + ["failed"] * 2 + ["running"]
    assert trials.loc[4, "cause"] == "State: crashed"
    assert trials["test_error"].isna().tolist() == [False] * 3 + [True] * 3
    assert trials.loc[1, "test_error"] == pytest.approx(0.098)
    assert trials.loc[1, "name"] == "brisk-sun-1"
    assert "accuracy as a share of 1 (0.902 is an error of 9.8 %)" in column(report, "test error")
    failures = report.table("failures")
    assert failures is not None
    assert [row["id"] for row in failures.rows] == ["runs.csv:5", "runs.csv:6"]
    assert any(note.startswith("1 trial is not finished") for note in report.notes)
    assert not any("tried again" in note for note in report.notes)


def test_an_export_of_mlflow() -> None:
    frame = pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "status": ["FINISHED", "FINISHED", "FAILED"],
            "params.model": ["residual"] * 3,
            "params.num_layers": ["20", "20", "20"],
            "params.random_seed": ["0", "1", "2"],
            "metrics.test_error": [8.5, 8.7, None],
            "tags.mlflow.user": ["x"] * 3,
        }
    )
    report = resexp.judge(frame, name="ours")
    assert report.experiment == "ours"
    assert [column(report, role) for role in ("variant", "depth", "seed", "test error")] == [
        "column 'params.model', guessed",
        "column 'params.num_layers', guessed",
        "column 'params.random_seed', guessed",
        "column 'metrics.test_error', guessed, error in percent (8.5 is an error of 8.5 %)",
    ]
    assert report.records.trials["status"].tolist() == ["done", "done", "failed"]


def test_nested_results_as_a_script_gets_them() -> None:
    rows = [
        {"config": {"arch": "a", "depth": 2, "seed": n}, "summary": {"test/acc": 90 + n}} for n in range(3)
    ]
    found = resexp.judge(pd.DataFrame(rows)).records.trials
    assert found["test_error"].tolist() == pytest.approx([0.10, 0.09, 0.08])
    assert found["depth"].tolist() == [2, 2, 2]


def test_columns_that_are_named(tmp_path: Path) -> None:
    text = "net,lr,size,s,top1,all\nplain,0.1,20,0,91,{'k': 1}\nplain,0.1,20,1,92,\nplain,0.01,20,0,93,\n"
    path = written(tmp_path, text)
    report = resexp.judge(path, variant=["net", "lr"], depth="size", seed="s", test_accuracy="top1")
    assert dict(report.records.trials["variant"].value_counts()) == {"plain, lr=0.1": 2, "plain, lr=0.01": 1}
    assert column(report, "variant") == "columns 'net' and 'lr'"
    assert column(report, "depth") == "column 'size'"


def test_variants_without_a_common_depth_are_not_compared_and_that_is_said(tmp_path: Path) -> None:
    lacking = "No two variants have a depth in common, so no connections are compared."
    text = "variant,depth,test_error\nplain,20,8.75\nresidual,56,6.97\n"
    assert lacking in said(resexp.judge(written(tmp_path, text)))
    assert lacking not in said(resexp.judge(written(tmp_path, f"{text}residual,20,8.1\n")))


def test_what_cannot_be_said_is_left_out_by_name(tmp_path: Path) -> None:
    text = "variant,depth,test_error\nresidual,20,8.75\n"
    report = resexp.judge(written(tmp_path, text))
    assert [sentence.badge for sentence in report.sentences] == ["not judged"] * len(report.sentences)
    for missing in (
        "There is no train error, so degradation",
        "No variant has two depths",
        "There is one variant",
        "Each variant and depth has one run",
    ):
        assert missing in said(report)
    assert report.table("degradation") is None
    assert report.table("cost") is None
    only_train = resexp.judge(written(tmp_path, text.replace("test_error", "train_error")))
    assert "There is no test error, so accuracy and differences in test error are not judged." in said(
        only_train
    )
    assert (
        "not recognised. To recognise them, give the error of always answering the most frequent class "
        "(--chance 0.9" in said(only_train)
    )
    assert only_train.table("accuracy") is None


def test_a_number_that_is_missing_is_a_dash_and_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("plain,56,0,5.2", "plain,56,0,").replace("plain,56,1,5.6", "plain,56,1,")
    report = resexp.judge(written(tmp_path, text.replace("plain,56,2,5.4", "plain,56,2,")))
    assert "The table has no train error for plain at depth 56." in report.notes
    degradation = report.table("degradation")
    assert degradation is not None
    cells = {(row[0], row[1]): row for row in degradation.cells()}
    assert cells["plain", "56"][3:] == ["–", "–", "–"]


def test_costs_are_shown_where_they_are_numbers(tmp_path: Path) -> None:
    text = "variant,depth,seed,params,macs,test_error\na,20,0,269722,0.04G,8.7\n"
    report = resexp.judge(written(tmp_path, text))
    cost = report.table("cost")
    assert cost is not None
    assert (cost.rows[0]["params"], cost.rows[0]["macs"]) == (269722, None)
    assert "Columns that are not used: macs." in report.notes
    assert "write a number" in refusals(written(tmp_path, text), {"macs": ["macs"]})[0]


def test_runs_without_seeds_are_counted_and_told(tmp_path: Path) -> None:
    text = "\n".join(
        line.replace(",0,", ",", 1) for line in ["variant,depth,test_error", "a,2,9", "a,2,8", "a,2,7"]
    )
    report = resexp.judge(written(tmp_path, text))
    assert report.records.trials["seed"].tolist() == [0, 1, 2]
    assert any(note.startswith("No column has the seeds") for note in report.notes)


def test_what_is_known_of_the_setup_is_told_without_gaps(tmp_path: Path) -> None:
    runs = "".join(f"plain,{depth},{seed},mnist,{depth + seed}\n" for depth in (2, 4) for seed in (0, 1))
    report = resexp.judge(written(tmp_path, "variant,depth,seed,data,train_error\n" + runs))
    assert report.setup.brief == "depth 2 and 4; mnist; seeds 0 and 1"
    assert dict(report.setup.rows)["Network"] == "depth 2 and 4"


def test_errors_that_are_alike_and_settings_that_are_mixed_are_told(tmp_path: Path) -> None:
    text = "variant,depth,seed,lr,run.date,train_error,test_error\n" + "".join(
        f"{name},{depth},{seed},{lr},{lr > 0.05},0,{9 + depth / 10}\n"
        for name in "ab"
        for depth in (2, 4)
        for seed, lr in enumerate((0.1, 0.1, 0.01))
    )
    report = resexp.judge(written(tmp_path, text))
    notes = " ".join(report.notes)
    assert (
        "All runs of a at depth 2, a at depth 4, b at depth 2 and b at depth 4 have the same test error."
        in notes
    )
    assert "has a train error above 0. Unless --train-examples gives the number of examples" in notes
    assert "Runs of one variant and depth differ in lr." in said(report)
    counted = resexp.judge(written(tmp_path, text), train_examples=1000)
    assert not any("--train-examples" in note for note in counted.notes)


@pytest.mark.parametrize(("other", "told"), [(0, True), (1, False)])
def test_runs_that_stand_in_a_table_under_two_names_are_told(other: int, told: bool, tmp_path: Path) -> None:
    rows = [
        f"{name},{depth},{seed},{depth + seed},{9 + seed + (name == 'ours') * other * seed}"
        for name in ("residual", "ours")
        for depth in (2, 4)
        for seed in range(3)
    ]
    text = "variant,depth,seed,train_error,test_error\n" + "\n".join(rows) + "\n"
    notes = " ".join(resexp.judge(written(tmp_path, text)).notes)
    same = "residual at depth 2 and ours at depth 2 have the same errors. If their runs are the same, nothing"
    assert (same in notes) == told
    assert ("have the same errors" in notes) == told


@pytest.mark.parametrize(
    ("lr", "told"),
    [
        ({"a": 0.1, "b": 0.1}, ""),
        ({2: 0.1, 4: 0.01}, "depths also differ in lr, and a difference between them may come from that"),
        ({"a": 0.1, "b": 0.01}, "variants also differ in lr, and a difference between them may come from"),
        # One run with another rate does not hide what the others differ in.
        ({2: 0.1, 4: 0.01, ("a", 4, 2): 0.2}, "depths also differ in lr, and a difference between them may"),
    ],
)
@pytest.mark.parametrize("setting", ["lr", "epochs"])
def test_settings_that_differ_with_what_is_compared_are_told(
    lr: dict[object, float], told: str, setting: str, tmp_path: Path
) -> None:
    told = told.replace(" lr", f" {setting}")
    text = f"variant,depth,seed,{setting},params,train_error\n" + "".join(
        f"{name},{depth},{seed},{lr.get((name, depth, seed), lr.get(name, lr.get(depth)))},{100 * depth},"
        f"{9 + depth + seed / 10}\n"
        for name in "ab"
        for depth in (2, 4)
        for seed in (0, 1, 2)
    )
    found = said(resexp.judge(written(tmp_path, text)))
    assert (told in found) if told else ("also differ" not in found)


def test_settings_that_differ_between_data_sets_alone_are_no_difference(tmp_path: Path) -> None:
    text = "variant,depth,seed,dataset,lr,test_error\n" + "".join(
        f"{v},2,{s},{d},{lr},{9 + s / 10}\n" for v in "ab" for d, lr in (("x", 1), ("y", 2)) for s in range(3)
    )
    assert "also differ" not in said(resexp.judge(written(tmp_path, text)))


def test_what_is_given_for_several_data_sets_at_once_is_told(tmp_path: Path) -> None:
    text = "variant,depth,seed,dataset,train_error\n" + "".join(
        f"a,{depth},{s},{d},{9 + s / 10}\n" for depth in (2, 4) for d in "xy" for s in range(3)
    )
    notes = " ".join(resexp.judge(written(tmp_path, text), chance=0.9, train_examples=100).notes)
    assert (
        "--chance 0.9 and --train-examples 100 are taken to hold for all data sets of the table: x and y."
        in notes
    )
    assert "data sets" not in " ".join(resexp.judge(written(tmp_path, text)).notes)
    assert "data sets" not in " ".join(resexp.judge(written(tmp_path, GOOD), chance=0.9).notes)


def test_one_run_that_errs_more_than_chance_is_no_proof_of_a_wrong_option(tmp_path: Path) -> None:
    """Where classes are unequal, a network that always gives a rare one errs more."""
    rows = [
        {"model": "plain", "depth": depth, "seed": seed, "test_error": 0.1}
        for depth in (8, 20)
        for seed in (0, 1)
    ]
    rows[0]["test_error"] = 0.9
    (told,) = [note for note in resexp.judge(pd.DataFrame(rows), chance=0.5).notes if "an accuracy" in note]
    assert told.startswith("1 of 4 runs errs more than 50.0 %")
    assert "If that number is an accuracy, give the error" in told


def test_an_accuracy_in_the_place_of_the_error_of_chance_is_told(tmp_path: Path) -> None:
    """With 0.1 for ten classes, every network that errs more "did not train"."""
    path = written(tmp_path, GOOD)
    (told,) = [note for note in resexp.judge(path, chance=0.01).notes if "an accuracy" in note]
    assert "although --chance says that always answering the most frequent class errs as much" in told
    assert not [note for note in resexp.judge(path, chance=0.9).notes if "an accuracy" in note]


def test_a_start_that_tells_variants_apart_is_no_difference_beside_them(tmp_path: Path) -> None:
    def judged(init: dict[object, str]) -> str:
        rows = [
            f"{name},{depth},{seed},{init.get(name, init.get(depth))},{9 + depth + seed / 10}\n"
            for name in "ab"
            for depth in (2, 4)
            for seed in (0, 1, 2)
        ]
        return said(resexp.judge(written(tmp_path, "variant,depth,seed,init,train_error\n" + "".join(rows))))

    assert "also differ" not in judged({"a": "he", "b": "dirac"})
    assert "Runs of different depths also differ in init" in judged({2: "he", 4: "dirac"})


def test_data_sets_are_never_compared_with_each_other(tmp_path: Path) -> None:
    rows = ["variant,depth,seed,dataset,test_error"]
    rows += [
        f"{v},2,{s},{d},{e + s / 10}" for v, e in (("a", 9), ("b", 7)) for d in ("x", "y") for s in range(3)
    ]
    report = resexp.judge(written(tmp_path, "\n".join(rows)))
    found = report.records
    assert set(found.trials["variant"]) == {"a, x", "a, y", "b, x", "b, y"}
    assert len(list(frames.by_test_data(found, found.trials))) == 2
    comparisons = report.table("comparisons")
    assert comparisons is not None
    assert {row["variant"] for row in comparisons.rows} == {"b, x", "b, y"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_judged_and_drawn(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["resexp", "judge", str(example), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    assert {sentence["tone"] for sentence in report["sentences"]} == {"open"}, (
        "one run of each decides nothing"
    )
    assert list((tmp_path / "out/figures").glob("error_vs_depth.svg"))
    assert (tmp_path / "out/report.html").stat().st_size > 10_000


def test_examples_hold_published_numbers() -> None:
    """Those that the package's references have, too, are the same there."""
    from resexp.config import published

    frame = pd.read_csv(ROOT / "examples/judge/he2015_cifar10.csv")
    ours = dict(zip(frame["depth"], frame["test error (%)"], strict=True))
    known = {
        reference.when["model.depth"]: 100 * reference.value
        for reference in published.read_published("he2015_cifar10").references
        if reference.when["model.connection"] == "residual" and reference.statistic == "single"
    }
    assert {depth: ours[depth] for depth in known} == pytest.approx(known)


def test_the_command_never_loads_torch_and_writes_nothing_unasked(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    code = (
        "import sys\nfrom resexp.cli.app import main\n"
        "try:\n    main()\nfinally:\n    assert not {'torch', 'matplotlib'} & {*sys.modules}"
    )
    command = [sys.executable, "-c", code, "judge", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "plain degrades" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == [path]


def test_a_bad_table_writes_nothing_and_its_own_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("9.7", "9.7 %"), "trials.csv")
    for out, why in ((tmp_path / "out", "trials.csv:2: test_error"), (tmp_path, "lies in this folder")):
        monkeypatch.setattr(sys, "argv", ["resexp", "judge", str(path), "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert why in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == [path]


def test_without_training_errors_failed_seeds_are_found_by_their_test_errors() -> None:
    errors = {"residual": [9, 9.1, 9.2, 9.3, 9.1], "plain": [10, 90, 90, 90, 90]}
    table = pd.DataFrame(
        [
            {"variant": variant, "depth": 20, "seed": seed, "test_error": error}
            for variant, values in errors.items()
            for seed, error in enumerate(values)
        ]
    )
    known, unknown = (resexp.judge(table, chance=chance) for chance in (0.9, None))
    found = known.table("comparisons")
    assert found is not None
    assert [row["verdict"] for row in found.rows] == ["some seeds fail"]
    assert "or if its test error is more than half" in found.caption
    told = [sentence.text for sentence in unknown.sentences]
    assert any(text.startswith("Depths at which only some seeds trained are not recog") for text in told)
    assert not any("recognised" in sentence.text for sentence in known.sentences)
