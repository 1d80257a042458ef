"""The documentation: its commands can be typed, its examples work, and the site builds strictly."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer.main
import yaml

import resexp
from resexp import api
from resexp.catalog.plugins import read_plugin
from resexp.cli.app import app
from resexp.config.expectation import parse
from resexp.config.load import load, read_plugins
from resexp.report.build import build

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```(?:sh|yaml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TYPED = re.compile(r"^\s*(?:- run: )?(resexp .*)$", re.MULTILINE)
INLINE = re.compile(r"`(resexp [^`]+)`")


def commands(page: Path) -> list[str]:
    """The command lines of a page: in blocks of shell or YAML, and as code within sentences."""
    text = page.read_text("utf-8")
    typed = [line for block in FENCED.findall(text) for line in TYPED.findall(block)]
    return typed + INLINE.findall(FENCED.sub("", text))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


def test_pages_have_commands_at_all() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)[1:]
        command: Any = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands") or not words or command.name == "gallery", line
        known = {option for each in command.params for option in each.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line
        for word in words:
            assert not word.startswith("configs/") or (ROOT / word).is_file(), line


def test_the_example_of_a_configuration_is_one(tmp_path: Path) -> None:
    (example,) = blocks("docs/configuration.md", "yaml")
    file = tmp_path / "example.yaml"
    file.write_text(example)
    experiment = load(file)
    assert len(experiment.points) == 27
    assert experiment.checks == ("residual does not degrade",)


def test_the_example_of_a_connection_is_found_and_planned(tmp_path: Path) -> None:
    files = [tmp_path / "my_connection.py", tmp_path / "my_history.py"]
    for file, code in zip(files, blocks("docs/tutorials/researcher.md", "python"), strict=True):
        file.write_text(code)
    kinds = [part.kind for plugin in read_plugins(files) for part in plugin_parts(plugin)]
    assert kinds == ["damped", "every_state"]
    chosen = ["model.connection=residual,damped,every_state", "model.depth=8,20", "seed=0"]
    experiment = load("depth_sweep", chosen, plugins=files)
    planned = [trial.name for trial in api.trials(experiment, "cpu") if "every" in trial.name]
    assert planned == ["every-state_d8_s0", "every-state_d20_s0"]


def plugin_parts(plugin: Any) -> list[Any]:
    from resexp.catalog.scan import parts

    return [part for part in parts("connection", (plugin,)).values() if part.plugin]


def test_the_examples_of_a_probe_a_table_and_a_figure_are_in_a_report(tmp_path: Path) -> None:
    page = "docs/howto/parts.md"
    names = ("my_probe.py", "my_table.py", "my_figure.py")
    for name, code in zip(names, blocks(page, "python"), strict=True):
        assert code.startswith(f"# {name}\n")
        (tmp_path / name).write_text(code)
    (tmp_path / "own.yaml").write_text(
        "{name: own, data: {kind: synthetic, train_size: 64, test_size: 32}, training: {epochs: 1},"
        " model: {kind: resnet, depth: 14, width: 4, connection: residual}, plugins: [my_probe.py],"
        " probes: [{kind: turning, at: [0, 1]}, {kind: weight_norms, at: [1]}], sweep: {seed: [0, 1]}}"
    )
    run = api.run(load(tmp_path / "own.yaml"), device="cpu", jobs=1, results=tmp_path)
    assert dict(run.counts) == {"done": 2}
    records = api.results(tmp_path / "own")
    report = build(records, [read_plugin(tmp_path / name) for name in names[1:]])
    assert not report.faults
    (worst,) = [table for table in report.tables if table.key == "worst_seeds"]
    assert worst.rows[0]["worst"] == records.trials["test_error"].max()
    assert "my_figure" in {drawing.key for drawing in report.drawings}
    assert set(records.probes["name"]) == {"turn", "weight_norm"}
    text = (ROOT / page).read_text("utf-8").partition("## What `records` has")[2]
    for line in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        assert set(re.findall(r"`(\w+)`", line)) <= set(records.trials.columns)


def test_the_examples_of_tables_from_elsewhere_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    jsonl, epochs, names, python = blocks("docs/howto/judge.md", "python")
    runs = [{"model": "plain", "depth": depth, "seed": seed} for depth in (8, 20) for seed in range(3)]
    last = {"train_acc": 0.9, "test_acc": 0.8}
    exec(jsonl, {"frame": pd.DataFrame([{"config": run, "summary": last} for run in runs])})
    assert len(resexp.judge("runs.jsonl").records.trials) == len(runs)
    log = [{**run, **last, "epoch": epoch, "train_acc": epoch / 10} for epoch in (2, 1) for run in runs]
    kept: dict[str, Any] = {"log": pd.DataFrame(log)}
    exec(epochs, kept)
    assert resexp.judge(kept["last"]).records.trials["train_error"].tolist() == [0.8] * len(runs)
    frame = pd.DataFrame([{**last, "arch": f"res2net{run['depth']}", "lr": 0.1, **run} for run in runs])
    given = {"frame": frame.drop(columns=["model", "depth"]), "resexp": resexp}
    exec(names, given)
    exec(python, given)
    assert set(given["frame"]["net"]) == {"res2net"}


def test_the_examples_of_expectations_are_understood() -> None:
    (listed, _) = blocks("docs/tutorials/ci.md", "yaml")
    for text in yaml.safe_load(listed)["checks"]:
        parse(text)


def test_the_readme_fits_on_a_page() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 100


def test_the_site_builds_strictly_and_needs_no_other_site(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "resexp demo" in page
    loaded = re.findall(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"(https?://[^\"]+)", page)
    assert not loaded
    parts, python = (
        re.sub("<[^>]*>", "", (tmp_path / f"reference/{name}.html").read_text("utf-8"))
        for name in ("parts", "python")
    )
    assert "manifold_hyper" in parts
    assert "In these equations h is the state before a block" in parts
    assert "init_noise: number (&gt;= 0, &lt;= 1), default 0.1" in parts
    assert "experiment: Experiment,\n    *,\n    device: str = 'auto'," in html.unescape(python)
    assert "--until" in (tmp_path / "reference/commands.html").read_text("utf-8")


def test_the_glossary_of_the_docs_is_that_of_the_report() -> None:
    from resexp.report import glossary

    assert (ROOT / "docs/glossary.md").read_text() == glossary.page()
    assert list(glossary.TERMS) == sorted(glossary.TERMS, key=str.lower)
