"""Errors as data: a file, the line and key blamed, and words that the message must hold."""

import os
import unicodedata
from pathlib import Path

import pytest

from resexp.config.load import load, read_plugins
from resexp.errors import ConfigError

TOP = "name: x\ndata: synthetic\n"
MODEL = TOP + "model: {kind: resnet, depth: 8}\n"
FULL = MODEL + "training: {epochs: 2}\n"

CASES: dict[str, tuple[str, int, str, tuple[str, ...]]] = {
    "unknown top key": (FULL + "sweeep: {}\n", 5, "sweeep", ("did you mean sweep?",)),
    "unknown kind": (FULL.replace("synthetic", "digit"), 2, "data", ("'digit'", "did you mean digits?")),
    "unknown option": (FULL + "seed: 1\n".replace("seed", "sed"), 5, "sed", ("did you mean seed?",)),
    "unknown key of a part": (
        TOP + "model:\n  kind: resnet\n  depth: 8\n  conection: plain\ntraining: {epochs: 2}\n",
        6,
        "model.conection",
        ("did you mean connection?",),
    ),
    "option of another kind": (
        TOP
        + "model:\n  kind: resnet\n  depth: 8\n  connection:\n    kind: residual\n    growth: 3\n"
        + "training: {epochs: 2}\n",
        8,
        "model.connection.growth",
        ("known: kind, shortcut",),
    ),
    "missing name": (FULL.replace("name: x\n", ""), 1, "name", ("is missing",)),
    "missing depth": (
        TOP + "model:\n  kind: resnet\ntraining: {epochs: 2}\n",
        3,
        "model.depth",
        ("whole number",),
    ),
    "missing kind": (
        TOP + "model: {depth: 8}\ntraining: {epochs: 2}\n",
        3,
        "model",
        ("has no kind", "resnet"),
    ),
    "fractional epochs": (
        MODEL + "training:\n  epochs: 12.5\n",
        5,
        "training.epochs",
        ("12.5", "whole number greater than 0"),
    ),
    "text for a number": (
        MODEL + "training: {epochs: '2'}\n",
        4,
        "training.epochs",
        ("'2' is not a whole number",),
    ),
    "several for one number": (
        FULL + "seed: [0, 1]\n",
        5,
        "seed",
        (
            "[0, 1] is not a whole number",
            "write seed: [0, 1] under sweep for several values, or give a whole",
        ),
    ),
    "several for one part": (
        TOP + "model: {kind: resnet, depth: 8, connection: [plain, skip]}\ntraining: {epochs: 2}\n",
        3,
        "model.connection",
        ("write model.connection: ['plain', 'skip'] under sweep for several values, or give one of",),
    ),
    "none for one number": (FULL + "seed: []\n", 5, "seed", ("[] is not a whole number; give a whole",)),
    "several as one of several": (
        FULL + "sweep: {seed: [[0, 1], 2]}\n",
        5,
        "seed",
        ("[0, 1] is not a whole number; give a whole",),
    ),
    "true for a number": (FULL + "seed: true\n", 5, "seed", ("true is not a whole number",)),
    "no for a boolean": (
        FULL.replace("2}", "2, compile: no}"),
        4,
        "training.compile",
        ("'no'", "true or false"),
    ),
    "number for a boolean": (FULL.replace("2}", "2, compile: 1}"), 4, "training.compile", ("true or false",)),
    "no is text": (FULL.replace("8}", "8, norm: no}"), 3, "model.norm", ("'no'", "did you mean none?")),
    "not a number": (
        FULL.replace("2}", "2, clip: .nan}"),
        4,
        "training.clip",
        ("nan is not a finite number",),
    ),
    "nan in bounds": (
        FULL.replace("2}", "2, schedule: {kind: constant, warmup: .nan}}"),
        4,
        "training.schedule.warmup",
        ("nan",),
    ),
    "infinite": (FULL.replace("2}", "2, clip: .inf}"), 4, "training.clip", ("inf",)),
    "too low": (FULL.replace("8}", "0}"), 3, "model.depth", ("0 is too small", "greater than 0")),
    "beyond 64 bits": (FULL + f"seed: 0x{'f' * 5000}\n", 5, "seed", ("is too large a number",)),
    "both budgets": (MODEL + "training: {epochs: 2, iterations: 9}\n", 4, "training", ("give exactly one",)),
    "no budget": (MODEL + "training: {}\n", 4, "training", ("neither epochs nor iterations",)),
    "part as a number": (FULL.replace("synthetic", "3"), 2, "data", ("3 is not a part", "digits")),
    "training as a list": (MODEL + "training: [1]\n", 4, "training", ("is not a mapping",)),
    "probes as text": (FULL + "probes: gradient_norms\n", 5, "probes", ("is not a list",)),
    "probe unknown": (
        FULL + "probes:\n- responses\n- gradientnorms\n",
        7,
        "probes.1",
        ("did you mean gradient_norms?",),
    ),
    "probe time": (
        FULL + "probes:\n- kind: responses\n  at: [0, 2]\n",
        7,
        "probes.0.at.1",
        ("2 is too large",),
    ),
    "bad name": (FULL.replace("name: x", "name: ../x"), 1, "name", ("'../x' is not a safe name", "letters")),
    "name too long": (FULL.replace("name: x", "name: " + "x" * 65), 1, "name", ("...", "at most 64")),
    "number as name": (FULL.replace("name: x", "name: 3"), 1, "name", ("3 is not text",)),
    "axis unknown": (FULL + "sweep:\n  model.dpeth: [8]\n", 6, "model.dpeth", ("did you mean model.depth?",)),
    "axis without a list": (FULL + "sweep:\n  seed: 3\n", 6, "seed", ("3 is not a list of values", "[3]")),
    "axis without values": (FULL + "sweep:\n  seed: []\n", 6, "seed", ("give a list of values",)),
    "axis value": (FULL + "sweep:\n  seed:\n  - 0\n  - -1\n", 8, "seed", ("-1 is too small",)),
    "option not of every kind": (
        FULL + "sweep:\n  model.connection: [plain, residual]\n  model.connection.shortcut: [pad]\n",
        7,
        "model.connection.shortcut",
        ("is not a known key",),
    ),
    "sweep as text": (FULL + "sweep: seed\n", 5, "sweep", ("dotted keys",)),
    "grid as text": (FULL + "sweep:\n- seed: [1]\n- seed\n", 7, "sweep.1", ("is not a mapping",)),
    "sweep too large": (
        FULL + f"sweep: {{seed: {list(range(400))}, training.batch_size: {list(range(1, 300))}}}\n",
        5,
        "sweep",
        ("119,600 points", "at most 20,000"),
    ),
    "tiers too large together": (
        FULL
        + "tiers:\n"
        + "".join(
            f"  {name}: {{sweep: {{seed: {list(range(150))}, training.batch_size: {list(range(1, 101))}}}}}\n"
            for name in "abc"
        ),
        5,
        "tiers",
        ("45,001 points together", "at most 40,000"),
    ),
    "expect of no tier": (
        FULL + "expect:\n  quik: 1 minute\ntiers: {quick: {}}\n",
        6,
        "expect.quik",
        ("is not a tier", "did you mean quick?"),
    ),
    "expect as text": (FULL + "expect: a minute\n", 5, "expect", ("is not a mapping",)),
    "why as a list": (FULL + "why: [a]\n", 5, "why", ("is not text",)),
    "tiers as text": (FULL + "tiers: quick\n", 5, "tiers", ("'quick' is not a mapping",)),
    "tier as text": (FULL + "tiers:\n  quick: small\n", 6, "tiers.quick", ("give set, sweep",)),
    "tier named full": (FULL + "tiers:\n  full: {}\n", 6, "tiers.full", ("is reserved",)),
    "tier unsafe": (FULL + "tiers:\n  ../x: {}\n", 6, "tiers.../x", ("is not a safe name",)),
    "tier key": (FULL + "tiers:\n  quick:\n    sett: {}\n", 7, "sett", ("did you mean set?",)),
    "tier sets unknown": (
        FULL + "tiers:\n  quick:\n    set:\n      sede: 1\n",
        8,
        "sede",
        ("did you mean seed?",),
    ),
    "tier sets wrong": (
        FULL + "tiers:\n  quick:\n    set:\n      training.epochs: many\n",
        8,
        "training.epochs",
        ("'many' is not a whole number",),
    ),
    "tier sweeps wrong": (
        FULL + "tiers:\n  quick:\n    sweep:\n      model.depth: [8, x]\n",
        8,
        "model.depth",
        ("'x' is not a whole number",),
    ),
    "tier drops what is not there": (
        FULL + "sweep: {seed: [1, 2]}\ntiers:\n  quick:\n    sweep: {model.depth: []}\n",
        8,
        "model.depth",
        ("is not an axis",),
    ),
    "tier sets an axis": (
        FULL + "sweep: {seed: [1, 2]}\ntiers:\n  quick:\n    set: {seed: 3}\n",
        8,
        "seed",
        ("under sweep",),
    ),
    "tune without validation": (
        FULL + "tune:\n  training.optimizer.lr: [0.1, 0.2]\n",
        5,
        "tune",
        ("needs data.validation_size",),
    ),
    "tune as a list": (FULL + "tune: [seed]\n", 5, "tune", ("is not a mapping",)),
    "tune the seed": (FULL + "tune: {seed: [1, 2]}\n", 5, "seed", ("put it into sweep",)),
    "an axis with a seed twice": (FULL + "sweep: {seed: [0, 1, 1]}\n", 5, "seed", ("has a value twice",)),
    "tune the classes": (FULL + "tune: {data.classes: [2, 10]}\n", 5, "data.classes", ("put it into sweep",)),
    "tune the validation set": (
        FULL + "tune: {data.validation_size: [20, 50]}\n",
        5,
        "data.validation_size",
        ("the validation errors of its values would be of different examples",),
    ),
    "tune the seed of the examples": (
        FULL + "tune: {data.seed: [0, 1]}\n",
        5,
        "data.seed",
        ("the validation errors of its values would be of different examples",),
    ),
    "tune and sweep": (
        FULL + "sweep: {model.norm: [none]}\ntune: {model.norm: [batch]}\n",
        6,
        "model.norm",
        ("is an axis of sweep too",),
    ),
    "rule never matches": (
        FULL + "overrides:\n- when: {model.depth: 9}\n  set: {seed: 1}\n",
        6,
        "overrides.0.when",
        ("matches no point",),
    ),
    "rule's key": (
        FULL + "overrides:\n- when: {model.depth: 8}\n  set: {training.lr: 1}\n",
        7,
        "training.lr",
        ("is not a known key", "did you mean training"),
    ),
    "rule's value": (
        FULL + "overrides:\n- when: {model.depth: 8}\n  set:\n    training.optimizer.lr: -1\n",
        8,
        "training.optimizer.lr",
        ("-1 is too small",),
    ),
    "rule without set": (
        FULL + "overrides:\n- when: {seed: 0}\n",
        6,
        "overrides.0.set",
        ("is missing", "a mapping"),
    ),
    "rule with an empty when": (
        FULL + "overrides:\n- when: {}\n  set: {seed: 1}\n",
        6,
        "overrides.0.when",
        ("{} is empty",),
    ),
    "reference in percent": (
        FULL
        + "references:\n- {when: {seed: 0}, metric: test_error, value: 8.75, statistic: mean, source: A}\n",
        6,
        "references.0",
        ("8.75", "give a fraction"),
    ),
    "reference's key": (
        FULL + "references:\n- {when: {sede: 0}, metric: test_error, value: 0, statistic: mean, source: A}\n",
        6,
        "sede",
        ("did you mean seed?",),
    ),
    "key twice": (FULL + "seed: 1\nseed: 2\n", 6, "seed", ("given twice, first in line 5",)),
    "key twice inside": (
        MODEL + "training:\n  epochs: 2\n  epochs: 3\n",
        6,
        "training.epochs",
        ("given twice, first in line 5",),
    ),
    "merge key": (FULL + "sweep: {<<: {seed: [1]}}\n", 5, "sweep.<<", ("merge keys",)),
    "key not text": (FULL + "sweep: {3: [1]}\n", 5, "sweep", ("not text",)),
    "tag": (FULL + "seed: !!python/name:os.system x\n", 5, "seed", ("tag",)),
    "tag that does not fit": (FULL + "seed: !!int abc\n", 5, "seed", ("tag",)),
    "tab": (FULL + "seed:\n\t- 1\n", 6, "", ("not valid YAML",)),
    "open bracket": (FULL + "sweep: {seed: [1\n", 6, "", ("not valid YAML",)),
    "two documents": (FULL + "---\n" + FULL, 5, "", ("single document",)),
    "too deep": (FULL + "sweep: " + "[" * 25 + "]" * 25 + "\n", 5, "", ("20 deep",)),
    "control character": (FULL + "seed: \x1b[31m\n", 5, "", (r"'\x1b'",)),
    "escaped control character": (FULL + 'seed: "\\x1b[31m"\n', 5, "seed", (r"'\x1b[31m'",)),
    "half a character": (FULL + 'seed: "\\ud800"\n', 5, "seed", ("half a character",)),
    "NUL": (FULL + "seed: \0\n", 5, "", (r"'\x00'",)),
}


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    lines = str(caught.value).split("\n")
    assert len(lines) <= 24
    assert all(line.isprintable() for line in lines)
    return lines


