"""What users and plugins write reaches the terminal as text: no markup is read in it, no escape acts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resexp.cli import app

EVIL = "[/x][red]\x1b[31m\u202e"
SHOWN = "[/x][red]\\x1b[31m\\u202e"
PLUGIN = f'''\
from resexp.connections.base import Connection


class Evil(Connection):
    """h' = h {EVIL}

    {EVIL}
    """

    def __init__(self, site, *, note: str = "none"):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)

    def forward(self, h, f):
        if h.device.type != "meta":
            raise ArithmeticError({EVIL!r})
        return self.shortcut(h) + f(h)
'''
CONFIG = r"""
name: evil
data: {kind: synthetic, train: 32, test: 16}
model: {kind: resnet, depth: 8, width: 4, connection: {kind: evil}}
training: {epochs: 1, batch_size: 16}
plugins: [evil.py]
sweep: {model.connection: [plain, evil, {kind: evil, note: "[/x][red]\x1b[31m\u202e"}]}
"""


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in a folder with the plugin: its status and all that it printed."""
    folder = tmp_path / "[red]\x1b[31m\u202e"
    folder.mkdir()
    (folder / "evil.py").write_text(PLUGIN)
    (folder / "x.yaml").write_text(CONFIG)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["resexp", *arguments])
        with pytest.raises(SystemExit) as end:
            app.main()
        printed = "".join(capfd.readouterr())
        hidden = [c for c in printed if not c.isprintable() and c not in "\n\xa0\u202f\u2009"]
        assert not hidden, printed
        return end.value.code, printed

    return command


@pytest.mark.filterwarnings("ignore")
def test_every_command_shows_it_as_text(say, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    here = str(tmp_path / "[red]\x1b[31m\u202e")
    said = {}
    for arguments in (
        ["plan", f"{here}/x.yaml"],
        ["run", "x.yaml", "--jobs", "1", "--keep-going", "--results", f"{here}/results"],
        ["plan", "x.yaml", "--results", f"{here}/results"],
        ["status", f"{here}/results/evil"],
        ["report", f"{here}/results/evil"],
        ["show", "connections", "evil", "--plugin", f"{here}/evil.py"],
        ["doctor", "--results", f"{here}/results"],
        ["init", f"{here}/{EVIL[4:]}.yaml"],
        ["show", EVIL],
        ["status", EVIL],
        ["plan", EVIL],
        ["plan", "x.yaml", f"{EVIL}=1"],
        ["plan", "x.yaml", "--device", EVIL],
        ["plan", "x.yaml", "--tier", EVIL],
        ["probe", f"{here}/results/evil", "--probe", EVIL],
        ["gallery", "run", EVIL],
    ):
        status, printed = say(*arguments)
        said[" ".join(arguments[:2])] = printed
        assert status in (0, 2, 3), printed
        assert "[red]" in printed or "control character" in printed or arguments[0] == "doctor", printed
    assert SHOWN in said["show connections"]
    for command in ("run x.yaml", f"status {here}/results/evil"):
        assert f"ArithmeticError: {SHOWN}" in said[command]
