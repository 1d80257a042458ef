"""What a run left out of a data set is said when it begins, and in all that is read of it afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from resexp import api
from resexp.cli.trials import show_status
from resexp.report.build import build
from resexp.report.render import json

CONFIG = """
name: img
data: {kind: image_folder, root: set, image_size: 8}
model: {kind: mlp, depth: 4, width: 4}
training: {epochs: 1, batch_size: 5}
"""


def test_it_is_said_in_the_run_the_status_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val", "test"):
        for name in ("ant", "bee"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for number in range(2):
                Image.effect_noise((9, 9), 50).save(tmp_path / "set" / split / name / f"{number}.png")
    (tmp_path / "set/train/ant/cut.png").write_bytes(b"\x89PNG")
    (tmp_path / "set/train/bee/notes.txt").write_text("no image")
    (tmp_path / "img.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    assert api.run(api.load("img.yaml"), device="cpu", jobs=1, tell=said.append).exit_status == 0
    facts = [
        "'val' is the test set, and 'test' is not used",
        "1 file left out: train/bee/notes.txt (no image of a known format, or a damaged one)",
        "1 file left out as unreadable: train/ant/cut.png (no image of a known format, or a damaged one)",
    ]
    assert [note.partition(": ")[2] for note in said] == facts
    assert all(note.startswith(("set: ", f"{tmp_path}/set: ")) for note in said)
    few = api.load("img.yaml", ["name=few", "training.batch_size=3"])
    counted: list[str] = []
    assert api.run(few, device="cpu", jobs=1, tell=counted.append).exit_status == 0
    assert any("batches of 3 leave out 1 of 4 training examples" in note for note in counted)
    shutil.rmtree(tmp_path / "set")  # what is read later needs neither the data nor their cache
    records = api.results("img")
    assert set(said) <= set(records.notes)
    # The file that could not be read is neither an example nor part of what the majority class errs on.
    (trial,) = records.trials.to_dict("records")
    assert (trial["train_examples"], trial["test_examples"]) == (4, 4)
    assert (trial["train_chance"], trial["test_chance"]) == (0.5, 0.5)
    capsys.readouterr()
    show_status(records, None, {})
    shown = " ".join(capsys.readouterr().out.split())
    report = build(records)
    for note in said:
        assert note in shown
        assert note in report.notes
    assert all(name in json.render(report) for name in ("cut.png", "notes.txt"))
