"""What a network costs is measured once, and again when anything it depends on has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resexp import api
from resexp.config.parse import parse_settings
from resexp.durable import read_rows
from resexp.errors import ConfigError
from resexp.estimate import memo
from resexp.estimate.memo import Remembered, code_fingerprint
from resexp.estimate.network import Measurer, learn
from resexp.machine import devices

SETTINGS = {
    "data": {"kind": "synthetic"},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": "skip", "match": "params"},
    "training": {"epochs": 1},
}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def ask(question: str, answer: int) -> int:
    return Remembered().answer(question, lambda: {"answer": answer})["answer"]


def test_the_first_answer_stands() -> None:
    assert [ask("a", 1), ask("b", 2), ask("a", 3), ask("b", 4)] == [1, 2, 1, 2]


def test_two_processes_add_to_one_file() -> None:
    first, second = Remembered(), Remembered()
    first.answer("a", lambda: {"answer": 1})
    second.answer("b", lambda: {"answer": 2})
    assert [ask("a", 3), ask("b", 4)] == [1, 2]


def test_other_code_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    ask("a", 1)
    monkeypatch.setattr(memo, "code_fingerprint", lambda: "other")
    assert ask("a", 2) == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b'{"crc": "00000000"}\n'])
def test_a_damaged_file_is_asked_anew(damage: bytes, folder: Path) -> None:
    ask("a", 1)
    (folder / "networks.json").write_bytes(damage)
    assert [ask("a", 2), ask("a", 3)] == [2, 2]


def test_without_a_place_to_write_nothing_is_lost_but_time(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert [ask("a", 1), ask("a", 2)] == [1, 2]


def test_the_fingerprint_is_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "__file__", str(tmp_path / "estimate/memo.py"))
    monkeypatch.setattr(memo, "CODE", ("models", "options.py"))
    (tmp_path / "models").mkdir()
    (tmp_path / "options.py").write_text("")
    seen = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "models/part.py").write_text(text)
        seen.add(code_fingerprint())
    (tmp_path / "models/part.py").rename(tmp_path / "models/other.py")
    seen.add(code_fingerprint())
    (tmp_path / "options.py").write_text("b = 1")
    seen.add(code_fingerprint())
    assert len(seen) == 4


@pytest.mark.parametrize("gone", ["options.py", "models"])
def test_code_that_is_named_and_gone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setattr(memo, "__file__", str(tmp_path / "estimate/memo.py"))
    monkeypatch.setattr(memo, "CODE", (gone,))
    with pytest.raises(FileNotFoundError, match=gone):
        code_fingerprint()


def test_a_second_plan_builds_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = parse_settings(SETTINGS)

    def plan() -> object:
        measurer = Measurer("cpu")
        resolved = measurer.resolve(settings)
        return resolved, measurer.cost(resolved)

    first = plan()
    for name in ("build.network_cost", "match.match_size"):
        monkeypatch.setattr(f"resexp.models.{name}", lambda *_: pytest.fail("a network was built again"))
    assert plan() == first


CONFIG = """\
name: known
data: digits
model: {kind: resnet, depth: 8, width: 4, match: params}
training: {epochs: 1, precision: auto}
probes: [gradient_norms]
sweep: {model.connection: [plain, skip], seed: [0, 1]}
"""
PLAN = """\
import sys
from pathlib import Path
from resexp import api
from resexp.estimate.outline import outline
found = outline(api.load("known.yaml"), "cpu", 1, Path("results"))
print("torch" in sys.modules, found.seconds_left)
"""


def test_a_second_plan_does_without_torch(tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text(CONFIG)

    def planned() -> list[str]:
        command = [sys.executable, "-c", PLAN]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.split()

    first, second = planned(), planned()
    assert (first[0], second[0]) == ("True", "False")
    assert first[1] == second[1], "the timed steps are remembered"


RUN = """\
import sys
from pathlib import Path
from resexp import api
if __name__ == "__main__":
    api.run(api.load("known.yaml", ["data=synthetic"]), results=Path("results"))
    print("torch" in sys.modules)
"""


def test_a_first_run_leaves_torch_to_its_workers(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "known.yaml").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False"]
    rows, _ = read_rows((folder / "networks.json").read_bytes())
    assert len(rows) >= 3, "two networks and a size"


def test_a_trial_that_cannot_be_learned_of_leaves_the_others(folder: Path) -> None:
    wrong = parse_settings({**SETTINGS, "task": "segmentation"})
    right = parse_settings(SETTINGS)
    learn("cpu", (), [wrong.model_dump_json(), right.model_dump_json()], {})
    measurer = Measurer("cpu", remembered=Remembered(lambda: pytest.fail("it was not learned")))
    assert measurer.cost(measurer.resolve(right)) is not None


def test_what_does_not_fit_is_refused_every_time(tmp_path: Path) -> None:
    wrong = parse_settings({**SETTINGS, "task": "segmentation"})
    for _ in range(2):
        with pytest.raises(ConfigError, match="segmentation learns from masks"):
            Measurer("cpu").resolve(wrong)


PLUGIN = """\
import torch
from resexp.connections.base import Connection


class Mine(Connection):
    def __init__(self, site):
        super().__init__(site)
        self.extra = torch.nn.Parameter(torch.zeros({count}))

    def forward(self, h, f):
        return f(h) + self.extra.sum()
"""


def test_another_plugin_of_that_name_costs_its_own(tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text(CONFIG)
    params = []
    for count in (1, 1000):
        (tmp_path / "mine.py").write_text(PLUGIN.format(count=count))
        options = ["model.connection=mine", "model.match=none", "seed=0"]
        experiment = api.load(tmp_path / "known.yaml", options, plugins=[tmp_path / "mine.py"])
        (trial,) = api.trials(experiment, "cpu")
        assert trial.cost is not None
        params.append(trial.cost.params)
    assert params[1] - params[0] == 3 * 999  # a resnet of depth 8 has three blocks


@pytest.mark.parametrize(
    ("file", "sure"), [("null", True), ("nvme0", True), ("nvidiactl", False), ("dxg", False), ("kfd", False)]
)
def test_no_gpu_is_known_from_its_files(
    file: str, sure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).touch()
    monkeypatch.setattr(devices, "DEV", tmp_path)
    monkeypatch.setattr(devices.sys, "platform", "linux")
    assert devices.surely_no_gpu() == sure
    monkeypatch.setattr(devices.sys, "platform", "win32")
    assert not devices.surely_no_gpu()
