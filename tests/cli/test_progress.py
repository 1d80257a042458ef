import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import pytest
import stub
from rich.console import Console

from resexp.cli import progress
from resexp.cli.console import summary_line
from resexp.execution.display import RunningTrial, View
from resexp.execution.lines import Fading, LineDisplay, line_console, print_line
from resexp.execution.supervisor import SweepSummary
from resexp.store import State, Status

DONE = State(Status.DONE, result={"train_error": 0.123, "test_error": 0.2, "seconds": 65.4})
FAILED = State(Status.FAILED, "out of memory", failure={"cause": "out of memory"})


def view(running: int) -> View:
    row = {"epoch": 3, "epochs": 10, "step": 30, "steps": 100, "error": 0.257, "loss": None}
    trials = tuple(
        RunningTrial(stub.trial(f"plain-{n}"), row if n else {}, 75.0 if n else None) for n in range(running)
    )
    return View(20, 4, {"done": 2, "failed": 1}, trials, 0.4, 7500.0)


def shown(item: progress.RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(item)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_elsewhere_each_event_is_one_line() -> None:
    console = Console(file=io.StringIO(), width=30)
    lines = progress.choose(console)
    lines.started(stub.trial("plain-56-with-a-long-name-s0"), 1)
    lines.started(stub.trial("a"), 2)
    lines.tick(view(2))
    lines.finished(stub.trial("a"), DONE)
    lines.finished(stub.trial("[b]"), FAILED)
    lines.finished(stub.trial("c"), State(Status.PENDING))
    lines.again(stub.trial("d"), "its folder was deleted")
    lines.close()
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "started   plain-56-with-a-long-name-s0",
        "started   a (attempt 2)",
        "done      a  train error 12.3 %  test error 20.0 %  1:05 min",
        "failed    [b]  out of memory",
        "stopped   c  the next run continues it",
        "again     d  its folder was deleted",
    ]


def test_on_a_terminal_the_table_shows_trials_and_the_sweep() -> None:
    lines = [" ".join(line.split()) for line in shown(progress.table(view(2))).splitlines()]
    assert "plain-0 starting – – –" in lines
    assert "plain-1 3/10 25.7 % – 1:15 min" in lines
    assert lines[-1].endswith("7/20 trials 1 failed 2:05 h left")


def test_the_table_stays_on_the_screen() -> None:
    text = shown(progress.table(view(40)), width=60)
    assert "and 24 more" in text
    assert len(text.splitlines()) < 24
    assert max(map(len, text.splitlines())) <= 60


def test_the_live_table_leaves_outcomes_above_it() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    live = progress.choose(console)
    live.tick(view(1))
    live.finished(stub.trial("a"), FAILED)
    live.again(stub.trial("b"), "its folder was deleted")
    live.close()
    assert "again     b  its folder was deleted" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "failed    a  out of memory" in console.file.getvalue()  # type: ignore[attr-defined]


def test_control_characters_of_a_cause_do_not_reach_the_terminal() -> None:
    line = progress.outcome(stub.trial("a"), State(Status.FAILED, "error: \x1b[2J\x07bad"))
    assert "\x1b" not in line
    assert "\x07" not in line


def test_a_log_that_nobody_reads_any_more_falls_silent() -> None:
    reading, writing = os.pipe()
    with open(writing, "w", buffering=1) as file:
        lines = progress.choose(Console(file=cast("IO[str]", Fading(file))))
        lines.started(stub.trial("a"), 1)
        assert os.read(reading, 99) == b"started   a\n"
        os.close(reading)
        for _ in range(3):
            lines.started(stub.trial("b"), 1)
        lines.close()
        assert os.path.samestat(os.fstat(writing), os.stat(os.devnull)), "closing it must not fail either"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_log_whose_disk_is_full_falls_silent() -> None:
    with open("/dev/full", "w", buffering=1) as file:
        lines = progress.choose(Console(file=cast("IO[str]", Fading(file))))
        lines.started(stub.trial("a"), 1)
        lines.close()


def test_the_end_of_a_run_names_probes_without_readings() -> None:
    summary = SweepSummary({"done": 2})
    said = summary_line("exp", Path("results/exp"), summary)
    failed = summary_line("exp", Path("results/exp"), replace(summary, unmeasured={"cka": 2, "mine": 1}))
    assert failed.startswith(
        "results/exp: 2 done. The probe cka failed every time in 2 trials and has no readings there. "
    )
    assert said == "results/exp: 2 done.\nNext: resexp report exp"


@pytest.mark.parametrize("width", [80, 200])
def test_the_live_table_uses_the_width_says_test_error_and_is_not_red(width: int) -> None:
    row = {"epoch": 3, "epochs": 10, "step": 30, "steps": 100, "error": 0.257, "loss": None}
    view = View(4, 1, {}, (RunningTrial(stub.trial("a"), row, 5.0),), 0.9, 60.0)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system="truecolor")
    console.print(progress.table(view, width))
    text = out.getvalue()
    red = r"\x1b\[[\d;]*38;2;249;38;114|\x1b\[(?:\d+;)*31m"
    assert not re.search(red, text)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert "test error" in plain
    ruled = [line for line in plain.splitlines() if "──" in line]
    assert [len(line.rstrip()) for line in ruled] == [width - 1]
    assert max(line.count("━") for line in plain.splitlines()) > width // 2


@pytest.mark.parametrize("name", ["a", "a-very-long-name-" * 5])
def test_on_a_wide_terminal_a_bar_leads_from_each_trials_name_to_its_numbers(name: str) -> None:
    row = {"epoch": 3, "epochs": 10, "step": 30, "steps": 100, "error": 0.257, "loss": 1.0}
    view = View(4, 1, {}, (RunningTrial(stub.trial(name), row, 5.0),), 0.9, 60.0)
    for width, bars in ((80, 1), (progress.WIDE, 2), (200, 2)):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="standard")
        console.print(progress.table(view, width))
        coloured = console.file.getvalue()  # type: ignore[attr-defined]
        lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured.splitlines()]
        assert sum("━" in line for line in lines) == bars
        assert max(map(len, lines)) <= width
        (of_trial,) = [line for line in lines if "25.7 %" in line]
        assert {"3/10", "1.000"} <= set(of_trial.split())
        assert bars == 1 or "━" * 10 in of_trial


def test_a_line_that_came_from_elsewhere_is_harmless() -> None:
    out = io.StringIO()
    print_line(Console(file=out, width=20), "data: \x1b[2J" + "x" * 40 + "\nmore")
    assert out.getvalue() == "data: \\x1b[2J" + "x" * 40 + "\nmore\n"


def test_a_run_from_python_goes_on_where_its_lines_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1) as file:
        monkeypatch.setattr("sys.stderr", file)
        shown = LineDisplay(line_console())
        shown.started(stub.trial("a"), 1)
        shown.finished(stub.trial("a"), DONE)
