"""A connection of the user's own, in a file beside the config: listed, swept, and kept with its results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resexp import api
from resexp.catalog import trusted
from resexp.catalog.plugins import Plugin
from resexp.cli.app import main
from resexp.config.fields import plugins_of
from resexp.config.load import read_plugins
from resexp.config.parse import parse_settings
from resexp.config.settings import models
from resexp.data import cache
from resexp.errors import ConfigError, StoreError
from resexp.plan.trial import Trial
from resexp.report.build import build
from resexp.store import finished

MINE = '''\
import torch

from resexp.connections.base import Connection
from resexp.options import Real


class Damped(Connection):
    """h' = S h + tanh(a) f(h),  a learned, from `initial`"""

    def __init__(self, site, *, initial: Real = 0.1):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)
        self.a = torch.nn.Parameter(torch.tensor(initial))

    def forward(self, h, f):
        return self.shortcut(h) + torch.tanh(self.a) * f(h)
'''
CONFIG = """\
name: mine
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 1, batch_size: 32}
sweep: {model.connection: [residual, {kind: damped, initial: 0.5}]}
"""
DATA = '''\
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
            image[4 * label : 4 * label + 4] = BRIGHT
        yield from chunks(images, labels, image_size)
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the plugin and a config; the current one."""
    (tmp_path / "my_connection.py").write_text(MINE)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    return tmp_path


def planned(*overrides: str) -> list[Trial]:
    return api.trials(api.load("mine.yaml", overrides, plugins=["my_connection.py"]), "cpu")


def resexp(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "resexp", *arguments]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=600)


def test_from_the_file_to_the_report_though_the_file_is_gone(place: Path) -> None:
    done = resexp("run", "mine.yaml", "--plugin", "my_connection.py", "--jobs", "1", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "2 done" in done.stdout
    (place / "my_connection.py").unlink()
    assert api.probe("mine", ["cka"], device="cpu") == 2
    records = api.results("mine")
    assert set(records.trials["connection"]) == {"residual", "damped"}
    assert len(records.probes) > 0
    shown = resexp("report", "mine", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    assert {row["connection"] for row in json.loads(shown.stdout)["trials"]} == {"residual", "damped"}
    assert not list(place.rglob("__pycache__"))


def test_the_header_names_plugins_from_its_own_folder(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "mine.yaml").write_text(CONFIG + "plugins: [my_connection.py]\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    experiment = api.load(
        place / "mine.yaml", ["model.connection=damped", "model.connection.initial=0.2,0.3"]
    )
    assert [point.settings.model.connection.options() for point in experiment.points] == [
        {"initial": 0.2},
        {"initial": 0.3},
    ]
    assert [plugin.file.name for plugin in experiment.plugins] == ["my_connection.py"]


def test_only_trials_that_use_it_name_it_and_change_with_it(place: Path) -> None:
    residual, damped = planned()
    assert (dict(residual.plugins), list(damped.plugins.values())) == ({}, ["my_connection.py"])
    (place / "my_connection.py").write_text(MINE.replace("tanh(self.a)", "sin(self.a)"))
    assert [a.id == b.id for a, b in zip(planned(), (residual, damped), strict=True)] == [True, False]
    assert Trial.from_json(json.loads(json.dumps(damped.to_json()))) == damped


def test_settings_know_their_plugins_and_need_them_again(place: Path) -> None:
    experiment = api.load("mine.yaml", plugins=["my_connection.py"])
    residual, damped = (point.settings for point in experiment.points)
    assert (plugins_of(residual), plugins_of(damped)) == ((), experiment.plugins)
    data = damped.model_dump(mode="json")
    assert parse_settings(data, experiment.plugins) == damped
    with pytest.raises(ConfigError, match=r"model\.connection: 'damped' is not known"):
        parse_settings(data)
    assert models("connection", experiment.plugins)["plain"] is models("connection")["plain"]
    (plugin,) = experiment.plugins
    assert plugin.file == place / "my_connection.py"
    assert plugin.module() is plugin.module(), "it runs once"


def test_a_damaged_copy_is_told(place: Path) -> None:
    experiment = api.load("mine.yaml", ["model.connection=damped"], plugins=["my_connection.py"])
    assert api.run(experiment, device="cpu", jobs=1).exit_status == 0
    (one,) = finished(place / "results/mine")
    (copy,) = (place / "results/mine/plugins").iterdir()
    assert copy.read_text() == MINE
    copy.write_text("import os\n")
    with pytest.raises(StoreError, match=r"is not the my_connection\.py that was used"):
        one.plugins()
    copy.unlink()
    with pytest.raises(StoreError, match=r"run the experiment again with my_connection\.py"):
        api.probe("mine", ["cka"], device="cpu")


def test_show_lists_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["resexp", "show", "connections", "--plugin", "my_connection.py"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert "damped\n    h' = S h + tanh(a) f(h)" in shown
    assert "- initial: number, default 0.1" in shown
    assert "residual\n" in shown


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("class Damped", "class (", r":7: cannot be read: .*; it should be Python"),
        (
            "class Damped",
            "class Residual",
            r":7: Residual: is defined in .*core.py too; rename",
        ),
        (
            "initial: Real",
            "initial",
            r":10: Damped.initial: a missing annotation is not .*; annotate",
        ),
        ("initial: Real", 'initial: "a b"', r":10: Damped.initial: .*; annotate"),
        (
            "site, *, initial",
            "site, initial",
            r":7: Damped.initial: is not an option, because no \* .*; put a bare \* before initial",
        ),
        ("Connection)", "object)", r":1: defines no part; name one of Connection"),
        (
            "import torch",
            "import no_such_module",
            r":1: cannot be imported: ModuleNotFoundError",
        ),
        (
            "super().__init__(site)",
            "self.branch = 1",
            r":7: Damped.__init__: does not call the constructor of its base; begin it with super",
        ),
        (
            "def forward",
            "def forwards",
            r":7: Damped: has no method forward; define it as resexp\.connections",
        ),
        ("torch.tanh", "torch.tahn", r":16: fails: AttributeError: .*tahn"),
        ("self.shortcut(h) +", "torch.cat([h, h], 1) +", r":16: fails: RuntimeError"),
        ("self.shortcut =", "self.shortcut, _ =", r":12: fails: TypeError"),
        (
            "site, *,",
            "site, other, *,",
            r":1: does not work where it is used: TypeError: .* missing 1 required",
        ),
    ],
)
def test_a_fault_in_it_is_told_with_its_line(place: Path, before: str, after: str, told: str) -> None:
    assert before in MINE
    (place / "my_connection.py").write_text(MINE.replace(before, after))
    with pytest.raises(ConfigError, match=rf"my_connection\.py{told}"):
        planned()


def test_a_file_that_is_not_there_is_told_where_it_is_named(place: Path) -> None:
    with pytest.raises(ConfigError, match=r"^command line: plugin: /.*none\.py: No such file"):
        api.load("mine.yaml", plugins=["none.py"])
    (place / "mine.yaml").write_text(CONFIG + "plugins:\n- none.py\n")
    with pytest.raises(ConfigError, match=r"^mine.yaml:7: plugin: /.*none\.py: No such file"):
        api.load("mine.yaml")


def test_a_data_set_of_its_own_is_decoded_anew_when_its_code_changes(place: Path) -> None:
    levels = []
    for bright in (100, 200):
        (place / "my_data.py").write_text(DATA.replace("BRIGHT", str(bright)))
        experiment = api.load(
            "mine.yaml", ["data={kind: halves}", "model.connection=plain,residual"], plugins=["my_data.py"]
        )
        assert len(api.trials(experiment, "cpu")) == 2
        decoded = cache.load_prepared(cache.prepare(experiment.points[0].settings.data))
        levels.append(int(decoded.images["train"].max()))
    assert levels == [100, 200]


@pytest.fixture
def finished_by_somebody(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder of one trial, made by another user: one with another data folder."""
    experiment = api.load("mine.yaml", ["model.connection=damped"], plugins=["my_connection.py"])
    assert api.run(experiment, device="cpu", jobs=1).exit_status == 0
    (copy,) = (place / "results/mine/plugins").iterdir()
    monkeypatch.setenv("RESEXP_DATA", str(place / "my data"))
    return copy


