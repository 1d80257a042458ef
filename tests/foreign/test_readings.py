"""How the numbers of a table are read: their unit, the examples behind them, and the names of variants."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tables import refusals, written

import resexp
from resexp.foreign.units import Unit
from resexp.report import frames
from resexp.report.build import Report
from resexp.report.render import csv, html, terminal


def test_the_number_of_examples_counts_without_the_chance_error(tmp_path: Path) -> None:
    """One mistake in fifty decides nothing, whether or not the error of always one class is known."""
    runs = "".join(f"{name},20,{seed},{error}\n" for name, error in (("a", 0), ("b", 2)) for seed in range(3))
    path = written(tmp_path, "variant,depth,seed,test_error\n" + runs)

    def row(report: Report) -> tuple[str, float]:
        comparisons = report.table("comparisons")
        assert comparisons is not None
        return comparisons.rows[0]["verdict"], comparisons.rows[0]["high"]

    counted = resexp.judge(path, test_examples=50)
    assert row(counted)[0] == "undecided"
    assert row(counted) == row(resexp.judge(path, test_examples=50, chance=0.9))
    assert "_given" not in csv.render(counted)
    assert not any("--test-examples" in note for note in counted.notes)
    assert any("--test-examples" in note for note in resexp.judge(path).notes)


def test_a_table_of_masks_has_an_empty_column_of_chance_errors(tmp_path: Path) -> None:
    """Errors are then shares of pixels, and the number of pictures tells nothing about them."""
    runs = "".join(f"a,20,{seed},0,50,\n" for seed in range(3))
    path = written(tmp_path, "variant,depth,seed,test_error,test_examples,test_chance\n" + runs)
    for told, known in (({}, None), ({"test_examples": 60}, 60)):
        report = resexp.judge(path, unit="percent", **told)
        assert frames.examples(report.records.trials, "test") == known
        assert any("--test-examples" in note for note in report.notes) == (known is None)


def test_a_number_of_examples_that_the_user_gave_counts_on_every_data_set(tmp_path: Path) -> None:
    """Also where only the table's other data set has the error of always one class."""
    cells = [("easy", "a", 0, 0.9), ("easy", "b", 2, 0.9), ("hard", "c", 0, ""), ("hard", "d", 2, "")]
    runs = "".join(
        f"{data},{name},20,{seed},{error},{chance}\n"
        for data, name, error, chance in cells
        for seed in range(3)
    )
    path = written(tmp_path, "data,variant,depth,seed,test_error,test_chance\n" + runs)
    table = resexp.judge(path, unit="percent", test_examples=50).table("comparisons")
    assert table is not None
    found = {row["variant"]: (row["verdict"], row["high"]) for row in table.rows}
    assert found["b, easy"] == found["d, hard"]
    assert found["d, hard"][0] == "undecided"


def test_a_foreign_skip_is_not_said_to_be_concatenation(tmp_path: Path) -> None:
    """In the literature a skip adds, and nobody told resexp what this one does."""
    runs = "".join(
        f"{name},{depth},{seed},{error + seed / 10},{error + seed / 10}\n"
        for name, error in (("skip", 5), ("no skip", 9))
        for depth in (20, 56)
        for seed in range(3)
    )
    report = resexp.judge(written(tmp_path, "variant,depth,seed,train_error,test_error\n" + runs))
    assert {"skip", "no skip"} <= {sentence.subject for sentence in report.sentences}
    drawn = "".join(drawing.svg for drawing in report.drawings)
    for text in (terminal.render(report, 400), html.render(report), drawn):
        assert "skip" in text
        assert "concatenation" not in text
    data = "variant,depth,seed,train_error,dataset\nskip,2,0,9,mnist\nskip,4,0,9,mnist\n"
    setup = resexp.judge(written(tmp_path, data)).setup
    assert setup.rows
    assert not any("skip" in name for name, _ in setup.rows)


