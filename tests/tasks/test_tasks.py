"""What every task measures, against direct computations; and which parts go together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from resexp.config.parse import parse_settings
from resexp.data.cache import facts_of
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer
from resexp.plan.compatible import check_fit
from resexp.tasks.classification import Classification
from resexp.tasks.language import Language
from resexp.tasks.masked_language import IGNORED, MaskedLanguage
from resexp.tasks.segmentation import Segmentation

SHAPES = {Classification: (6,), Segmentation: (6, 5, 4), Language: (6, 9), MaskedLanguage: (6, 9)}


def example(task: Any, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = SHAPES[type(task)]
    output = torch.randn(shape[0], classes, *shape[1:], generator=generator)
    _, target = task.posed(*[torch.randint(0, classes - 1, shape, generator=generator)] * 2, 1, 2)
    return output, target


@pytest.mark.parametrize("task", [Classification(), Segmentation(), Language(), MaskedLanguage(rate=0.3)])
def test_loss_and_mistakes_are_of_single_units(task: Any) -> None:
    output, target = example(task)
    units = [
        (scores, int(wanted))
        for scores, wanted in zip(output.movedim(1, -1).reshape(-1, 3), target.flatten(), strict=True)
        if wanted != IGNORED
    ]
    loss = sum(-scores.log_softmax(0)[wanted].item() for scores, wanted in units)
    assert task.units(target) == len(units)
    assert task.loss_sum(output, target).item() == pytest.approx(loss, rel=1e-5)
    assert task.training_loss(output, target).item() == pytest.approx(loss / len(units), rel=1e-5)
    assert task.mistakes(output, target) == sum(scores.argmax() != wanted for scores, wanted in units)


@pytest.mark.parametrize("task", [Classification(), Segmentation(), Language(), MaskedLanguage()])
def test_sums_may_be_added_up_over_batches(task: Any) -> None:
    output, target = example(task)
    halves = list(zip(output.split(2), target.split(2), strict=True))
    for measure in (task.loss_sum, task.mistakes, task.counts):
        added = sum(measure(*half).double() for half in halves)
        torch.testing.assert_close(added, measure(output, target).double(), rtol=1e-6, atol=1e-6)
    assert sum(task.units(half) for _, half in halves) == task.units(target)


def test_label_smoothing_is_in_the_training_loss_alone() -> None:
    output, target = example(Classification())
    plain, smooth = Classification(), Classification(label_smoothing=0.1)
    assert torch.equal(plain.loss_sum(output, target), smooth.loss_sum(output, target))
    uniform = -output.log_softmax(1).mean()
    expected = 0.9 * plain.training_loss(output, target) + 0.1 * uniform
    torch.testing.assert_close(smooth.training_loss(output, target), expected)


def test_iou_and_dice_of_the_foreground() -> None:
    target = torch.tensor([[[0, 1, 1, 1]]])
    predicted = torch.tensor([[[1, 1, 1, 0]]])
    counts = Segmentation().counts(functional.one_hot(predicted, 2).movedim(-1, 1).float(), target)
    assert Segmentation().measures(0.0, counts) == pytest.approx({"iou": 2 / 4, "dice": 4 / 6})


def test_iou_and_dice_are_means_over_the_classes_that_occur() -> None:
    target = torch.tensor([[[0, 0, 1, 1, 2]]])
    predicted = torch.tensor([[[0, 1, 1, 1, 2]]])
    counts = Segmentation().counts(functional.one_hot(predicted, 4).movedim(-1, 1).float(), target)
    measures = Segmentation().measures(0.0, counts)
    assert measures == pytest.approx({"iou": (1 / 2 + 2 / 3 + 1) / 3, "dice": (2 / 3 + 4 / 5 + 1) / 3})


def test_without_foreground_there_is_nothing_to_measure() -> None:
    counts = Segmentation().counts(torch.eye(2)[[0]].view(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.long))
    assert Segmentation().measures(0.0, counts) == {"iou": None, "dice": None}


def test_bits_are_the_loss_to_base_two() -> None:
    for task in (Language(), MaskedLanguage()):
        assert task.measures(math.log(8), torch.zeros(0)) == pytest.approx({"bits": 3.0})


def test_masks_are_as_bert_draws_them() -> None:
    tokens = torch.randint(0, 50, (400, 40), generator=torch.Generator().manual_seed(1))
    shown, target = MaskedLanguage(rate=0.15).posed(tokens, tokens, 3, 7)
    asked = target != IGNORED
    assert asked.sum(1).tolist() == [6] * 400
    assert torch.equal(target[asked], tokens[asked] + 1)
    assert torch.equal(shown[~asked], tokens[~asked] + 1)
    masked = (shown[asked] == 0).double().mean().item()
    own = (shown[asked] == target[asked]).double().mean().item()
    assert masked == pytest.approx(0.8, abs=0.03)
    assert own == pytest.approx(0.1 + 0.1 / 50, abs=0.02)
    again, other = (MaskedLanguage().posed(tokens, tokens, 3, step)[0] for step in (7, 8))
    assert torch.equal(again, shown)
    assert not torch.equal(other, shown)


def test_a_window_has_at_least_one_mask() -> None:
    tokens = torch.zeros(3, 4, dtype=torch.long)
    _, target = MaskedLanguage(rate=0.01).posed(tokens, tokens, 0)
    assert (target != IGNORED).sum(1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": "segmentation"}, "task: segmentation learns from masks, but synthetic has labels"),
        ({"task": "segmentation"}, "choose adversarial or classification or masked_autoencoding"),
        (
            {"task": "segmentation", "data": "digit_scenes"},
            "resnet is for tasks with labels; segmentation needs unet",
        ),
        ({"data": "python_topics"}, "choose language or masked_language"),
        (
            {"data": {"kind": "python_topics", "crop": 2}},
            "data.crop: has no effect, because python_topics has tokens",
        ),
        (
            {"data": {"kind": "digit_scenes", "classes": 2}},
            "data.classes: has no effect, because digit_scenes has masks",
        ),
        (
            {"data": {"kind": "digits", "subset_seed": 3}},
            "data.subset_seed: has no effect: all examples are used; remove it, or give train_size or",
        ),
        (
            {"model": {"kind": "densenet", "depth": 7, "connection": {"kind": "skip", "theta": 0.5}}},
            "model.connection.theta: has no effect on densenet",
        ),
        (
            {
                "task": "masked_autoencoding",
                "model": {"kind": "masked_autoencoder", "depth": 2},
                "training": {
                    "epochs": 1,
                    "schedule": {"kind": "constant", "low_rate": {"factor": 0.1, "until_train_error": 0.8}},
                },
            },
            "training.schedule.low_rate: has no effect on masked_autoencoding",
        ),
        (
            {"data": "digit_scenes", "task": "segmentation", "probes": [{"kind": "linear_probe"}]},
            "probes.0: linear_probe is for tasks with labels",
        ),
        (
            {
                "data": "digit_scenes",
                "task": "segmentation",
                "model": {"kind": "unet", "depth": 14},
                "probes": [{"kind": "gradient_norms"}, {"kind": "lesion"}],
            },
            "probes.1: lesion needs a chain of blocks, but unet is not one",
        ),
    ],
)
def test_parts_that_do_not_go_together(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit({**changes})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "data": {"kind": "digit_scenes", "crop": 1},
            "task": "segmentation",
            "model": {"kind": "unet", "depth": 14},
        },
        {"data": "python_topics", "task": "language", "model": {"kind": "transformer", "depth": 4}},
        {"task": "masked_autoencoding", "model": {"kind": "masked_autoencoder", "depth": 4}},
    ],
)
def test_parts_that_do(changes: dict[str, Any]) -> None:
    fit(changes)


@pytest.mark.parametrize(
    ("task", "mask", "says"),
    [
        ("masked_language", "causal", r"^model\.mask: .* from both sides, and .*; give none$"),
        ("language", "none", r"^model\.mask: .* predicts the next token, and .*; give causal$"),
    ],
)
def test_a_mask_that_hides_too_much_or_too_little_is_refused_in_planning(
    task: str, mask: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    measurer = Measurer("cpu")
    text = {"data": "python_topics", "task": task, "training": {"epochs": 1}}
    model = {"kind": "transformer", "depth": 1, "width": 8, "heads": 1, "order": "pre", "norm": "layer"}
    wrong = measurer.parse({**text, "model": {**model, "mask": mask}})
    right = measurer.parse({**text, "model": {**model, "mask": {"causal": "none", "none": "causal"}[mask]}})
    assert measurer.cost(right) is not None
    with pytest.raises(ConfigError, match=says):
        measurer.cost(wrong)


def fit(changes: dict[str, Any]) -> None:
    settings = parse_settings(
        {"data": "synthetic", "model": {"kind": "resnet", "depth": 8}, "training": {"epochs": 1}, **changes}
    )
    check_fit(settings, facts_of(settings.data))
