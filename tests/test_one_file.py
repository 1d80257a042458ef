"""A part is one file: what a user writes beside the package appears wherever it should.

One experiment is trained with a connection, a trunk, a data set, a probe and a launcher, each in a file
of its own in a temporary folder. Its report has a table and a figure of two further files.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import subprocesses

from resexp import api
from resexp.catalog.plugins import read_plugin
from resexp.cli.app import main
from resexp.report.build import build
from resexp.report.render.json import render
from resexp.store import ExperimentFolder, JobNotes

PARTS = {
    "my_connection.py": '''\
import torch

from resexp.connections.base import Connection
from resexp.options import Real


class Damped(Connection):
    """h' = S h + a f(h), a learned"""

    def __init__(self, site, *, initial: Real = 0.1):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)
        self.a = torch.nn.Parameter(torch.tensor(initial))

    def forward(self, h, f):
        return self.shortcut(h) + self.a * f(h)
''',
    "my_trunk.py": '''\
import math

from torch import nn

from resexp.models.base import Chain, Trunk
from resexp.models.parts import Layers, stack
from resexp.options import Width


class Tower(Trunk):
    """Blocks of one linear layer and tanh."""

    forms = ("images", "rows")

    def __init__(self, *, width: Width = 8):
        self.width = width

    def build(self, design):
        layers = Layers(
            map=lambda i, o, stride: nn.Linear(i, o),
            norm=lambda channels: nn.Identity(),
            branch=lambda i, o, stride: nn.Sequential(nn.Linear(i, o), nn.Tanh()),
        )
        blocks, channels = stack(design, layers, self.width, [(design.depth - 2, self.width, 1)])
        stem = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(design.shape), self.width))
        return Chain(stem, blocks, nn.Sequential(nn.Linear(channels, design.classes)))
''',
    "my_data.py": '''\
import numpy as np

from resexp.data.base import Facts, Source, chunks


class Halves(Source):
    """Images that are bright above or below."""

    def facts(self, image_size):
        return Facts((1, 8, 8), "labels", ("up", "down"), (32, 32), (8, 8), "halves")

    def read(self, split, image_size, progress):
        labels = np.arange(64 if split == "train" else 16) % 2
        images = np.zeros((len(labels), 8, 8, 1), np.uint8)
        for image, label in zip(images, labels):
            image[4 * label : 4 * label + 4] = 200
        yield from chunks(images, labels, image_size)
''',
    "my_probe.py": '''\
from resexp.probes.base import Probe, Quantity, Reading


class Biases(Probe):
    """How large the biases are."""

    quantities = (
        Quantity("bias_share", title="share of the biases", unit="%", scale="log", over="layer"),
        Quantity("bias_count", title="number of biases"),
    )

    def measure(self, snapshot):
        biases = [(n, p) for n, p in snapshot.network.named_parameters() if n.endswith("bias")]
        for index, (name, bias) in enumerate(biases):
            yield Reading("bias_share", name, index, 0.25 * (index + 1))
        yield Reading("bias_count", "network", 0, len(biases))
        yield Reading("told_by_nobody", "network", 0, 1.5)
