"""What is wrong with a table is said with its line, its column and what would be right."""

from __future__ import annotations

import ast
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tables import GOOD, records, refusals, written

import resexp
from resexp.errors import Problem, TableError

HEADER = "variant,depth,seed,test_error"


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            changed("plain,20,1,", "plain,20,0,"),
            ["runs.csv:3: seed: 0 occurs twice", "runs.csv:2 has it too"],
        ),
        (
            changed("1.2,9.7", "1.2,9.7 %"),
            ["runs.csv:2: test_error: '9.7 %' is text", "write 9.7 in every row"],
        ),
        (changed("9.7\n", '"9,7"\n'), ["runs.csv:2: test_error: '9,7' has a comma", "write 9.7"]),
        (changed("9.7\n", '"0,971"\n'), ["runs.csv:2: test_error: '0,971' has a comma; write 0.971"]),
        (changed("9.7\n", '"9,713"\n'), ["'9,713' has a comma; write 9713 or 9.713, whichever is meant"]),
        (
            f'{HEADER},test_examples\na,2,0,9,"10,000"\na,2,1,9,"1,000,000"\n',
            [
                "'10,000' has a comma; write 10000 or 10.000, whichever",
                "'1,000,000' has a comma; write 1000000",
            ],
        ),
        (changed("9.7\n", "9.7 ± 0.2\n"), ["runs.csv:2: test_error", "a mean and its spread are not runs"]),
        (changed("9.7\n", "1_0\n"), ["runs.csv:2: test_error: '1_0' is not a number"]),
        (changed("9.7\n", "٣\n"), ["runs.csv:2: test_error: '٣' is not a number"]),
        (changed("9.7\n", "NaN\n"), ["runs.csv:2: test_error: 'NaN' is not a finite number", "`diverged`"]),
        (changed("9.7\n", "-inf\n"), ["runs.csv:2: test_error: '-inf' is not a finite number"]),
        (changed("9.7\n", "1e999\n"), ["runs.csv:2: test_error: '1e999' is not a finite number"]),
        (changed("9.7\n", "-1\n"), ["runs.csv:2: test_error: -1 is negative"]),
        (changed("9.7\n", "101\n"), ["runs.csv:2: test_error: 101 is above 100 %"]),
        (changed("9.7\n", "0.097\n"), ["runs.csv:2: test_error: 0.097 may be a share", "--unit percent"]),
        (
            changed("1.2,9.7", "1.2,"),
            ["runs.csv:2: has no test error, and other runs of 'plain' at depth 20"],
        ),
        (changed("1.2,9.7", ","), ["runs.csv:2: train_error and test_error: is empty", "in a status column"]),
        (changed("plain,20,0", "plain,20.5,0"), ["runs.csv:2: depth: '20.5' is not a whole number"]),
        (changed("plain,20,0", "plain,,0"), ["runs.csv:2: depth: is empty; give every run its depth"]),
        (changed("plain,20,0", "plain,0,0"), ["runs.csv:2: depth: 0 is not a depth; give the number"]),
        (changed("plain,20,0", "plain,20,first"), ["runs.csv:2: seed: 'first' is not a number"]),
        (changed("plain,20,0", f"plain,20,{2**60}"), ["runs.csv:2: seed", "more digits than a table keeps"]),
        (changed("plain,20,0", " ,20,0"), ["runs.csv:2: variant: is empty"]),
        (changed("1.2,9.7", "1.2"), ["runs.csv:2: has 4 cells, and the header has 5 columns"]),
        (changed("plain,20,0", '"plain,20,0'), ["is not valid CSV"]),
        (changed("variant,", "seed,"), ["runs.csv:1: seed: is the name of 2 columns"]),
        (
            changed("plain,20,1,", "Plain,20,1,"),
            ["runs.csv:3: variant: 'Plain' is spelled 'plain' in runs.csv:2"],
        ),
        (
            f"{HEADER},dataset\na,2,0,9,CIFAR10\na,2,1,9,cifar-10\n",
            ["runs.csv:3: dataset: 'cifar-10' is spelled 'CIFAR10' in runs.csv:2"],
        ),
        (f"{HEADER},epochs\na,2,0,9,5\na,2,0,8,6\n", ["runs.csv:3: seed", "one more --variant, or keep one"]),
        ("", ["runs.csv: is empty"]),
        (f"{HEADER}\n", ["runs.csv: has no runs"]),
        (",,\n,,\n", ["runs.csv: has no runs"]),
        (f'{HEADER}\n1,2\nplain,2,0,"9\n', ["runs.csv:2: has 2 cells", "runs.csv:3: is not valid CSV"]),
        ("[1]", ["runs.csv: is one JSON array; write one object per line"]),
        ("a,b\n1,2\n", ["no column says which nets", "how deep each net is", "--test-error", "'a', 'b'"]),
        (f"{HEADER}\nplain,20,0,9\n".replace("test_error", "acc"), ["a column, such as 'acc', with one of"]),
        ("variant,depth,best_val_acc,val_acc\na,2,9,8\n", ["a column, such as 'val_acc', with one of"]),
        (
            f"{HEADER},test_acc\nplain,20,0,9,91\n",
            ["'test_error' and 'test_acc' could each be the test error; name one with --test-error or"],
        ),
        (f"{HEADER},layers,n_layers\nplain,20,0,9,1,2\n".replace("depth", "d"), ["could each be the depth"]),
        (
            f"{HEADER},state\nplain,20,0,9,weird\n",
            ["runs.csv:2: state: 'weird' is not a known status; say done"],
        ),
        (f"{HEADER},state\nplain,20,0,9,\n", ["runs.csv:2: state: is empty; say done"]),
        (f"{HEADER},epoch\nplain,20,0,9,1\nplain,20,0,8,2\n", ["runs.csv:3: seed", "that of its last epoch"]),
        (
            "variant,depth,epoch,test_error\na,2,1,9\na,2,2,8\n",
            ["runs.csv:3: is another row of 'a' at depth 2"],
        ),
        ("variant,depth,test_error\na,2,9\na,2,9\n", ["runs.csv:3: is the same as runs.csv:2; delete one"]),
        (
            f"{HEADER},state\na,2,0,9,finished\na,2,0,,crashed\n",
            ["runs.csv:3: seed", "keep one row of the two (done and failed), if it replaced the other"],
        ),
        ("summary,name\n\"{'test_acc': 90}\",x\n", ["runs.csv:2: summary: holds a whole dictionary"]),
        ("variant,depth,test error (%)\na,2,0.09\n", ["says percent in its name, and no number is above 1"]),
        (f"{HEADER},train_chance\na,2,0,9,90\n", ["runs.csv:2: train_chance: 90 is not between 0 and 1"]),
    ],
)
def test_a_table_that_is_not_sound(text: str, said: list[str], tmp_path: Path) -> None:
    found = "\n".join(refusals(written(tmp_path, text)))
    for each in said:
        assert each in found