def test_code_in_a_results_folder_runs_only_where_its_user_gave_it(
    place: Path, finished_by_somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Path] = []
    whole = Plugin.module
    monkeypatch.setattr(Plugin, "module", lambda self: ran.append(self.file) or whole(self))  # type: ignore[func-returns-value]
    told = rf"{finished_by_somebody}: is code in the results folder.* --trust; or give the same file"
    with pytest.raises(ConfigError, match=told):
        api.probe("mine", ["cka"], device="cpu")
    (place / "other.py").write_text(MINE + "# other\n")
    with pytest.raises(ConfigError, match=told):
        api.probe("mine", ["cka"], plugins=["other.py"], device="cpu")
    (place / "other.py").unlink()
    assert len(build(api.results("mine")).tables) > 0
    assert ran == [], "neither a refusal nor a report runs anything"
    assert api.probe("mine", ["cka"], device="cpu", trust=True) == 1
    assert finished_by_somebody in ran
    with pytest.raises(ConfigError, match=told):  # trusted once is not trusted for ever
        api.probe("mine", ["cka"], device="cpu")
    assert api.probe("mine", ["cka"], plugins=["my_connection.py"], device="cpu") == 1
    assert api.probe("mine", ["cka"], device="cpu") == 1, "what was given once is known"


def test_what_others_can_write_into_is_no_record_of_what_its_user_gave(
    place: Path, finished_by_somebody: Path
) -> None:
    (plugin,) = read_plugins(["my_connection.py"])
    trusted.remember([plugin])
    trusted.check([plugin], [])
    record = place / "my data" / f"plugins-of-{os.getuid()}"
    record.chmod(0o770)
    with pytest.raises(ConfigError, match="--trust"):
        trusted.check([plugin], [])
    record.chmod(0o700)
    record.rename(place / "elsewhere")
    record.symlink_to(place / "elsewhere")
    with pytest.raises(ConfigError, match="--trust"):
        trusted.check([plugin], [])


def test_the_command_says_what_to_do_about_code_of_others(place: Path, finished_by_somebody: Path) -> None:
    refused = resexp("probe", "mine", "--probe", "cka", "--device", "cpu")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr
    assert "read it (and the files beside it), then add --trust" in refused.stderr
