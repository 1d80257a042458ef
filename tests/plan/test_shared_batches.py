"""What several processes cannot share is refused in planning, and the plan counts their cores and memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from kinds import connection_of, stir

from resexp.api import trials
from resexp.bench.measure import first_trial
from resexp.catalog import scan
from resexp.config.load import load
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.estimate.at_once import best_slots
from resexp.estimate.duration import can_be_timed, room, trial_bytes
from resexp.estimate.network import Measurer
from resexp.execution.local import Local
from resexp.models.base import Purpose
from resexp.models.build import build_network
from resexp.plan.make import make_plan
from resexp.plan.trial import Trial
from resexp.tasks.base import Task

BASE = """\
name: t
data: {kind: synthetic, train: 64, test: 16, size: 8}
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 1, batch_size: 16}
"""
PLUGIN = """\
from torch import Tensor
from resexp.connections.base import Branch, Connection, Site
from resexp.models.base import Trunk
from resexp.models.resnet import Resnet
from resexp.tasks.base import Task
from resexp.tasks.classification import Classification

class OwnConnection(Connection):
    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return f(h)

class OwnTrunk(Resnet, Trunk):
    pass

class OwnTask(Classification, Task):
    pass
"""


def planned(tmp_path: Path, *overrides: str, device: str = "cpu", plugin: str = "") -> list[Trial]:
    file, plugins = tmp_path / "t.yaml", [tmp_path / "own.py"] if plugin else []
    file.write_text(BASE)
    (tmp_path / "own.py").write_text(plugin)
    experiment = load(file, overrides, plugins=plugins)
    return make_plan(experiment, Measurer(device, experiment.plugins))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model.connection=stochastic_depth"], "model.connection: stochastic_depth needs the whole batch"),
        (
            ["training.batch_size=1"],
            "training.processes: 2 processes cannot share a batch of 1; give at most 1",
        ),
        (
            ["data.train_size=4", "training.processes=5"],
            "training.processes: 5 processes cannot share a batch of 4; give at most 4",
        ),
        (["training.compile=true"], "training.compile: has never been tried with 2 processes"),
        (
            ["training.batch_size=3", "model={kind: mlp, depth: 6}"],
            "training.processes: from batches of 1 example, a batch norm gets one value per channel, and "
            "makes 0 of it; give fewer, or training.sync_norm: true",
        ),
        (
            # Neither fewer processes nor sync_norm would be enough.
            ["training.batch_size=2", "model={kind: mlp, depth: 6}"],
            "training.batch_size: from batches of 1 example, a batch norm gets one value per channel, and "
            "makes 0 of it; give more, or model.norm: none",
        ),
        (
            ["training.sync_norm=true", "model.norm=group"],
            "training.sync_norm: has no effect with norm: group; leave it at false",
        ),
        (
            ["training.sync_norm=true", "training.processes=1"],
            "training.sync_norm: has no effect with one process; leave it at false",
        ),
        (
            ["data={kind: table, name: wine}", "model={kind: svbm, depth: 2, connection: residual}"],
            "training.processes: has no effect on svbm; leave it at 1",
        ),
        (["training.processes=257"], "training.processes: 257 is too large"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_in_one_line(
    overrides: list[str], says: str, tmp_path: Path
) -> None:
    own = any(each.startswith("training.processes") for each in overrides)
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, *([] if own else ["training.processes=2"]), *overrides)
    (line,) = [line for line in str(refused.value).splitlines() if "batch_size: has no effect" not in line]
    assert says in line


def test_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training.processes: several processes train on CPUs only"):
        planned(tmp_path, "training.processes=2", device="cuda:0")
    assert planned(tmp_path, device="cuda:0")


def test_the_advice_for_batch_norm_works(tmp_path: Path) -> None:
    few = ["training.processes=2", "training.batch_size=3", "model={kind: mlp, depth: 6}"]
    assert planned(tmp_path, *few, "training.sync_norm=true")


@pytest.mark.parametrize(
    "part", ["model.connection=own_connection", "model={kind: own_trunk, depth: 8}", "task=own_task"]
)
def test_a_plugins_part_must_say_whether_it_needs_the_whole_batch(part: str, tmp_path: Path) -> None:
    assert planned(tmp_path, part, plugin=PLUGIN)
    with pytest.raises(ConfigError, match=r"own_\w+ does not say .*; set whole_batch = False in its class"):
        planned(tmp_path, "training.processes=2", part, plugin=PLUGIN)
    for says in ("True", "False"):
        lines = (
            f"{line}\n    whole_batch = {says}" if line.startswith("class") else line
            for line in PLUGIN.splitlines()
        )
        said = "\n".join(lines)
        if says == "False":
            assert planned(tmp_path, "training.processes=2", part, plugin=said)
        else:
            with pytest.raises(ConfigError, match=r"own_\w+ needs the whole batch"):
                planned(tmp_path, "training.processes=2", part, plugin=said)


def test_one_process_leaves_the_id_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(BASE)
    changes = [[], ["training.processes=1"], ["training.processes=2"], ["training.processes=3"]]
    changes.append(["training.processes=2", "training.sync_norm=true"])
    ids = [trials(load(file, overrides), "cpu")[0].id for overrides in changes]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_the_plan_counts_cores_and_memory_of_every_process(tmp_path: Path) -> None:
    (one,), (three,) = planned(tmp_path), planned(tmp_path, "training.processes=3")
    assert 2.5 * trial_bytes(one) < trial_bytes(three) < 3 * trial_bytes(one)
    assert room(["cpu"] * 8, [one], 1 << 40, asked=False).slots == ("cpu",) * 8
    found = room(["cpu"] * 8, [one, three], 1 << 40, asked=False)
    assert found.slots == ("cpu", "cpu")
    assert found.note == (
        "A trial has up to 3 processes, and there are cores for 8 processes, so at most 2 trials "
        "can run at once."
    )
    alone = room(["cpu"] * 2, [three], 1 << 40, asked=False)
    assert alone.slots == ("cpu",)
    assert (alone.note or "").endswith("so at most 1 trial can run at once.")
    assert room(["cpu"] * 2, [three], 1 << 40, asked=True).slots == ("cpu",) * 2
    assert best_slots(["cpu"] * 8, [one, three], 1, Measurer("cpu"), Local()) == ["cpu", "cpu"]
    assert can_be_timed(one)
    assert not can_be_timed(three)


def test_a_benchmark_of_several_processes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(BASE)
    with pytest.raises(ConfigError, match=r"training.processes: has 2 processes, and a benchmark times"):
        first_trial(load(file, ["training.processes=2"]), Measurer("cpu"))


IMAGES = Purpose((3, 32, 32), 4)
PURPOSES = {
    "generator": Purpose((3, 32, 32), 4, "noise"),
    "masked_autoencoder": Purpose((3, 32, 32), 4, "images"),
    "m_net": Purpose((1, 4000), 4),
    "transformer": Purpose((8,), 5, "tokens", causal=True),
    "unet": Purpose((3, 32, 32), 4, "masks"),
}
TRUNKS: dict[str, dict[str, object]] = {
    "densenet": {"depth": 7},
    "discriminator": {"depth": 11, "width": 4},
    "generator": {"depth": 8, "width": 4},
    "imagenet_densenet": {"depth": 121, "width": 8},
    "imagenet_resnet": {"depth": 18, "width": 8},
    "keyword_resnet": {"depth": 8, "width": 4},
    "masked_autoencoder": {"depth": 1, "patch": 8, "width": 8, "heads": 2, "order": "pre", "norm": "layer"},
    "mlp": {"depth": 4, "width": 8},
    "m_net": {"depth": 3, "width": 4},
    "resnet": {"depth": 8},
    "transformer": {"depth": 1, "width": 8, "heads": 2, "order": "pre", "norm": "layer"},
    "unet": {"depth": 14, "width": 4},
    "vit": {"depth": 1, "patch": 8, "width": 8, "heads": 2, "order": "pre", "norm": "layer"},
}


def alone(model: dict[str, object], seed: int) -> bool:
    """Whether, while training, the output of the first example depends on this example alone."""
    purpose = PURPOSES.get(str(model["kind"]), IMAGES)
    training = {"epochs": 1}
    settings = parse_settings({"data": "synthetic", "model": model, "training": training})
    torch.manual_seed(seed)
    network = build_network(settings.model, purpose)
    stir(network)
    x = purpose.made_up(3, "cpu")
    if not x.is_floating_point():
        hooked: list[torch.Tensor] = []
        network.stem.register_forward_hook(lambda _, __, y: hooked.append(y) or y.retain_grad())  # type: ignore[func-returns-value]
        torch.autograd.backward(network(x)[0].square().sum())
        gradient = hooked[0].grad
    else:
        torch.autograd.backward(network(x.requires_grad_())[0].square().sum())
        gradient = x.grad
    assert gradient is not None
    assert gradient[0].abs().sum() > 0
    return not gradient[1:].any()


def test_every_trunk_says_truly_that_examples_are_apart() -> None:
    networks = {
        kind for kind, part in scan.parts("model").items() if scan.part_class(part).network is not None
    }
    assert networks == set(TRUNKS)
    for kind, options in TRUNKS.items():
        model = {"kind": kind, "norm": "none", "connection": "residual", **options}
        assert scan.part_class(scan.parts("model")[kind]).whole_batch is not alone(model, 0), kind
    assert not alone({"kind": "resnet", "depth": 8}, 0), "a batch norm would be noticed"


@pytest.mark.parametrize("kind", scan.parts("connection"))
def test_every_connection_says_truly_that_examples_are_apart(kind: str) -> None:
    assert connection_of(kind).whole_batch == (kind == "stochastic_depth")
    assert alone({"kind": "resnet", "depth": 8, "width": 4, "norm": "group", "connection": kind}, 0)


def test_every_task_says_that_its_loss_is_a_mean_over_units() -> None:
    """`tests/training/test_several_processes.py` trains each of them by one and by three processes. Learning
    by playing is left out, because it scales advantages over the whole batch, and so are two networks that
    learn against each other.
    """
    tasks: dict[str, type[Task]] = {kind: scan.part_class(part) for kind, part in scan.parts("task").items()}
    assert [kind for kind, task in tasks.items() if task.whole_batch] == ["adversarial", "ppo"]
    assert set(tasks) == {
        *("classification", "language", "masked_autoencoding", "masked_language", "segmentation", "ppo"),
        "adversarial",
    }
