"""The update that is measured is the one that the run itself would make on the same batch, and the loss is
the one that it minimises.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from resexp.config.parse import parse_probes, parse_settings
from resexp.data.opening import open_data
from resexp.training.adversarial.run import AdversarialRun
from resexp.training.learner import learner_of
from resexp.training.playing.run import PlayingRun
from resexp.training.probing import measured
from resexp.training.run import Run

CPU = torch.device("cpu")
IMAGES: dict[str, Any] = {
    "data": {"kind": "synthetic", "groups": 4, "size": 8, "train": 64, "test": 16},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": "residual"},
    "training": {"iterations": 2, "batch_size": 32, "optimizer": {"kind": "sgd", "lr": 0.1}},
}
DROPPING = {**IMAGES, "model": {**IMAGES["model"], "depth": 20, "connection": "stochastic_depth"}}
GAME: dict[str, Any] = {
    "data": {"kind": "environment", "name": "CartPole-v1", "episodes": 3},
    "task": {"kind": "ppo", "games": 3, "rollout": 20, "passes": 2},
    "model": {"kind": "mlp", "depth": 4, "width": 16, "norm": "none", "connection": "residual"},
    "training": {"epochs": 3, "batch_size": 16, "optimizer": {"kind": "sgd", "lr": 0.1}},
}


IMAGES_MADE: dict[str, Any] = {
    "data": {"kind": "digits", "train_size": 100},
    "task": {"kind": "adversarial", "noise": 5},
    "model": {"kind": "generator", "depth": 4, "width": 4, "order": "pre", "connection": "residual"},
    "discriminator": {"kind": "discriminator", "depth": 7, "width": 4, "order": "pre", "norm": "batch"},
    "training": {"epochs": 1, "batch_size": 25, "optimizer": {"kind": "sgd", "lr": 0.1}},
}


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))


def begun(document: dict[str, Any], **training: Any) -> Any:
    """A run with probes of its updates and gradients on 16 examples."""
    training = {**document["training"], **training}
    probes = [{"kind": kind, "batch_size": 16} for kind in ("update_ratio", "gradient_norms")]
    settings = parse_settings({**document, "training": training, "probes": probes})
    return learner_of(settings)(settings, open_data(settings.data, CPU), CPU)


def really(run: Run) -> dict[str, float]:
    """The ratios of an update on the probe batch by the run itself."""
    before = {name: layer.weight.detach().clone() for name, layer in run.network.weight_layers()}
    inputs, target, _ = run.fixed_batch(16)
    loss, _ = run.forward_pass(inputs, target)
    if isinstance(run, PlayingRun):
        returns = run.experience["returns"][:16]
        loss = loss + run.player.value_loss(run.value.train()(inputs)[:, 0], returns)
    torch.autograd.backward(loss)
    run.update()
    return {
        name: ((layer.weight.detach() - before[name]).norm() / before[name].norm()).item()
        for name, layer in run.network.weight_layers()
    }


@pytest.mark.parametrize("document", [IMAGES, GAME], ids=["images", "game"])
@pytest.mark.parametrize("clip", [None, 1.0, 1e-3])
def test_the_update_is_the_run_s_own(clip: float | None, document: dict[str, Any]) -> None:
    run = begun(document, clip=clip)
    found = {row["layer"]: row["value"] for row in measured(run, run.settings.probes[0], 0.0)}
    assert found == pytest.approx(really(run), rel=1e-4)


def test_the_update_of_a_generator_is_the_run_s_own() -> None:
    """The discriminator's batch norms use the statistics of the batch, because the running ones are those of
    no images at first.
    """
    run = begun(IMAGES_MADE)
    assert isinstance(run, AdversarialRun)
    found = {row["layer"]: row["value"] for row in measured(run, run.settings.probes[0], 0.0)}
    before = {name: layer.weight.detach().clone() for name, layer in run.network.weight_layers()}
    noise, _, _ = run.fixed_batch(16)
    made = run.network.train()(noise)
    torch.autograd.backward(run.game.training_loss(run.discriminator.train()(made), made))
    run.change(run.optimizer)
    assert found == pytest.approx(
        {
            name: ((layer.weight.detach() - before[name]).norm() / before[name].norm()).item()
            for name, layer in run.network.weight_layers()
        },
        rel=1e-4,
    )


def test_the_blocks_that_are_dropped_are_those_of_the_next_step() -> None:
    """They differ between seeds and steps, and they alone have neither gradient nor update."""
    lacking = []
    for seed in range(2):
        run = begun({**DROPPING, "seed": seed})
        for _ in range(2):
            updates, gradients = (list(measured(run, probe, 0.0)) for probe in run.settings.probes)
            assert updates == list(measured(run, run.settings.probes[0], 0.0))
            seen = {row["layer"] for row in gradients if row["name"] == "weight_norm"}
            lacking.append({row["layer"] for row in updates} - seen)
            assert {row["layer"] for row in updates if row["value"] == 0} == lacking[-1]
            assert {row["layer"]: row["value"] for row in updates} == pytest.approx(really(run), rel=1e-4)
            run.step += 1
    assert any(lacking)
    assert len(set(map(frozenset, lacking))) > 1


def test_a_slice_is_of_the_loss_that_is_minimised_and_a_lesion_of_the_one_that_is_reported() -> None:
    """Without a norm and without a drop, the two differ by label smoothing alone."""
    model = {**IMAGES["model"], "norm": "none"}
    task = {"kind": "classification", "label_smoothing": 0.3}
    run = begun({**IMAGES, "model": model, "task": task})
    asked = parse_probes(["{kind: sharpness, points: 1, iterations: 1}", "{kind: lesion, draws: 1}"])
    rows = [row for probe in asked for row in measured(run, probe, 0.0)]
    inputs, target, labels = run.fixed_batch(asked[0].batch_size)
    output = run.network(inputs)
    smoothed = run.task.training_loss(output, target).item()
    plain = torch.nn.functional.cross_entropy(output, labels).item()
    assert smoothed != pytest.approx(plain, rel=1e-3)
    assert [row["value"] for row in rows if row["layer"] == "+0"] == pytest.approx([smoothed], rel=1e-5)
    assert [row["value"] for row in rows if row["name"] == "intact_loss"] == pytest.approx([plain], rel=1e-5)
