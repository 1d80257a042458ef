"""A trial of every task: resumed it is bit for bit the same, and its rows carry the task's measures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from resexp.config.parse import parse_settings
from resexp.data.opening import open_data
from resexp.training.blind import blind_errors
from resexp.training.evaluation import evaluate
from resexp.training.run import Run

CPU = torch.device("cpu")
TEXT = {"kind": "text_file", "context": 16, "validation_size": 5}
TRANSFORMER = {"kind": "transformer", "depth": 4, "width": 16, "heads": 2, "order": "pre", "norm": "layer"}
TRIALS: dict[str, tuple[dict[str, Any], Any, dict[str, Any], set[str]]] = {
    "segmentation": (
        {"kind": "digit_scenes", "train": 40, "test": 20, "validation_size": 8, "crop": 2, "flip": True},
        "segmentation",
        {"kind": "unet", "depth": 14, "width": 4},
        {"iou", "dice"},
    ),
    "language": (TEXT, "language", TRANSFORMER, {"bits"}),
    "masked language": (TEXT, "masked_language", {**TRANSFORMER, "mask": "none"}, {"bits"}),
    "masked autoencoding": (
        {"kind": "digits", "train_size": 40, "test_size": 20},
        "masked_autoencoding",
        {"kind": "masked_autoencoder", "depth": 4, "width": 16, "heads": 2, "order": "pre", "norm": "layer"},
        set(),
    ),
}


@pytest.fixture(params=TRIALS.values(), ids=TRIALS)
def trial(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    data, task, model, measures = request.param
    if data["kind"] == "text_file":
        (tmp_path / "text").write_text("".join(chr(97 + i * i % 19) for i in range(800)))
        data = {**data, "root": str(tmp_path / "text")}
    training = {"epochs": 2, "batch_size": 8, "optimizer": {"kind": "adamw", "lr": 3e-3}}
    return parse_settings({"data": data, "task": task, "model": model, "training": training}), measures


def new_run(settings: Any) -> Run:
    return Run(settings, open_data(settings.data, CPU), CPU)


def to_the_end(run: Run) -> list[dict[str, Any]]:
    rows = []
    while run.step < run.total:
        run.train_step()
        if run.epoch_ended():
            rows.append(run.close_epoch())
            del rows[-1]["seconds"]
    return rows


def test_resumed_within_an_epoch_it_is_the_same_run(trial: Any) -> None:
    settings, measures = trial
    whole, first, second = (new_run(settings) for _ in range(3))
    rows = to_the_end(whole)
    for _ in range(whole.steps_per_epoch + 2):
        first.train_step()
        if first.epoch_ended():
            first.close_epoch()
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    second.restore(torch.load(buffer, weights_only=True))
    assert to_the_end(second) == rows[1:]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    assert set(rows[-1]["test_measures"]) == measures
    assert rows[-1]["test_loss"] > 0
    assert (rows[-1]["validation_loss"] is None) == (settings.data.validation_size is None)


class OneAnswer(nn.Module):
    """A network that gives every unit the same answer."""

    def __init__(self, network: nn.Module, answer: int) -> None:
        super().__init__()
        self.network, self.answer = network, answer

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros_like(self.network(inputs))
        scores[:, self.answer] = 1
        return scores


def test_blind_errors_are_the_least_that_one_answer_has_in_training(trial: Any) -> None:
    settings, measures = trial
    run = new_run(settings)
    found = blind_errors(run)
    if not measures:
        assert found == {}  # no class is asked for
        return
    network, errors = run.forward, {}
    for answer in range(run.purpose.classes):
        run.forward = OneAnswer(network, answer)
        errors[answer] = {name: evaluate(run, getattr(run.data, name)).error for name in ("train", "test")}
    best = min(errors.values(), key=lambda scores: scores["train"] or 0.0)
    assert found == pytest.approx(best)
    assert 0 < found["train"] < 1


@pytest.mark.parametrize(
    "odd", [torch.Tensor.bool, torch.Tensor.float, lambda y: y + 1000, lambda y: y * 0 - 1]
)
def test_odd_targets_of_a_task_do_not_end_a_trained_trial(odd: Any, trial: Any) -> None:
    run = new_run(trial[0])
    posed = run.task.posed

    def oddly(*batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, target = posed(*batch)
        return inputs, odd(target)

    run.task.posed = oddly  # type: ignore[method-assign]
    assert blind_errors(run) == {}


def test_training_lowers_the_loss(trial: Any) -> None:
    settings, _ = trial
    longer = settings.training.model_copy(update={"epochs": 8})
    run = new_run(settings.model_copy(update={"training": longer}))
    before = evaluate(run, run.data.train)
    again = evaluate(run, run.data.train)
    to_the_end(run)
    after = evaluate(run, run.data.train)
    assert before == again, "an evaluation draws nothing at random"
    assert before.loss is not None
    assert after.loss is not None
    assert after.loss < before.loss