def test_of_dictionaries_in_cells_it_is_said_how_to_write_them_and_not_what_else_is_lacking(
    tmp_path: Path,
) -> None:
    cells = {"summary": {"test_acc": 90}, "config": {"model": "plain", "depth": 20, "seed": 0}}
    frame = pd.DataFrame([cells])
    for found in (refusals(written(tmp_path, frame.to_csv(index=False))), refusals(frame.map(str))):
        assert [each.split(": ")[1] for each in found] == ["summary", "config"]
    texts = written(tmp_path, frame.map(str).to_json(orient="records", lines=True))
    assert all(
        "If the frame was read from a file, apply ast.literal_eval" in each for each in refusals(texts)
    )
    jsonl = written(tmp_path, frame.to_json(orient="records", lines=True))
    for table in (jsonl, frame.map(str).map(ast.literal_eval)):
        assert resexp.judge(table).records.trials["test_error"].tolist() == [pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"depth": 2, "depth": 3}', "the key 'depth' occurs twice"),
        ("[1]", "is not a JSON object; write one object per line"),
        ('{"depth": ', "is not a JSON object: "),
        ('{"a":' * 100_000, "is not a JSON object"),
        ('{"variant": "a", "depth": 2, "seed": 1, "test_error": NaN}', "is not a finite number"),
        (f'{{"variant": "a", "depth": 1{"0" * 400}, "seed": 1, "test_error": 9}}', "is not a finite number"),
        ('{"variant": "a", "depth": true, "seed": 1, "test_error": 9}', "depth: True is not a number"),
        ('{"variant": ["a"], "depth": 2, "seed": 1, "test_error": 9}', "variant: is a list"),
    ],
)
def test_a_line_of_json_that_is_not_sound(line: str, said: str, tmp_path: Path) -> None:
    good = '{"variant": "a", "depth": 2, "seed": 0, "test_error": 9}'
    found = refusals(written(tmp_path, f"{good}\n\n{line}\n", "runs.jsonl"))
    assert found[0].startswith("runs.jsonl:3: ")
    assert said in found[0]