@pytest.mark.parametrize(
    ("header", "numbers", "unit", "told"),
    [
        ("test_error", (0.31, 0.42), None, "0.42 for 42\u00a0%. If they are in percent, say --unit percent."),
        ("test_error", (0.31, 0.42), "share", ""),
        ("test_error", (0.31, 0.42), "percent", ""),
        ("test_error", (0.31, 42), "percent", ""),
        ("test_error", (0, 0), None, ""),
        ("test_accuracy", (0.91, 0.92), None, ""),
        ("test_accuracy,train_error", ("0.91,0.5", "0.92,0.6"), None, "0.6 for 60\u00a0%."),
    ],
)
def test_errors_are_never_silently_taken_for_shares(
    header: str, numbers: tuple[float | str, ...], unit: Unit | None, told: str, tmp_path: Path
) -> None:
    runs = "".join(f"a,2,{seed},{number}\n" for seed, number in enumerate(numbers))
    path = written(tmp_path, f"variant,depth,seed,{header}\n{runs}")
    notes = resexp.judge(path, unit=unit).notes
    assert any("were taken for shares" in note for note in notes) == bool(told)
    assert told in notes[0]
    frame = resexp.judge(pd.read_csv(path), unit=unit).notes
    assert ('unit="share" confirms it' in frame[0]) == bool(told)


def test_settings_that_differ_in_every_run_are_told_and_results_are_not(tmp_path: Path) -> None:
    header = "variant,depth,seed,test_error,params.learning_rate,val_loss,metrics.best,run_number,Verlust\n"
    runs = "".join(
        f"{name},{depth},{seed},9,{0.1 - count / 1000},{seed % 2},{seed % 2},{count},{seed % 2}\n"
        for count, (name, depth, seed) in enumerate((n, d, s) for n in "ab" for d in (2, 4) for s in range(3))
    )
    said = " ".join(one.text for one in resexp.judge(written(tmp_path, header + runs)).sentences)
    assert "Runs of one variant and depth differ in params.learning_rate and Verlust." in said
    assert "If such a column is a setting and not a result, name it with one more --variant." in said


def test_the_baseline_of_foreign_runs_is_the_first_in_their_table(tmp_path: Path) -> None:
    runs = "".join(f"{name},2,{seed},{9 + seed}\n" for name in "xa" for seed in range(3))
    comparisons = resexp.judge(written(tmp_path, f"variant,depth,seed,test_error\n{runs}")).table(
        "comparisons"
    )
    assert comparisons is not None
    assert "x, the first variant in the table of runs" in comparisons.caption
    assert "in the plan" not in comparisons.caption


def test_a_table_by_resexp_says_that_test_rows_were_drawn_anew(tmp_path: Path) -> None:
    """Intervals of such runs are wider, here and in the report that the table comes from."""

    def width(name: str, *cells: str) -> float:
        runs = "".join(
            f"a,{d},{s},{d + s},{c}\n" for d in (2, 8) for s, c in zip(range(3), cells, strict=True)
        )
        path = written(tmp_path, f"variant,depth,seed,train_error,{name}\n{runs}")
        row = resexp.judge(path, unit="percent").tables[0].rows[-1]
        return float(row["gap_high"] - row["gap_low"])

    plain = width("other", "0.3", "0.3", "0.3")
    assert width("redrawn", "", "", "") == width("redrawn", "yes", "yes", "yes") == plain
    # s^2 (1 / n + overlap) in place of s^2 / n, where 70 of 30 rows overlap
    assert width("redrawn", "0.3", "0.3", "0.3") == pytest.approx(plain * (1 + 3 * 0.7 / 0.3) ** 0.5)


@pytest.mark.parametrize(
    "name",
    ["epoch", "trainer/global_step", "globalStep", "iter", "ep", "train_step", "epoch_num", "Iteration"],
)
def test_the_steps_of_one_run_are_not_taken_for_seeds(name: str, tmp_path: Path) -> None:
    """A log has a row for each of several steps of a run, and its rows are no independent runs."""
    runs = "".join(f"{net},2,{step},{9 - step}\n" for net in "ab" for step in (1, 2, 3))
    found = refusals(written(tmp_path, f"variant,depth,{name},test_error\n{runs}"))
    assert len(found) == 4
    told = f"runs.csv:3: is another row of 'a' at depth 2: {name!r} is 2 here and 1 in runs.csv:2"
    assert found[0].startswith(told)
    assert found[0].endswith("give one row for each run, that of its last epoch, or a column of seeds")