@pytest.mark.parametrize("case", CASES)
def test_where_what_and_what_would_be_right(tmp_path: Path, case: str) -> None:
    text, line, key, fragments = CASES[case]
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    (first, *others) = [p for p in problems(path) if p.startswith(f"{path}:{line}: {key}")]
    assert not others
    assert all(fragment in first for fragment in fragments), first


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("model.depth", "model.depth: has no =; write key=value"),
        ("model.dept=8", "model.dept: is not a known key; did you mean model.depth?"),
        ("model.depth=", "model.depth: has no value"),
        ("model.depth=8,x", "model.depth: 'x' is not a whole number; give a whole number greater than 0"),
        ("model.depth=[8]", "model.depth: [8] is not a whole number"),
        ("seed=[0,1]", "seed: [0, 1] is not a whole number; write seed=0,1 for several values, or give a"),
        (
            "training.compile=[true,false]",
            "training.compile: [True, False] is not true or false; write "
            "training.compile=true,false for several values, or give true or false",
        ),
        ("model.connection={kind: residual", "model.connection: is not valid YAML"),
        ("model.connection={kind: residual, shortcut: pat}", "model.connection.shortcut: 'pat' is not known"),
        ("data.kind=typo", "data: 'typo' is not known"),
        ("model.connection.kind=typo", "model.connection: 'typo' is not known"),
        ("name=a/b", "name: 'a/b' is not a safe name"),
        ("name=a,b", "name: 'a,b' is not a safe name"),
        ("seed=0,1,0", "seed: has a value twice; give each value once"),
        ("tune={a: [1]}", "tune: can only be written in a file; write `tune:` into a file, such as"),
        ("tune.seed=0,1", "tune.seed: can only be written in a file"),
        ("seed={a: 1, a: 2}", "seed.a: is given twice"),
    ],
)
def test_problems_of_the_command_line_say_so(tmp_path: Path, overrides: str, expected: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FULL, encoding="utf-8")
    first = problems(path, overrides)[0]
    assert first.startswith(f"command line: {expected}"), first