def test_what_is_no_text_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"variant,depth\n\xff\xfe\n")
    assert refusals(path) == ["runs.csv:2: is not UTF-8 text; save the table as CSV in UTF-8"]
    for wrong in (tmp_path / "none.csv", tmp_path, Path("a\0b")):
        assert "cannot be read" in refusals(wrong)[0]


def test_columns_that_the_user_names_wrongly(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    (unknown,) = refusals(path, {"depth": ["dept"]})
    assert unknown == "runs.csv: --depth 'dept': is not a column of the table; did you mean depth?"
    (twice,) = refusals(path, {"depth": ["seed"], "seed": ["seed"]})
    assert "is named for --depth and --seed" in twice
    (other,) = refusals(path, {"test_accuracy": ["test_error"]})
    assert "has a name that says error; give it as --test-error" in other
    (both,) = refusals(path, {"test_accuracy": ["seed"], "test_error": ["test_error"]})
    assert "--test-error and --test-accuracy say the same" in both


def test_a_number_of_a_variant_is_written_in_one_way(tmp_path: Path) -> None:
    columns = {"variant": ["variant", "growth"]}
    for first, second in (("12", "12.0"), ("0.001", "1e-3")):
        path = written(tmp_path, f"{HEADER},growth\na,2,0,9,{first}\na,2,1,8,{second}\n")
        (told,) = refusals(path, columns)
        assert f"'a, growth={second}' is spelled 'a, growth={first}'" in told
    long = ("123456789012345678901234567890", "123456789012345678901234567891", "1e99999999")
    rows = "\n".join(f"a,2,{seed},9,{growth}" for growth in long for seed in (0, 1))
    judged = resexp.judge(written(tmp_path, f"{HEADER},growth\n{rows}\n"), **columns)
    assert judged.records.trials["variant"].nunique() == 3


def test_what_is_said_of_a_whole_table_must_be_possible(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert "--chance: 90 is not a number between 0 and 1" in refusals(path, chance=90)[0]
    assert "--test-examples: 0 is not a whole number above 0" in refusals(path, test_examples=0)[0]
    assert "runs.csv:2: train_error: 1.2 is above 1, so it is not a share" in refusals(path, unit="share")[0]


def test_every_problem_is_told_in_the_order_of_its_row(tmp_path: Path) -> None:
    text = (
        GOOD.replace("plain,56,0,5.2", "plain,56,x,5.2")
        .replace("1.2,9.7", "1.2,?")
        .replace("20,2,0", "2.5,2,0")
    )
    lines = [said.split(":")[1] for said in refusals(written(tmp_path, text))]
    assert lines == ["2", "5", "10"]
    many = "variant,depth,seed,test_error\n" + "plain,x,0,9\n" * 1000
    found = refusals(written(tmp_path, many))
    assert len(found) == 25
    assert found[-1] == "runs.csv: has 976 more problems"


def test_a_frame_names_rows_and_keyword_arguments() -> None:
    frame = pd.DataFrame({"variant": ["a", "a"], "depth": [2, 2], "seed": [0, 0], "test_error": [0.1, 0.2]})
    with pytest.raises(TableError, match=r"runs, row 2: seed: 0 occurs twice.* one more variant="):
        resexp.judge(frame)
    with pytest.raises(TableError, match="give a pandas DataFrame"):
        resexp.judge({"variant": ["a"]})  # type: ignore[arg-type]
    with pytest.raises(TableError, match="has no rows"):
        resexp.judge(frame.iloc[:0])
    with pytest.raises(TableError, match=r"row 1: test_error: .*is not a finite number"):
        resexp.judge(frame.assign(seed=[0, 1], test_error=[np.inf, 0.1]))


def test_a_frame_may_hold_decimals_and_have_numbers_for_names() -> None:
    rows = [["a", 2, 0, Decimal("0.1")], ["a", 2, 1, Decimal("0.2")], ["a", 2, 2, Decimal("sNaN")]]
    frame = pd.DataFrame(rows)
    judged = resexp.judge(frame.iloc[:2], variant=0, depth=1, seed=2, test_error=3)
    assert judged.records.trials["test_error"].tolist() == [0.1, 0.2]
    assert set(
        resexp.judge(frame.iloc[:2], variant=[0], depth=1, test_error=3).records.trials["variant"]
    ) == {"a"}
    with pytest.raises(TableError, match="has no test error, and other runs"):
        resexp.judge(frame.assign(e=0.1), variant=0, depth=1, seed=2, test_error=3, train_error="e")
    with pytest.raises(TableError, match="depth= '7': is not a column of the table"):
        resexp.judge(frame, variant=np.int64(0), depth=7, test_error=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"chance": "0.9"}, "chance=: '0.9' is not a number between 0 and 1"),
        ({"chance": float("nan")}, "chance=: nan is not a number between 0 and 1"),
        ({"test_examples": "100"}, "test_examples=: '100' is not a whole number above 0"),
        ({"train_examples": 100.5}, "train_examples=: 100.5 is not a whole number above 0"),
        ({"train_examples": float("inf")}, "train_examples=: inf is not a whole number above 0"),
    ],
)
def test_what_is_said_of_a_whole_frame_must_be_numbers(told: dict[str, Any], said: str) -> None:
    frame = pd.DataFrame({"variant": ["a", "a"], "depth": [2, 2], "test_error": [0.1, 0.2]})
    with pytest.raises(TableError, match=said):
        resexp.judge(frame, **told)
    resexp.judge(frame, chance=np.float64(0.9), test_examples=np.int64(100))  # type: ignore[arg-type]


def _problems(path: Path) -> tuple[Problem, ...]:
    try:
        records(path)
    except TableError as refused:
        return refused.problems
    return ()


def test_mutants_of_a_table_are_judged_or_refused(tmp_path: Path) -> None:
    """Whatever is changed at random, the end is records or a TableError, and never anything else."""
    draw = random.Random(0)
    pieces = [
        "",
        ",",
        '"',
        "\n",
        "nan",
        "1e400",
        "%",
        "{",
        "}",
        "0.5",
        "-",
        "\0",
        "é",
        "\u202e",
        "plain",
        ";",
    ]
    ends = {"judged": 0, "refused": 0}
    for _ in range(300):
        text = GOOD
        for _ in range(draw.randint(1, 3)):
            start = draw.randrange(len(text) + 1)
            text = text[:start] + draw.choice(pieces) + text[start + draw.choice([0, 0, 1, 5]) :]
        problems = _problems(written(tmp_path, text))
        assert all(problem.wrong for problem in problems)
        assert "".join(map(str, problems)).isprintable()
        ends["refused" if problems else "judged"] += 1
    assert min(ends.values()) > 10
