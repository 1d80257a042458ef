"""What cannot be planned is refused before gigabytes are taken, and text is cleaned before it shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resexp import load
from resexp.data import folder
from resexp.errors import ConfigError, DataError
from resexp.measure import Measurer
from resexp.plan import make_plan
from resexp.text import clean, command

TEXT = "name: x\ndata: {data}\nmodel: {model}\ntraining: {{epochs: 1, batch_size: {batch}}}\n"


def refusal(tmp_path: Path, model: str, data: str = "synthetic", batch: int = 2) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.format(model=model, data=data, batch=batch))
    with pytest.raises(ConfigError) as caught:
        make_plan(load(path), Measurer("cpu"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("{kind: resnet, depth: 8, width: 65536}", "synthetic", "parameters; at most 100,000,000,000"),
        ("{kind: resnet, depth: 1202, connection: dense_average}", "synthetic", "100,000 operations"),
        (
            "{kind: resnet, depth: 8, width: 16384}",
            "{kind: synthetic, image_size: 16384}",
            "more than a terabyte; choose smaller examples",
        ),
    ],
)
def test_a_network_too_large_to_plan_is_refused(tmp_path: Path, model: str, data: str, words: str) -> None:
    assert words in refusal(tmp_path, model, data)


def test_batch_norm_on_batches_of_one_is_refused_in_planning_and_the_advice_works(tmp_path: Path) -> None:
    told = refusal(tmp_path, "{kind: mlp, depth: 6}", batch=1)
    assert "training.batch_size: batch norm cannot learn from batches of one example" in told
    for changed in ("training.batch_size=2", "model.norm=none"):
        assert make_plan(load(tmp_path / "x.yaml", [changed]), Measurer("cpu"))
    assert make_plan(load(tmp_path / "x.yaml", ["model={kind: resnet, depth: 8}"]), Measurer("cpu"))


def test_without_a_home_the_data_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", "~nobody-here/data")
    with pytest.raises(DataError, match="~nobody-here has no home folder; set RESEXP_DATA"):
        folder.data_folder()


def test_text_of_others_shows_on_one_line_without_control() -> None:
    assert clean("a\x1b[31m\u202eb\n" + os.fsdecode(b"\xff")) == "a\\x1b[31m\\u202eb\\n\\udcff"


def test_a_command_is_quoted_for_the_shell() -> None:
    assert command("resexp", "report", Path("my results/x")) == "resexp report 'my results/x'"