def test_all_problems_at_once_in_line_order_the_command_line_last(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("data: digit\nname: .x\nmodel: {kind: resnet, depth: 0}\ntraining: {epochs: 1.5}\n")
    where = [p.split(": ")[0].removeprefix(f"{path}:") for p in problems(path, "seed=x")]
    assert where == ["1", "2", "3", "4", "command line"]


def test_one_mistake_in_a_thousand_points_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FULL.replace("depth: 8", "depth: 8.5") + f"sweep: {{seed: {list(range(1000))}}}")
    assert len(problems(path)) == 1


def test_the_last_of_24_lines_says_how_many_more_there_are(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FULL + "".join(f"key{i}: 1\n" for i in range(100)))
    lines = problems(path)
    assert len(lines) == 24
    assert lines[-1] == f"{path}: has 77 more problems"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"just text\n", "is not a mapping"),
        (b"- a\n", "is not a mapping"),
        (FULL.encode("utf-16"), ":1: is not UTF-8 text"),
        (FULL.encode() + b"\xff", ":5: is not UTF-8 text"),
        (b"#" * (2**20 + 1), "is larger than 1,048,576 bytes"),
        (b"a: &a [1]\n" + b"b: [" + b"*a, " * 100_001 + b"]", "more than 100,000 values"),
        (b'a: "\\U00110000"', "escape for no known character"),
    ],
)
def test_files_that_hold_no_configuration(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    (line,) = problems(path)
    assert line.startswith(f"{path}:")
    assert expected in line


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 10}]\n" for i in range(1, 10)))
    assert "more than 100,000 values" in problems(path)[0]


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &a [*a]\n")
    assert "20 deep" in problems(path)[0]


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    right = "give a YAML file of a few kilobytes"
    assert problems(tmp_path) == [f"{tmp_path}: cannot be read: is a folder and not a regular file; {right}"]
    right = "give the path of a YAML file"
    assert problems(tmp_path / "none.yaml") == [f"{tmp_path}/none.yaml: does not exist; {right}"]


