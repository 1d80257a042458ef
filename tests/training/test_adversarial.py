"""Two networks against each other: a trial is continued bit for bit, and learns to make digits."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learners import advanced, new, saved
from torch import Tensor, nn

from resexp import api, store
from resexp.config.parse import parse_settings
from resexp.errors import Diverged
from resexp.generation import features
from resexp.models.spectral import trained_weight
from resexp.plan.trial import Trial
from resexp.probes.states import settled
from resexp.random import keyed_generator
from resexp.store import Attempt
from resexp.training.adversarial.average import averaged
from resexp.training.adversarial.run import AdversarialRun, shortfall
from resexp.training.blind import blind_errors
from resexp.training.probing import measured
from resexp.training.trial import train

CPU = torch.device("cpu")
SMALL = {"depth": 4, "width": 4, "order": "pre", "connection": "residual"}
ADAM = {"kind": "adamw", "lr": 2e-3, "beta1": 0.0, "beta2": 0.9, "weight_decay": 0.0}


@pytest.fixture(autouse=True, scope="module")
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for the module, so that the classifier is trained once; and one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESEXP_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setattr(features, "EPOCHS", 6)
        yield
    torch.set_num_threads(threads)


def settings(discriminator: dict[str, Any] | None = None, **task: Any) -> Any:
    return parse_settings(
        {
            "data": {"kind": "digits", "train_size": 100, "crop": 1},
            "task": {"kind": "adversarial", "noise": 5, "discriminator_steps": 2, **task},
            "model": {"kind": "generator", **SMALL},
            "discriminator": {"kind": "discriminator", **SMALL, "depth": 7, "norm": "none"}
            | (discriminator or {}),
            "training": {"epochs": 3, "batch_size": 25, "optimizer": ADAM, "test_every": 2},
            "probes": [{"kind": kind, "at": [0]} for kind in ("gradient_norms", "update_ratio")],
        }
    )


def weights(run: AdversarialRun) -> list[Tensor]:
    networks = (run.network, run.discriminator, run.average)
    return [value for network in networks for value in network.state_dict().values()]


@pytest.mark.parametrize(
    ("discriminator", "task"),
    [
        ({}, {"loss": "hinge", "spectral_norm": True}),
        ({"norm": "batch"}, {"loss": "non_saturating"}),
        ({"norm": "layer"}, {"loss": "wgan_gp"}),
    ],
)
def test_continued_from_any_step_it_is_the_same_trial(discriminator: Any, task: Any) -> None:
    chosen = settings(discriminator, **task)
    whole, first = new(AdversarialRun, chosen), new(AdversarialRun, chosen)
    rows, states = advanced(whole, whole.total), []
    for _ in range(10):
        states.append(saved(first))
        advanced(first, 1)
    assert (whole.steps_per_epoch, whole.total, len(rows)) == (4, 12, 3)
    assert [row["test_error"] is None for row in rows] == [True, False, False]
    for stop in (9,):
        second = new(AdversarialRun, chosen)
        second.restore(states[stop])
        assert advanced(second, whole.total - stop) == rows[stop // 4 :], stop
        assert all(map(torch.equal, weights(whole), weights(second))), stop


def test_a_state_that_lacks_something_would_be_noticed() -> None:
    chosen = settings(spectral_norm=True)
    whole, first = new(AdversarialRun, chosen), new(AdversarialRun, chosen)
    rows = advanced(whole, whole.total)
    advanced(first, 8)
    for lost in ("discriminator", "discriminator_optimizer", "average", "shortfalls", "evaluated"):
        second = new(AdversarialRun, chosen)
        kept = saved(second)[lost]
        second.restore(saved(first) | {lost: kept})
        ended = advanced(second, whole.total - 8)
        assert not all(map(torch.equal, weights(whole), weights(second))) or ended[-1] != rows[-1], lost


def test_probes_measure_both_networks_and_change_nothing() -> None:
    chosen = settings({"norm": "batch"}, spectral_norm=True)
    probed, plain = new(AdversarialRun, chosen), new(AdversarialRun, chosen)
    advanced(probed, 2)
    advanced(plain, 2)
    for of, layers in (("model", 4), ("discriminator", 7)):
        probes = [probe.model_copy(update={"of": of}) for probe in chosen.probes]
        readings = [row for probe in probes for row in measured(probed, probe, 0.0)]
        names = {row["name"] for row in readings}
        assert names == {"weight_norm", "weight_rms", "block_input", "update_ratio"}
        assert {row["index"] for row in readings if row["name"] == "weight_norm"} == set(range(layers))
        assert all(np.isfinite(row["value"]) and row["value"] > 0 for row in readings)
        assert {row["probe"] for row in readings} == {probe.name for probe in probes}
    assert advanced(probed, 5) == advanced(plain, 5)
    assert all(map(torch.equal, weights(probed), weights(plain)))


@pytest.mark.parametrize("task", [{"loss": "hinge"}, {"loss": "wgan_gp", "spectral_norm": True}])
def test_gradients_of_the_discriminator_are_those_of_its_loss_written_out(task: dict[str, Any]) -> None:
    chosen = settings({"norm": "layer"}, **task)
    run = new(AdversarialRun, chosen)
    advanced(run, 2)
    found = list(measured(run, chosen.probes[0].model_copy(update={"of": "discriminator"}), 0.0))
    subject = run.subject("discriminator")
    real, noise, _ = subject.batch(128)
    made = settled(copy.deepcopy(run.network))(noise).detach()
    judge = copy.deepcopy(run.discriminator).train()
    entered: list[Tensor] = []
    judge.blocks[1].register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    x, y = judge(real), judge(made)
    if task["loss"] == "hinge":
        loss = (1 - x).relu().mean() + (1 + y).relu().mean()
    else:
        share = torch.rand(len(real), generator=keyed_generator("probe", "penalty")).view(-1, 1, 1, 1)
        between = (real + share * (made - real)).requires_grad_()
        (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        loss = y.mean() - x.mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    trained = [trained_weight(layer) for _, layer in judge.weight_layers()]
    gradients = torch.autograd.grad(loss, [*trained, *entered])
    norms = [row["value"] for row in found if row["name"] == "weight_norm"]
    assert norms == pytest.approx([g.norm().item() for g in gradients[: len(trained)]], rel=1e-4)
    whole = torch.stack([g.norm() for g in gradients[len(trained) :]]).norm().item()
    assert len(entered) == (2 if task["loss"] == "hinge" else 3)
    inputs = {row["index"]: row["value"] for row in found if row["name"] == "block_input"}
    assert sorted(inputs) == [1, 2]  # the first block gets the images
    assert inputs[1] == pytest.approx(whole, rel=1e-4)


def test_probes_with_gradients_twice_measure_a_penalty() -> None:
    chosen = settings({"norm": "none"}, loss="wgan_gp").model_dump(mode="json")
    chosen["probes"] = [
        {"kind": "sharpness", "at": [0], "points": 1, "iterations": 2, "of": "discriminator"},
        {"kind": "responses", "at": [0], "of": "discriminator"},
    ]
    run = new(AdversarialRun, parse_settings(chosen))
    readings = [row for probe in run.settings.probes for row in measured(run, probe, 0.0)]
    assert {row["name"] for row in readings} >= {"hessian_eigenvalue", "slice_loss", "std"}
    assert all(np.isfinite(row["value"]) for row in readings)


def test_a_step_is_the_losses_written_out() -> None:
    """Two updates of the discriminator and one of the generator, by plain SGD, with a hand-made copy."""
    chosen = settings(loss="non_saturating")
    plain = {"kind": "sgd", "lr": 0.01, "momentum": 0.0, "weight_decay": 0.0}
    chosen = parse_settings(
        chosen.model_dump(mode="json") | {"training": {"epochs": 1, "batch_size": 25, "optimizer": plain}}
    )
    run, twin = new(AdversarialRun, chosen), new(AdversarialRun, chosen)
    run.train_step()
    softplus = nn.functional.softplus
    twin.network.train()
    for number in (0, 1):
        x, z = twin.real_batch(number), twin.noise(25, 0, "discriminator", number)
        assert x.amin() >= -1
        assert x.amax() <= 1
        with torch.no_grad():
            y = twin.network(z)
        loss = softplus(-twin.discriminator(x)).mean() + softplus(twin.discriminator(y)).mean()
        descend(loss, twin.discriminator)
    z = twin.noise(25, 0, "generator")
    descend(softplus(-twin.discriminator(twin.network(z))).mean(), twin.network)
    near: Any = {"rtol": 1e-3, "atol": 1e-5}
    torch.testing.assert_close(run.discriminator.state_dict(), twin.discriminator.state_dict(), **near)
    torch.testing.assert_close(run.network.state_dict(), twin.network.state_dict(), **near)


def descend(loss: Tensor, network: nn.Module) -> None:
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.sub_(gradient, alpha=0.01)


def test_every_update_sees_each_image_once_an_epoch() -> None:
    run = new(AdversarialRun, settings())
    seen: list[list[int]] = [[], []]
    whole = run.scaled(run.data.train, run.data.train.batch(torch.arange(100))[0]).flatten(1)
    plain = parse_settings(
        run.settings.model_dump(mode="json") | {"data": {"kind": "digits", "train_size": 100}}
    )
    run = new(AdversarialRun, plain)
    for _ in range(run.steps_per_epoch):
        for number in (0, 1):
            batch = run.real_batch(number).flatten(1)
            seen[number] += torch.cdist(batch, whole).argmin(1).tolist()
        run.step += 1
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(100))
    assert seen[0] != seen[1]


def test_the_average_follows_the_weights() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    average = averaged(network, 0.5)
    values = []
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(network.get_parameter("0.weight"), value)
        network.get_buffer("1.num_batches_tracked").fill_(int(value))
        average.update_parameters(network)
        values.append(average.module.get_parameter("0.weight").item())
    first = 1 + (1 - 2 / 11) * (2 - 1)  # (1 + n) / (10 + n) after one step
    assert values == pytest.approx([1, first, first + (1 - 3 / 12) * (4 - first)])
    assert average.module.get_buffer("1.num_batches_tracked").item() == 4


def test_the_average_is_what_a_finished_trial_opens(tmp_path: Path) -> None:
    chosen = settings(average=0.9)
    dump = chosen.model_dump(mode="json")
    dump["training"]["epochs"] = 1
    trial = Trial("a" * 12, "t", "residual", "residual", 4, 0, dump)
    with store.create(tmp_path, "e", config_text="", trials=[trial], environment={}) as experiment:
        train(Attempt(*experiment.claim(trial)))
    network, _ = api.open_trial("e", "t", tmp_path)
    (saved_run,) = (tmp_path / "e/trials").glob("*/checkpoint-*.pt")
    run = torch.load(saved_run, weights_only=True)["run"]
    own = {f"module.{name}": value for name, value in network.state_dict().items()}
    assert all(torch.equal(own[name], run["average"][name]) for name in own)
    assert not all(torch.equal(own[f"module.{name}"], value) for name, value in run["network"].items())
    assert not network.training


def test_spectral_norms_are_one_from_the_first_step() -> None:
    run = new(AdversarialRun, settings(spectral_norm=True))
    for _, layer in run.discriminator.weight_layers():
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.15)
    original = {
        name.replace(".parametrizations.weight.original", ".weight"): p
        for name, p in run.discriminator.named_parameters()
    }
    free = dict(new(AdversarialRun, settings()).discriminator.named_parameters())
    assert original.keys() == free.keys()
    assert all(torch.equal(original[name], free[name]) for name in free)


def test_pixels_that_are_no_numbers_end_the_trial() -> None:
    run = new(AdversarialRun, settings())
    with torch.no_grad():
        next(iter(run.average.parameters())).fill_(torch.nan)
    with pytest.raises(Diverged, match="pixel that is not a number by step 0 of 12"):
        run.generated(3)


def test_a_generator_that_repeats_one_image_has_collapsed() -> None:
    run = new(AdversarialRun, settings())
    head = run.average.module.get_submodule("head.conv")
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
    found = run.evaluate(1)
    assert found["test_measures"]["collapsed"] == 1.0
    assert found["classifier"] == run.features.sha256
    assert found["test_error"] == found["train_error"] == 1.0
    assert blind_errors(run) == {"train": 1.0, "test": 1.0}
    assert shortfall(0.5, 0.25) == pytest.approx(1 - 1 / 3)


def test_it_learns_to_make_digits() -> None:
    chosen = settings(average=0.9).model_dump(mode="json")
    chosen["data"] = {"kind": "digits"}
    chosen["task"]["discriminator_steps"] = 1
    chosen["model"]["width"] = chosen["discriminator"]["width"] = 8
    chosen["training"] |= {"epochs": 4, "batch_size": 32, "test_every": 4}
    run = new(AdversarialRun, parse_settings(chosen))
    before = run.evaluate(1)["test_measures"]
    run.shortfalls, run.evaluated = 0.0, 0
    measures = advanced(run, run.total)[-1]["test_measures"]
    assert measures["frechet_floor"] < measures["frechet"] < 0.85 * before["frechet"]
    assert measures["classifier_error"] < 0.3


@pytest.mark.parametrize(
    ("shape", "generator", "discriminator"),
    [
        ((28, 28), {"depth": 6, "bottom": 7}, {"depth": 9, "bottom": 7}),
        ((32, 32, 3), {"depth": 8}, {"depth": 9, "bottom": 8}),
    ],
    ids=["as Fashion-MNIST", "as CIFAR-10"],
)
def test_images_of_other_data_sets_are_made_measured_and_kept(
    shape: tuple[int, ...], generator: Any, discriminator: Any, tmp_path: Path
) -> None:
    draws = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 24), ("test", 20)):
        labels = np.arange(count) % 2
        shade = (100 * labels).reshape(-1, *[1] * len(shape))
        noise = draws.integers(0, 100, (count, *shape))
        arrays |= {f"{split}_images": (shade + noise).astype(np.uint8), f"{split}_labels": labels}
    np.savez(tmp_path / "set.npz", **arrays)
    chosen = settings(discriminator).model_dump(mode="json")
    chosen["data"] = {"kind": "arrays", "root": str(tmp_path / "set.npz")}
    chosen["model"] |= generator
    chosen["training"] |= {"epochs": 1, "batch_size": 12}
    run = new(AdversarialRun, parse_settings(chosen))
    (row,) = advanced(run, run.total)
    assert row["picture"]["shape"] == [16, *shape[:2], shape[2] if len(shape) == 3 else 1]
    assert np.isfinite([row["loss"], row["test_error"], *row["test_measures"].values()]).all()
    assert row["classifier"] == run.features.sha256
    assert run.features(run.generated(10)).shape == (10, 64)