''',
}
SECTIONS = {
    "my_table.py": """\
from resexp.report.table import Table, number, text

ORDER = 12


def table(records):
    print("words of mine")
    rows = [
        {"variant": variant, "range": group["train_error"].max() - group["train_error"].min()}
        for variant, group in records.trials.groupby("variant", observed=True)
    ]
    columns = (text("variant", "Connection"), number("range", "Spread of it", "{:.4f}".format))
    return Table("my_table", "A table of mine", "From the largest to the least.", columns, tuple(rows))
""",
    "my_figure.py": """\
from matplotlib.figure import Figure

TITLE = "A figure of mine"
CAPTION = "It shows one line."
BESIDE = "my_table"


def figure(records):
    drawn = Figure()
    drawn.subplots().plot(records.trials["depth"], records.trials["train_error"])
    return drawn
""",
}
CONFIG = """\
name: own
plugins: [my_connection.py, my_trunk.py, my_data.py, my_probe.py]
data: {kind: halves}
model: {kind: tower, depth: 4, connection: {kind: damped, initial: 0.5}}
training: {epochs: 1, batch_size: 32}
probes: [{kind: biases, at: [0, 1]}]
"""
WRITTEN = ("report.md", "report.html", "report.tex", "report.json", "trials.csv")


class Resexp:
    """The program, in a folder with the parts and an experiment that was trained with them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], argv: Callable[[list[str]], None]):
        self.folder, self._capsys, self._argv = folder, capsys, argv

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """What a command prints. Its standard error is in `told`."""
        self._argv(["resexp", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        self.told = printed.err
        assert (ended.value.code or 0) == status, printed.err
        return printed.out

    def reported(self, *arguments: str, status: int = 0) -> dict[str, str]:
        """What a report says on the terminal and in each of its files."""
        terminal = self("report", "own", "--full", *arguments, status=status)
        return {"terminal": terminal, **{name: self.file(name) for name in WRITTEN}}

    def file(self, name: str) -> str:
        return (self.folder / "results/own/report" / name).read_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file, in which the experiment was run by the launcher in `my_launcher.py`."""
    folder = tmp_path_factory.mktemp("mine")
    for name, source in {**PARTS, **SECTIONS, "own.yaml": CONFIG}.items():
        (folder / name).write_text(source)
    shutil.copy(subprocesses.__file__, folder / "my_launcher.py")
    spec = importlib.util.spec_from_file_location("my_launcher", folder / "my_launcher.py")
    assert spec is not None
    assert spec.loader is not None
    mine: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    launcher = mine.Subprocesses()
    summary = api.run(
        api.load(folder / "own.yaml"), device="cpu", jobs=1, results=folder / "results", launcher=launcher
    )
    assert dict(summary.counts) == {"done": 1}
    assert [worker.returncode for worker in launcher._workers] == [0]
    return folder


@pytest.fixture
def resexp(trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Resexp:
    monkeypatch.chdir(trained)
    return Resexp(trained, capsys, lambda words: monkeypatch.setattr(sys, "argv", words))


@pytest.mark.parametrize(
    ("role", "kind", "first", "option"),
    [
        ("connection", "damped", "h' = S h + a f(h), a learned", "initial: number, default 0.1"),
        (
            "model",
            "tower",
            "Blocks of one linear layer and tanh.",
            "width: integer (> 0, <= 65536), default 8",
        ),
        ("data", "halves", "Images that are bright above or below.", ""),
        ("probe", "biases", "How large the biases are.", ""),
    ],
)
def test_a_part_is_listed_and_in_the_schema(
    role: str, kind: str, first: str, option: str, resexp: Resexp
) -> None:
    given = [word for name in PARTS for word in ("--plugin", name)]
    roles = role if role == "data" else f"{role}s"
    assert f"{kind}\n    {first}" in resexp("show", roles, *given)
    assert option in resexp("show", roles, kind, *given)
    assert f'"{kind}"' in resexp("schema", *given)
    assert f'"{kind}"' not in resexp("schema")
    assert f"{kind}\n    " not in resexp("show", roles)


def test_a_plan_has_each_part(resexp: Resexp) -> None:
    (planned,) = json.loads(resexp("plan", "own.yaml", "--format", "json"))["trials"]
    model, (probe,) = planned["settings"]["model"], planned["settings"]["probes"]
    kinds = [part["kind"] for part in (planned["settings"]["data"], model, model["connection"], probe)]
    assert kinds == ["halves", "tower", "damped", "biases"]
    assert planned["status"] == "done"


def test_what_was_trained_with_them_is_in_every_format(resexp: Resexp) -> None:
    shown = resexp.reported()
    for name, written in shown.items():
        text = re.sub(r"\\(?=[%_])", "", " ".join(written.split()))
        assert "damped" in text, name
        # What a probe reads is in the general table: under its title, or by its name where it has none.
        for title in ("share of the biases (%), by layer", "number of biases", "told by nobody"):
            assert title in text or name == "trials.csv", (name, title)
    (row,) = csv.DictReader(io.StringIO(shown["trials.csv"]))
    assert (row["connection"], row["model"], row["data"]) == ("damped", "tower", "halves")
    document = json.loads(shown["report.json"])
    (trial,) = document["trials"]
    assert (trial["connection"], trial["model"], trial["data"]) == ("damped", "tower", "halves")
    rows = {(row["quantity"], row["when"]): row for row in document["tables"]["other_probes"]}
    share = rows["share of the biases (%), by layer", "end"]
    assert (share["first"], share["last"], share["unit"]) == (0.25, 1.0, "%")
    drawing = " ".join(re.findall(r">([^<>]+)</text>", resexp.file("figures/other_probes.svg")))
    for words in ("share of the biases (%)", "layer", "number of biases", "told by nobody", "training (%)"):
        assert words in drawing


def test_a_table_and_a_figure_are_in_the_report_that_is_given_them(resexp: Resexp) -> None:
    without = resexp.reported()
    given = resexp.reported("--plugin", "my_table.py", "--plugin", "my_figure.py")
    for name in given.keys() - {"trials.csv"}:
        assert "A table of mine" in given[name], name
        assert "A table of mine" not in without[name], name
    assert json.loads(given["report.json"])["tables"]["my_table"] == [{"variant": "damped", "range": 0.0}]
    assert "words of mine" not in given["terminal"], "standard output is for the report"
    assert "words of mine" in resexp.told
    section = given["report.html"].partition('<section id="my_table">')[2].partition("</section>")[0]
    assert "A figure of mine" in section
    assert "It shows one line." in section
    assert "figures/my_figure.svg" in given["report.md"]
    assert "A figure of mine" in resexp.file("figures/my_figure.svg")


def test_no_code_in_a_results_folder_is_run_by_a_report_of_itself(resexp: Resexp) -> None:
    for place in ("results/own", "results/own/plugins", "results/own/report", "results", "."):
        (resexp.folder / place / "tables.py").write_text("raise SystemExit('it ran')\n")
    assert "damped" in resexp.reported()["terminal"]
    (fault,) = build(api.results("own"), [read_plugin(Path("results/own/tables.py"))]).lost
    assert "it ran" in str(fault), "where it is named, it is run"


def test_a_launcher_is_listed_and_runs_the_same_trials(resexp: Resexp) -> None:
    given = ["--plugin", "my_launcher.py"]
    assert "subprocesses\n    Starts workers on this machine" in resexp("show", "launchers", *given)
    assert "subprocesses" not in resexp("show", "launchers")
    assert "subprocesses" not in resexp("schema", *given)
    resexp("run", "own.yaml", "name=elsewhere", "--launcher", "subprocesses", *given)
    planned = [
        resexp("plan", "own.yaml", f"name={name}", "--format", "json") for name in ("own", "elsewhere")
    ]
    (here,), (there,) = (json.loads(text)["trials"] for text in planned)
    assert (there["id"], there["status"]) == (here["id"], "done")
    notes = JobNotes(ExperimentFolder(resexp.folder / "results/elsewhere"))
    notes.write("left", {"launcher": "slurm", "id": "1", "tasks": []})
    resexp("run", "own.yaml", "name=elsewhere")
    assert "Jobs that --launcher slurm started for this experiment may still wait or run" in resexp.told
    resexp("run", "own.yaml", "--launcher", "subprocess", *given, status=2)
    assert "there is no 'subprocess'; did you mean subprocesses?" in resexp.told
    resexp("run", "own.yaml", "--launcher", "subprocesses", "--set", "a=1", *given, status=2)
    assert "--set a: is not an option of subprocesses" in resexp.told


TABLE = SECTIONS["my_table.py"].replace('"my_table"', '"another"')
FAULTY = (
    ("x = 1\n", r":1: has nothing for a report; define table\(records\) or figure\(records\)"),
    ("import no_such_module\n", r":1: cannot be imported: ModuleNotFoundError"),
    ("def table(records):\n    return 1 / 0\n", r":2: fails: ZeroDivisionError"),
    ("def figure(records):\n    return 1 / 0\n", r":2: fails: ZeroDivisionError"),
    (
        "\n\ndef table(records):\n    return records.trials\n",
        r":3: table: returns DataFrame; return a .*Table",
    ),
    ("\ndef figure(records):\n    return 3\n", r":2: figure: returns int; return a matplotlib Figure"),
    (TABLE.replace('"{:.4f}".format', "lambda x: x.no"), r":12: fails: AttributeError"),
    (
        TABLE.replace('number("range"', 'number("rang"'),
        r":6: table: the column .* shows 'rang', which row 0 does not have; it has ",
    ),
    (
        TABLE.replace('"another"', '"accuracy"'),
        r":6: table: .*'accuracy', which another section has",
    ),
    ("ORDER = 'first'\ndef table(records): ...\n", r":1: fails: ValueError"),
    ("def table(records):\n    raise SystemExit\n", r":2: fails: SystemExit"),
)
"""Files that fail, and what is told of each."""


def test_a_fault_in_one_is_told_with_its_line_and_the_rest_is_reported(resexp: Resexp) -> None:
    given = ["--plugin", "my_table.py", "--plugin", "my_figure.py"]
    for number, (source, _) in enumerate(FAULTY):
        (resexp.folder / f"faulty_{number}.py").write_text(source)
        given += ["--plugin", f"faulty_{number}.py"]
    shown = resexp.reported(*given, status=2)
    assert "Traceback" not in resexp.told
    for number, (_, told) in enumerate(FAULTY):
        lines = re.findall(rf"^.*faulty_{number}\.py.*$", resexp.told, re.MULTILINE)
        assert len(lines) == 1, (number, lines)
        assert re.search(rf"faulty_{number}\.py{told}", lines[0]), lines
    assert {"my_table", "other_probes"} <= json.loads(shown["report.json"])["tables"].keys()
    assert "A figure of mine" in resexp.file("figures/my_figure.svg")


def test_a_file_that_cannot_be_read_ends_the_command_before_anything_is_made(resexp: Resexp) -> None:
    shutil.rmtree(resexp.folder / "results/own/report", ignore_errors=True)
    assert resexp("report", "own", "--plugin", "none.py", status=2) == ""
    assert re.search(r"^error: command line: plugin: .*none\.py: No such file", resexp.told)
    assert not (resexp.folder / "results/own/report").exists()


def test_no_file_changes_what_the_others_see(resexp: Resexp) -> None:
    (resexp.folder / "greedy.py").write_text(
        "ORDER = 0\n"
        "def table(records):\n"
        "    records.trials.loc[:, 'status'] = 'failed'\n"
        "    records.settings.clear()\n"
    )
    records = api.results("own")
    greedy = build(records, [read_plugin(Path("greedy.py"))])
    assert not greedy.lost
    assert render(greedy) == render(build(records))