@pytest.mark.parametrize("name", ["depth_sweep.yaml", "configs/depth_sweep.yaml", "configs/he2015_depth.yml"])
def test_a_missing_file_with_the_name_of_a_configuration_of_the_package(tmp_path: Path, name: str) -> None:
    right = f"write {Path(name).stem} for the configuration of this name that comes with the package"
    assert problems(tmp_path / name) == [f"{tmp_path / name}: does not exist; {right}"]


def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        assert "a device, pipe or socket and not a regular file" in problems(path)[0]
        with pytest.raises(ConfigError, match="not a regular file"):
            read_plugins([path])


@pytest.mark.parametrize(
    ("override", "most"),
    [
        ("model.depth=1000000000", "4,000"),
        ("model.width=1000000000", "65,536"),
        ("data.image_size=1000000", "16,384"),
        ("data.train=1000000000", "1,000,000"),
        ("training.batch_size=10000000000", "1,000,000,000"),
    ],
)
def test_a_size_beyond_all_use_is_told_with_its_bound(tmp_path: Path, override: str, most: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FULL, encoding="utf-8")
    assert (
        f"is too large; give a whole number greater than 0 and at most {most}" in problems(path, override)[0]
    )


@pytest.mark.parametrize("name", ["kind\u0301", "ki\u0323nd"])
def test_names_of_one_look_are_one_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{FULL}{name}: 1\n{unicodedata.normalize('NFC', name)}: 2\n", encoding="utf-8")
    assert any("is given twice" in line for line in problems(path))


@pytest.mark.parametrize(
    "text", [FULL.replace("\n", "\r\n"), "\ufeff" + FULL, FULL + "...\n", "%YAML 1.2\n---\n" + FULL]
)
def test_harmless_varieties_of_text_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode())
    assert len(load(path).points) == 1
