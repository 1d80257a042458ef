"""The real program, as users and CI jobs call it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

from resexp.cli.app import app, main
from resexp.cli.show import ROLES
from resexp.errors import NoExperimentError

ROOT = Path(__file__).parents[2]
SMOKE = str(ROOT / "configs/smoke.yaml")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in which one smoke sweep has been run, with a trial that diverges."""
    folder = tmp_path_factory.mktemp("place")
    done = resexp(folder, "run", SMOKE, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "6 done" in done.stdout
    return folder


def resexp(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RESEXP_DATA": str(folder / "data"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "resexp", *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=600
    )


Here = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The program in this process, for the many cases that would each wait for torch."""
    monkeypatch.setenv("RESEXP_DATA", str(place / "data"))
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str, folder: Path = place) -> Ended:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["resexp", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return call


def test_report_json_has_what_ci_jobs_read(here: Here) -> None:
    found = json.loads(here("report", "smoke", "--format", "json").stdout)
    assert found["schema_version"] == 1
    assert found["experiment"] == "smoke"
    trials = found["trials"]
    assert isinstance(trials, list)
    assert len(trials) == 6
    for trial in trials:
        assert trial["status"] == "done"
        assert {trial["connection"]} <= {"plain", "residual", "skip"}
        assert 0 <= trial["train_error"] <= 1
        assert 0 <= trial["test_error"] <= 1
        assert trial["params"] > 0
        assert trial["macs"] > 0
        assert trial["seconds"] > 0
    assert {row["connection"] for row in found["degradation"]} == {"plain", "residual", "skip"}
    assert {row["when"] for row in found["gradients"]} == {"init", "end"}


def test_running_again_does_nothing_and_adding_a_seed_only_that(here: Here) -> None:
    again = here("run", SMOKE)
    assert again.returncode == 0
    assert "started" not in again.stderr
    more = here("run", SMOKE, "seed=0,1", "model.depth=8", "model.connection=plain")
    assert more.returncode == 0
    started = [line for line in more.stderr.splitlines() if line.startswith("started")]
    assert started == ["started   plain_d8_s1"]
    assert here("run", SMOKE).returncode == 0


def test_a_part_of_the_plan_is_trained_without_changing_the_plan(here: Here, tmp_path: Path) -> None:
    results = ["--results", str(tmp_path)]
    chosen = ["--only", "model.depth=8", "--only", "model.connection=plain"]
    trained = here("run", SMOKE, *chosen, *results)
    assert trained.returncode == 0, trained.stderr
    assert "1 done" in trained.stdout
    assert "Left to train: 5 other trials of the plan" in trained.stdout
    status = json.loads(here("status", "--format", "json", *results).stdout)
    assert status["counts"] == {"done": 1, "pending": 5}
    (done,) = (trial for trial in status["trials"] if trial["status"] == "done")
    assert (done["variant"], done["depth"], done["epoch"] > 0) == ("plain", 8, True)
    assert {trial["test_error"] for trial in status["trials"] if trial != done} == {None}


def test_a_part_that_no_trial_is_in_says_which_values_there_are(here: Here) -> None:
    absent = here("run", SMOKE, "name=absent", "--only", "model.depth=9")
    assert absent.returncode == 2
    assert "the plan has 8, " in absent.stderr
    unknown = here("run", SMOKE, "--only", "depth=8")
    assert unknown.returncode == 2
    assert here("run", SMOKE, "--only", "model.depth=8", "--fresh").returncode == 2


def test_check_ends_with_4_where_something_falls_short_and_writes_junit(here: Here, tmp_path: Path) -> None:
    junit = tmp_path / "checks.xml"
    short = here("check", "smoke", "test_error(plain, 8) < 99 %", "--junit", str(junit))
    assert short.returncode == 4
    assert "three seeds are the fewest that decide anything" in short.stdout
    assert short.stdout.endswith("1 of 2 expectations holds.\n")
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert here("check", "smoke").returncode == 0
    assert here("check", "smoke", "--quiet").stdout == ""
    wrong = here("check", "smoke", "test_eror(plain, 8) < 99 %")
    assert wrong.returncode == 2
    assert "test_error" in wrong.stderr


def test_a_configuration_of_the_package_is_known_by_its_name(here: Here, tmp_path: Path) -> None:
    known = here("plan", "he2015_depth", "--tier", "quick", "--format", "json", folder=tmp_path)
    assert json.loads(known.stdout)["experiment"] == "he2015_depth-quick"
    wrong = here("plan", "he2015_dept", folder=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean he2015_depth?" in wrong.stderr
    (tmp_path / "he2015_depth").mkdir()  # what lies in the current folder comes before the package's
    assert here("plan", "he2015_depth", folder=tmp_path).returncode == 2
    shown = here("gallery", "show", "he2015_depth")
    assert shown.stdout == (ROOT / "configs/papers/he2015_depth.yaml").read_text("utf-8")


def test_the_demonstration_needs_no_file(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resexp.config.packaged.DEMO", Path(SMOKE))  # two seconds instead of two minutes
    done = here("demo", "--jobs", "2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/smoke/report/figures/error_vs_depth.svg").is_file()
    assert "error_vs_depth.svg" in done.stdout


def test_lines_of_help_end_where_the_terminal_does() -> None:
    commands = typer.main.get_command(app).commands
    helps = [command.help for command in (*commands.values(), *commands["gallery"].commands.values())]
    assert len(helps) > 20
    assert all(re.sub("\n\n", "", told).count("\n") == 0 for told in helps)
    assert "\n\nExit status: 0 all done" in commands["run"].help


def test_version(here: Here) -> None:
    assert here("--version").stdout == f"resexp {metadata.version('resexp')}\n"


def test_a_trained_network_opens_and_errs_as_it_was_reported(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    import resexp as package

    monkeypatch.setenv("RESEXP_DATA", str(place / "data"))
    root = str(place / "results")  # texts are paths as well
    trial = package.results("smoke", root).trials.iloc[0]
    for key in (trial["name"], trial["id"]):
        network, data = package.open_trial("smoke", key, root)
        inputs, labels = data.test.batch(torch.arange(len(data.test)))
        with torch.no_grad():
            wrong = (network(inputs).argmax(1) != labels).float().mean().item()
        assert wrong == pytest.approx(trial["test_error"])
    with pytest.raises(NoExperimentError, match="did you mean plain_d8_s0"):
        package.open_trial("smoke", "plain_d8_s00", root)


@pytest.mark.parametrize("part", [[], ["--full"], ["--section", "setup"]], ids=str)
def test_a_program_that_reads_a_report_gets_plain_spaces(part: list[str], here: Here) -> None:
    printed = here("report", "smoke", *part).stdout
    assert "epochs" in printed
    assert not {"\u00a0", "\u202f"} & set(printed)
    assert not [line for line in printed.splitlines() if line != line.rstrip()]


def test_report_writes_every_format(place: Path, here: Here) -> None:
    shown = resexp(place, "report", "smoke")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) <= 24
    assert shown.stderr.startswith("Written: results/smoke/report/report.html, ")
    whole = here("report", "smoke", "--full").stdout
    assert {"Degradation", "Gradient norms", "Measured with"} <= set(whole.splitlines())
    section = here("report", "smoke", "--section", "gradients").stdout
    assert section.startswith("Gradient norms\n")
    assert section in whole
    folder = place / "results/smoke/report"
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "report.md", "report.tex", "report.json", "trials.csv", "figures"} <= names
    assert list((folder / "figures").glob("*.svg"))
    for format, name in (("latex", "report.tex"), ("markdown", "report.md")):
        table = here("report", "smoke", "--section", "gradients", "--format", format).stdout
        assert "Gradient norms" in table
        assert "Degradation" not in table
        assert set(table.splitlines()) <= set((folder / name).read_text().splitlines())


def test_the_latest_experiment_is_reported_without_a_name(here: Here) -> None:
    assert here("report").stdout.splitlines()[0].startswith("smoke")


def test_status_and_plan(here: Here) -> None:
    assert "6 done" in here("status").stdout
    outline = json.loads(here("plan", SMOKE, "--format", "json").stdout)
    assert {trial["status"] for trial in outline["trials"]} == {"done"}
    assert outline["seconds_left"] == 0
    more = here("plan", SMOKE, "seed=7,8").stdout
    assert more.split()[:7] == ["variant", "depth", "seeds", "params", "MACs", "activations", "done"]
    assert "12 trials: 12 pending." in more
    assert ", judging by 6 finished trials." in here("plan", SMOKE, "seed=0,7").stdout
    assert " on idle cores, from timed steps of two networks. Probes may add more than that." in more
    assert "Checkpoints: about " in more


def test_a_diverging_trial_is_a_row_and_the_exit_status_is_3(here: Here) -> None:
    overrides = ["name=bad", "model.norm=none", "model.connection=plain,residual", "model.depth=8"]
    rates = ["training.optimizer={kind: sgd, lr: 0.05},{kind: sgd, lr: 1e30}"]
    done = here("run", SMOKE, *overrides, *rates)
    assert done.returncode == 3, done.stderr
    trials = json.loads(here("report", "bad", "--format", "json").stdout)["trials"]
    assert isinstance(trials, list)
    diverged = [trial for trial in trials if trial["status"] == "diverged"]
    assert len(diverged) == 2
    assert all(trial["train_error"] is None for trial in diverged)
    html = here("report", "bad", "--format", "html").stdout
    assert "diverged" in html


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["run", SMOKE, "model.dpeth=8"], 2, "error: command line: model.dpeth: is not a known key; did you"),
        (["run", SMOKE, "model.dpeth=8"], 2, "did you mean model.depth?"),
        (["run", SMOKE, "depth=20"], 2, "did you mean model.depth?"),
        (["run", SMOKE, "lr=0.1"], 2, "did you mean training.optimizer.lr?"),
        (["run", SMOKE, "trainig.epochs=3"], 2, "did you mean training.epochs?"),
        (
            ["run", SMOKE, "training.ema=0.9"],
            2,
            "no known key is like it; the keys of training are epochs, iterations",
        ),
        (
            ["run", SMOKE, "early_stopping=3"],
            2,
            "no known key is like it; the keys are name, data, task, model, ",
        ),
        (
            ["run", SMOKE, "data.cutout=4"],
            2,
            "no known key is like it; the keys of data are kind, train_size",
        ),
        (["run", SMOKE, "data.cutout=4"], 2, " more, which `resexp schema` lists"),
        (["run", SMOKE, "--epochs", "3"], 2, "write training.epochs=VALUE; `"),
        (["run", SMOKE, "--seeds", "3"], 2, "write seed=VALUE, or several values separated by commas; `"),
        (["demo", "--epochs", "3"], 2, "write resexp run depth_sweep training.epochs=VALUE; `"),
        (["demo", "training.epochs=3"], 2, "write resexp run depth_sweep training.epochs=3; `"),
        (["run", SMOKE, "--gpu"], 2, "error: No such option: --gpu. Write --device cuda; `"),
        (["run", SMOKE, "--dry-run"], 2, "error: No such option: --dry-run. Write `resexp plan CONFIG`; `"),
        (["doctor", "--gpu"], 2, "error: No such option: --gpu; `"),
        (
            ["run", SMOKE, "model.depth", "=", "20"],
            2,
            "model.depth = 20: has spaces around =; write key=value",
        ),
        (["train", SMOKE], 2, "error: No such command 'train'. Write `resexp run CONFIG`; `"),
        (["he2015_depth"], 2, "error: No such command 'he2015_depth'. Write `resexp run he2015_depth`; `"),
        (["mine.yaml"], 2, "Write `resexp run mine.yaml`; `"),
        (["gallery", "list"], 2, "resexp gallery` alone; `"),
        (["reprot"], 2, "error: No such command 'reprot'. Did you mean 'report'? `"),
        (["probe", "smoke", "lesion"], 2, "error: 'lesion' is one argument too many; `"),
        (["check", "smoke", "skip is great"], 2, "'skip is great': is neither a comparison nor a claim"),
        (["run"], 2, "error: Missing argument 'CONFIG'"),
        (["trian", SMOKE], 2, "error: No such command 'trian'"),
        (["--verbose"], 2, "error: No such option: --verbose"),
        (["plan", SMOKE, "model.depth=9"], 2, "near it: 8 or 14"),
        (["plan", SMOKE, "data={kind: image_folder, root: no/such/place}"], 2, "no/such/place"),
        (["run", SMOKE, "--device", "tpu"], 2, "there is no device 'tpu'"),
        (["report", "unknown"], 2, "there is no experiment 'unknown'"),
        (["report", "smoke", "--section", "gradient"], 2, "one of verdicts, setup, degradation, accuracy"),
        (["report", "smoke", "--full", "--format", "csv"], 2, "does not go with --format csv"),
        (
            ["report", "smoke", "--section", "setup", "--format", "json"],
            2,
            "give --format terminal, markdown or latex",
        ),
        (["report", "smoke", "--section", "setup", "--format", "latex"], 2, "there is no table 'setup'"),
        (
            ["report", "smoke", "--full", "--section", "setup"],
            2,
            "--full: prints everything, and --section one",
        ),
        (["run", SMOKE, "--until", "decded"], 2, "for '--until': 'decded' is not one of 'decided'"),
        (["run", SMOKE, "--threads", "x"], 2, "for '--threads': give a whole number"),
        (["run", SMOKE, "--max-seeds", "1"], 2, "for '--max-seeds': give at least 3"),
        (["plan", SMOKE, "--only", "model.depth=9"], 2, "no trial has 9; the plan has 8, 14"),
        (["show", "conections"], 2, "one of connections"),
        (["show", "connections", "residul"], 2, "did you mean residual?"),
        (["show", "probes", "my_probe"], 2, "A part of your own needs --plugin FILE."),
        (["run", SMOKE, "model.connection=my_kind"], 2, "add --plugin FILE if it is a part of your own"),
        (["init", "data"], 2, "exists already"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    arguments: list[str], status: int, words: str, here: Here
) -> None:
    done = here(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) <= 24


def test_no_experiments_at_all(tmp_path: Path, here: Here) -> None:
    done = here("report", folder=tmp_path)
    assert done.returncode == 2
    assert "no experiments yet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_refused_in_planning_leaves_nothing(tmp_path: Path, here: Here) -> None:
    assert here("run", SMOKE, "model.depth=9", folder=tmp_path).returncode == 2
    assert not list(tmp_path.rglob("smoke*"))


def test_a_plan_writes_nothing(tmp_path: Path, here: Here) -> None:
    assert here("plan", SMOKE, folder=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_plan_until_decided_is_that_of_the_last_look(tmp_path: Path, here: Here) -> None:
    plan = ["plan", SMOKE, "--until", "decided"]
    found = here(*plan, "--max-seeds", "5", "--format", "json", folder=tmp_path).stdout
    assert len({trial["seed"] for trial in json.loads(found)["trials"]}) == 5
    assert "Looks at 3 / 5 / 8 / 12 seeds per setting" in here(*plan, folder=tmp_path).stdout
    refused = here(*plan, "seed=0,1,2,3", "--max-seeds", "3", folder=tmp_path)
    assert refused.returncode == 2
    assert "give --max-seeds 4" in refused.stderr


def test_a_plan_of_a_part_counts_the_rest(tmp_path: Path, here: Here) -> None:
    planned = here("plan", SMOKE, "--only", "model.depth=8", folder=tmp_path).stdout
    assert "3 trials: 3 pending." in planned
    assert "Not chosen by --only: 3 other trials of the plan." in planned
    rows = json.loads(here("plan", SMOKE, "--only", "model.depth=8", "--format", "json").stdout)["trials"]
    assert {row["depth"] for row in rows} == {8}


def test_whoever_does_not_agree_to_deleting_loses_nothing(place: Path, here: Here) -> None:
    before = sorted(place.rglob("result.json"))
    said_no = resexp(place, "run", SMOKE, "--fresh", stdin="n\n")
    assert said_no.returncode == 130
    assert "Nothing was deleted, and nothing was trained." in said_no.stderr
    silent = resexp(place, "run", SMOKE, "--fresh")
    assert silent.returncode == 2
    assert "standard input gives no answer; add --yes to delete" in silent.stderr
    assert sorted(place.rglob("result.json")) == before != []
    assert "6 done" in here("status", "smoke").stdout


def test_the_help_of_show_names_every_role(here: Here) -> None:
    shown = here("show", "--help").stdout
    assert [role for role in ROLES if role not in shown] == []


def test_show_prints_equations_and_options(here: Here) -> None:
    shown = here("show", "connections").stdout
    for words in ("h' = f(h)", "h' = S h + f(h)", "h' = [S h, f(h)]", "1512.03385", "default pad"):
        assert words in shown


def test_init_writes_a_config_that_plans(tmp_path: Path, here: Here) -> None:
    assert here("init", "mine.yaml", folder=tmp_path).returncode == 0
    planned = here("plan", "mine.yaml", folder=tmp_path)
    assert "18 trials" in planned.stdout
    assert here("init", "mine.yaml", folder=tmp_path).returncode == 2


def test_schema_and_doctor(here: Here) -> None:
    assert json.loads(here("schema").stdout)["properties"]["model"]
    done = here("doctor")
    assert done.returncode == 0
    assert "ok   torch " in done.stdout


@pytest.mark.parametrize("config", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_config_loads_and_says_why(config: Path) -> None:
    from resexp import load

    experiment = load(config)
    assert experiment.points
    assert experiment.why
    assert experiment.expect


LATE = """\
import atexit, os, signal, sys
from resexp.cli.app import main
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv = ["resexp", "--help"]
main()
"""


def test_a_signal_while_a_command_is_ending_shows_no_traceback() -> None:
    """As a second Ctrl-C does, which comes while the process that starts trials is being ended."""
    ended = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
    assert "Usage" in ended.stdout


def test_parts_are_shown_with_the_options_that_all_of_their_role_have(here: Here) -> None:
    shown = here("show", "models", "resnet").stdout
    assert "\nEvery model also has these options, which are refused where they have no effect:\n" in shown
    assert "    - depth: integer (> 0, <= 4000), required\n" in shown
    assert "    - connection: see `resexp show connections`, default plain\n" in shown
    assert "    - init_noise: number (>= 0, <= 1), default 0.1\n" in shown
    assert "    - train_size: integer (> 0, " in here("show", "data").stdout
    low = "    - low_rate: mapping with factor and until_train_error | null, default null\n"
    assert low in here("show", "schedules").stdout
    assert "also has" not in here("show", "connections", "plain").stdout


@pytest.mark.parametrize("kind", [(), ("plain",)])
def test_equations_are_shown_after_their_letters(here: Here, kind: tuple[str, ...]) -> None:
    shown = here("show", "connections", *kind).stdout
    assert shown.startswith("In these equations h is the state before a block, ")
    assert "In these equations" not in here("show", "probes", "cka").stdout