@pytest.mark.parametrize("name", ["run_id", "ID"])
def test_the_rows_of_one_run_are_not_taken_for_seeds(name: str, tmp_path: Path) -> None:
    """A log without a column of steps still has the run's id in each of its rows."""
    runs = "".join(f"{net},2,{net}{n % 2},{9 - n / 10}\n" for net in "ab" for n in range(6))
    found = refusals(written(tmp_path, f"variant,depth,{name},test_error\n{runs}"))
    assert len(found) == 8
    assert found[0].startswith(f"runs.csv:4: {name}: 'a0' is in runs.csv:2 too, so both rows are of one run")
    named = written(tmp_path, f"variant,depth,run_name,test_error\n{runs}")  # a name is shared by seeds
    assert resexp.judge(named).records.trials["seed"].tolist() == [0, 1, 2, 3, 4, 5] * 2


@pytest.mark.parametrize(
    ("moments", "told"),
    [
        ({"a": 160, "b": 20}, "Runs were measured at different times of training, by NAME, and a difference"),
        ({"a": 160, ("b", 4): 5, "b": 160}, "Runs were measured at different times of training, by NAME"),
        ({"a": 160, "b": "160.0"}, ""),
        ({"a": 160, "b": ""}, ""),
    ],
)
@pytest.mark.parametrize("name", ["epoch", "_step", "summary.global_step"])
def test_runs_of_different_length_are_told(
    moments: dict[object, object], told: str, name: str, tmp_path: Path
) -> None:
    text = f"variant,depth,seed,{name},state,train_error\n" + "".join(
        f"{net},{depth},{seed},{moments.get((net, depth), moments[net])},finished,{depth + seed / 10}\n"
        for net in "ab"
        for depth in (2, 4)
        for seed in range(3)
    )
    crashed = f"a,2,9,{1},crashed,\n"  # it has no error that could be compared
    said = " ".join(one.text for one in resexp.judge(written(tmp_path, text + crashed)).sentences)
    assert told.replace("NAME", name) in said
    assert told or "different times" not in said


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("epoch", (200, 200, 200)),  # the last one of every run
        ("epoch", (200, 200, "")),
        ("best_epoch", (180, 190, 170)),
        ("loss_epoch", (0.1, 0.2, 0.3)),
        ("step_seconds", (0.1, 0.2, 0.3)),
        ("steps", (100, 200, 300)),
    ],
)
def test_a_row_for_each_run_is_judged_without_seeds(
    name: str, values: tuple[float | str, ...], tmp_path: Path
) -> None:
    runs = "".join(f"a,2,{value},{9 - count}\n" for count, value in enumerate(values))
    trials = resexp.judge(written(tmp_path, f"variant,depth,{name},test_error\n{runs}")).records.trials
    assert trials["seed"].tolist() == [0, 1, 2]


def test_a_crashed_run_may_have_ended_at_an_earlier_step(tmp_path: Path) -> None:
    runs = "a,2,200,9,finished\na,2,13,,crashed\na,2,200,8,finished\n"
    trials = resexp.judge(written(tmp_path, f"variant,depth,epoch,test_error,state\n{runs}")).records.trials
    assert trials["seed"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ((0.12, 11.9, 12.1), "runs.csv:2: test error (%): 0.12 may be a share, because the median of 'a' at"),
        ((12.3, 0.12, 12.1), "depth 2 is 12.1; say --unit percent or --unit share if all are in that unit"),
        ((0.4, 0.5, 0.3), ""),  # good networks beside a variant that is not
        ((0.0, 11.9, 12.1), ""),
        ((0.9, 11.9, 12.1), ""),
    ],
)
def test_a_share_among_percents_of_its_variant_and_depth_is_refused(
    own: tuple[float, ...], told: str, tmp_path: Path
) -> None:
    cells = {"a": own, "b": (8.2, 8.0, 8.1)}
    runs = "".join(f"{net},2,{seed},{n}\n" for net, all in cells.items() for seed, n in enumerate(all))
    path = written(tmp_path, f"variant,depth,seed,test error (%)\n{runs}")
    if told:
        (found,) = refusals(path)
        assert told in found
    errors = resexp.judge(path, unit="percent" if told else None).records.trials["test_error"]
    assert errors.tolist()[:3] == pytest.approx([number / 100 for number in own])
