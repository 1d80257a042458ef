"""What cannot be planned is refused before gigabytes are taken, and text is cleaned before it shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resexp import load
from resexp.errors import ConfigError, DataError
from resexp.estimate import duration, outline
from resexp.estimate.network import Measurer
from resexp.machine import folders
from resexp.models import cost
from resexp.plan.make import make_plan
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
        (
            "{kind: resnet, depth: 8, width: 16384}",
            "{kind: synthetic, image_size: 16384}",
            "more than a terabyte; choose smaller examples",
        ),
    ],
)
def test_a_network_too_large_to_plan_is_refused(tmp_path: Path, model: str, data: str, words: str) -> None:
    assert words in refusal(tmp_path, model, data)


def test_a_network_of_too_many_operations_is_refused_while_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "{kind: resnet, depth: 56, connection: dense_average}"
    monkeypatch.setattr(cost, "MOST_OPERATIONS", 500)
    assert "one pass through the network takes more than 500 operations" in refusal(tmp_path, model)


def test_a_network_too_large_to_be_timed_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duration, "shortest_step", lambda *_: pytest.fail("it was timed"))
    (tmp_path / "x.yaml").write_text(
        TEXT.format(model="{kind: resnet, depth: 8, width: 8192}", data="synthetic", batch=2)
    )
    found = outline.outline(load(tmp_path / "x.yaml"), "cpu", 1, tmp_path)
    assert found.seconds_left is None


def test_batch_norm_of_two_values_is_refused_in_planning_and_the_advice_works(tmp_path: Path) -> None:
    told = refusal(tmp_path, "{kind: mlp, depth: 6}", batch=2)
    wrong = "from batches of 2 examples, a batch norm gets two values per channel, and makes 1 and -1 of them"
    assert f"training.batch_size: {wrong}" in told
    told = refusal(tmp_path, "{kind: mlp, depth: 6}", batch=1)
    wrong = "from batches of 1 example, a batch norm gets one value per channel, and makes 0 of it"
    assert f"training.batch_size: {wrong}" in told
    (tmp_path / "y.yaml").write_text("""\
name: x
data: synthetic
model: {kind: mlp, depth: 4}
training:
  epochs: 1
  batch_size: 1
""")
    with pytest.raises(ConfigError, match=r"y.yaml:6: training.batch_size: .* batches of 1 ex"):
        make_plan(load(tmp_path / "y.yaml", ["model.depth=6"]), Measurer("cpu"))
    for changed in ("training.batch_size=3", "model.norm=none"):
        assert make_plan(load(tmp_path / "x.yaml", [changed]), Measurer("cpu"))
    assert make_plan(load(tmp_path / "x.yaml", ["model={kind: resnet, depth: 8}"]), Measurer("cpu"))


@pytest.mark.parametrize(
    ("probe", "batch", "refused"),
    [
        ("gradient_norms", 1, "batches of 1 example, a batch norm gets one value per channel, and makes 0"),
        ("jacobian", 2, "batches of 2 examples, a batch norm gets two values per channel, and makes 1"),
        ("jacobian", 3, ""),
        ("lesion", 1, ""),  # in eval mode, a batch norm does not use the values of the batch
    ],
)
def test_batches_of_probes_are_large_enough_for_batch_norms(
    probe: str, batch: int, refused: str, tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_text(
        TEXT.format(model="{kind: mlp, depth: 6}", data="synthetic", batch=16)
        + f"probes: [{{kind: {probe}, batch_size: {batch}}}]\n"
    )
    experiment = load(tmp_path / "x.yaml")
    if not refused:
        assert make_plan(experiment, Measurer("cpu"))
        return
    with pytest.raises(ConfigError) as told:
        make_plan(experiment, Measurer("cpu"))
    assert f"probes.0.batch_size: from {refused}" in str(told.value)
    assert make_plan(load(tmp_path / "x.yaml", ["model.norm=none"]), Measurer("cpu"))


def test_a_discriminator_has_batches_that_are_large_enough_for_batch_norms(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("""\
name: x
data: {kind: digits, train_size: 100}
task: adversarial
model: {kind: generator, depth: 4, width: 4, connection: residual, order: pre}
discriminator: {kind: mlp, depth: 6, norm: batch}
training: {epochs: 1, batch_size: 2}
""")
    with pytest.raises(ConfigError, match="of 2 examples, a batch norm of the discriminator gets two"):
        make_plan(load(tmp_path / "x.yaml"), Measurer("cpu"))
    assert make_plan(load(tmp_path / "x.yaml", ["training.batch_size=3"]), Measurer("cpu"))


def test_a_start_that_is_not_defined_for_the_network_is_refused_in_planning(tmp_path: Path) -> None:
    """Every trial failed by itself, although the same network with another start had just been planned."""
    network = "kind: resnet, depth: 8, width: 5, norm: none"
    told = refusal(tmp_path, f"{{{network}, init: looks_linear}}")
    assert "x.yaml:3: model.init: looks_linear mirrors halves, but stem.conv maps 1 channels to 5" in told
    remembered = Measurer("cpu")
    assert make_plan(load(tmp_path / "x.yaml", ["model.init=he"]), remembered)
    with pytest.raises(ConfigError, match=r"model\.init: looks_linear"):
        make_plan(load(tmp_path / "x.yaml"), remembered)


def test_without_a_home_the_data_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", "~nobody-here/data")
    with pytest.raises(DataError, match="~nobody-here has no home folder; set RESEXP_DATA"):
        folders.data_folder()


def test_a_home_that_is_no_full_path_is_no_place_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESEXP_DATA", raising=False)
    monkeypatch.setenv("HOME", "here")
    with pytest.raises(DataError, match=r"the home folder is not a full path .*; set RESEXP_DATA"):
        folders.data_folder()


def test_text_of_others_shows_on_one_line_without_control() -> None:
    assert clean("a\x1b[31m\u202eb\n" + os.fsdecode(b"\xff")) == "a\\x1b[31m\\u202eb\\n\\udcff"


def test_a_command_is_quoted_for_the_shell() -> None:
    assert command("resexp", "report", Path("my results/x")) == "resexp report 'my results/x'"


def test_a_sweep_of_too_many_networks_is_refused_before_any_is_measured(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        TEXT.format(model="{kind: resnet, depth: 110}", data="synthetic", batch=2)
        + f"sweep: {{model.width: {list(range(1, 1001))}, seed: [0, 1]}}\n"
    )
    with pytest.raises(ConfigError, match="1,000 different networks of 110,000 layers"):
        make_plan(load(tmp_path / "x.yaml"), Measurer("cpu"))


def test_the_size_of_a_very_deep_network_is_not_matched(tmp_path: Path) -> None:
    model = "{kind: resnet, depth: 2000, connection: gated, match: params}"
    assert "2,000 layers is too deep for its size to be matched" in refusal(tmp_path, model)


@pytest.mark.parametrize("kind", ["image_folder", "text_file", "segmentation_folder", "cifar10"])
def test_a_root_in_the_home_of_nobody_is_refused(tmp_path: Path, kind: str) -> None:
    data = "{kind: " + kind + ", root: ~nobody-here}"
    (tmp_path / "x.yaml").write_text(TEXT.format(data=data, model="{kind: resnet, depth: 8}", batch=2))
    with pytest.raises(ConfigError, match=r"x\.yaml:2: data\.root: .*~nobody-here has no home folder"):
        load(tmp_path / "x.yaml")
