"""Several processes train what one would train, and end together."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import shared_batches
import torch

from resexp import durable, store
from resexp.config.parse import parse_settings
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.local import Local
from resexp.execution.sweep import Options
from resexp.plan.trial import Trial
from resexp.training.entry import PRELOAD
from resexp.training.member import Member, loopback

IMAGES = {"kind": "synthetic", "train": 70, "test": 8, "size": 8, "noise": 0.4, "crop": 1, "flip": True}
RESNET = {"kind": "resnet", "depth": 8, "width": 4, "connection": "residual"}
SGD = {"kind": "sgd", "lr": 0.05}
SCHEDULE = {"kind": "step", "low_rate": {"until_train_error": 0.7}}
TOKENS = {"kind": "text_file", "context": 16}
TRANSFORMER = {"kind": "transformer", "depth": 2, "width": 16, "heads": 2, "order": "pre", "norm": "layer"}
LONG: dict[str, dict[str, Any]] = {
    "without a norm": {"model": {**RESNET, "norm": "none"}},
    "sync": {"model": RESNET, "sync_norm": True},
}
SHORT: dict[str, dict[str, Any]] = {
    "clipped": {"model": {**RESNET, "norm": "group"}, "clip": 0.5, "schedule": SCHEDULE},
    "vectors": {
        "data": {"kind": "table", "name": "wine"},
        "model": {"kind": "mlp", "depth": 6, "width": 8},
        "sync_norm": True,
    },
    "rep": {"model": {**RESNET, "block": "rep"}, "sync_norm": True},
    "segmentation": {
        "data": {"kind": "digit_scenes", "train": 14, "test": 4},
        "task": "segmentation",
        "model": {"kind": "unet", "depth": 14, "width": 4},
        "sync_norm": True,
    },
    "language": {"data": TOKENS, "task": "language", "model": TRANSFORMER},
    "masked language": {
        "data": TOKENS,
        "task": "masked_language",
        "model": {**TRANSFORMER, "mask": "none"},
    },
    "masked autoencoding": {
        "data": {"kind": "digits", "train_size": 70, "test_size": 20},
        "task": "masked_autoencoding",
        "model": {**TRANSFORMER, "kind": "masked_autoencoder", "decoder_width": 16},
    },
}
TIMING = ("seconds", "step_seconds", "images_per_second", "peak_memory_bytes", "attempt", "rows", "trial")


@pytest.fixture(scope="module")
def launcher() -> Local:
    return Local([PRELOAD, "shared_batches"])


def from_worker(launcher: Local, function: Any, *calls: tuple[Any, ...]) -> list[Any]:
    """What the function sends in each call, one after another."""
    told = []
    for arguments in calls:
        with launcher.beside(function, [arguments]) as (talk,):
            assert talk.poll(120)
            told.append(talk.recv())
    return told


def settings(folder: Path, trial: dict[str, Any], **training: Any) -> str:
    (folder / "text").write_text("".join(chr(97 + i * i % 19) for i in range(600)))
    data, task = trial.get("data", IMAGES), trial.get("task", "classification")
    data = {**data, "root": str(folder / "text")} if data["kind"] == "text_file" else data
    extra = {key: trial[key] for key in ("clip", "schedule", "sync_norm") if key in trial}
    training = {"batch_size": 7, "optimizer": SGD, **extra, **training}
    plain = {"data": data, "task": task, "model": trial["model"], "training": training}
    return json.dumps(parse_settings(plain).model_dump(mode="json"))


def apart(a: Any, b: Any) -> float:
    """The largest difference between numbers of two nested lists or mappings of the same form."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        return max((apart(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list):
        assert len(a) == len(b)
        return max((apart(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    return 0.0 if math.isnan(a) and math.isnan(b) else abs(a - b)


def learns(curve: list[list[float]]) -> bool:
    """Whether the last losses are lower than the first ones."""
    losses = [loss for loss, _ in curve]
    return sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize("trial", LONG.values(), ids=LONG)
def test_two_processes_learn_what_one_learns_in_a_hundred_steps(
    trial: dict[str, Any], launcher: Local, tmp_path: Path
) -> None:
    text = settings(tmp_path, trial, iterations=100)
    one, two = from_worker(launcher, shared_batches.curve, (text, 1), (text, 2))
    assert len(one["curve"]) == 100
    assert learns(one["curve"])
    assert apart(one, two) < 1e-9


@pytest.mark.parametrize("trial", SHORT.values(), ids=SHORT)
def test_every_task_learns_the_same(trial: dict[str, Any], launcher: Local, tmp_path: Path) -> None:
    text = settings(tmp_path, trial, iterations=8)
    one, three = from_worker(launcher, shared_batches.curve, (text, 1), (text, 3))
    assert apart(one, three) < 1e-9
    assert apart(one["curve"][0], one["curve"][-1]) > 1e-3


def test_a_norm_of_each_process_learns_something_else(launcher: Local, tmp_path: Path) -> None:
    text = settings(tmp_path, {"model": RESNET}, iterations=3)
    one, two = from_worker(launcher, shared_batches.curve, (text, 1), (text, 2))
    assert apart(one["curve"], two["curve"]) > 1e-4


@pytest.mark.parametrize(("momentum", "affine"), [(0.1, True), (None, False)])
def test_the_norm_is_batch_norm_of_the_whole_batch(
    momentum: float | None, affine: bool, launcher: Local
) -> None:
    ((whole, parts),) = from_worker(launcher, shared_batches.norms, (momentum, affine))
    for what in ("outputs", "inputs"):
        for number in range(2):
            together = [example for part in parts for example in part[what][number]]
            assert apart(whole[what][number], together) < 1e-10
    summed = torch.tensor([part["weights"] for part in parts], dtype=torch.float64).sum(0).tolist()
    assert apart(whole["weights"], summed) < 1e-10
    assert bool(whole["weights"]) == affine
    for part in parts:
        assert apart(whole["buffers"], part["buffers"]) < 1e-10
        assert apart(whole["evaluated"], part["evaluated"]) < 1e-10


def left(folder: store.TrialFolder) -> dict[str, Any]:
    """All that a trial left, timing aside."""
    result = durable.read_document(folder.result)
    rows = [durable.read_rows(path.read_bytes())[0] for path in (folder.metrics, folder.probes)]
    saved = torch.load(folder.checkpoints()[-1].with_suffix(".pt"), weights_only=True)
    del result["run"]  # a name for the command that finished the trial
    return plain({"result": result, "metrics and probes": rows, "saved": saved})


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in TIMING}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def test_a_trial_goes_on_from_any_end_of_any_of_its_processes(launcher: Local, tmp_path: Path) -> None:
    probes = [{"kind": "update_ratio", "at": [0, 0.5, 1], "batch_size": 16}]
    text = settings(tmp_path, {"model": RESNET}, epochs=2, batch_size=10, processes=2, train_every=1)
    dump = {**json.loads(text), "probes": parse_probes(probes, text)}
    names = ["whole", "kill-0", "kill-1", "stop-0", "raise-1", "memory-1"]
    trials = [Trial(f"{n:012}", name, "residual", "residual", 8, 0, dump) for n, name in enumerate(names)]

    def run() -> dict[str, str | None]:
        with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
            options = Options("shared_batches:trial", keep_going=True)
            supervisor.supervise(experiment, launcher, options, slots=["cpu"], display=Display())
            return {trial.name: experiment.last_state(trial).cause for trial in trials}

    causes = run()
    assert causes == {
        "whole": None,
        "kill-0": "crashed: signal 9 (SIGKILL)",
        "kill-1": "crashed: signal 9 (SIGKILL)",
        "stop-0": "crashed: the process ended with exit status 0 and left no result",
        "raise-1": "error: TrialError: process 2 of 2: ValueError: a fault of a plugin",
        "memory-1": "out of memory",
    }
    assert run() == dict.fromkeys(names)
    whole, *others = (left(store.ExperimentFolder(tmp_path / "e").trial(trial)) for trial in trials)
    assert whole["saved"]["run"]["step"] == 14
    assert len(whole["metrics and probes"][1]) > 3
    for name, other in zip(names[1:], others, strict=True):
        assert other == whole, name


def parse_probes(probes: list[dict[str, Any]], text: str) -> Any:
    return parse_settings({**json.loads(text), "probes": probes}).model_dump(mode="json")["probes"]


def test_the_memory_of_a_trial_is_that_of_all_its_processes(launcher: Local, tmp_path: Path) -> None:
    trials = []
    for count in (1, 2):
        text = settings(tmp_path, {"model": RESNET}, iterations=2, processes=count)
        trials.append(Trial(f"{count:012}", f"n{count}", "residual", "residual", 8, 0, json.loads(text)))
    with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
        options = Options("resexp.training.trial:train")
        supervisor.supervise(experiment, launcher, options, slots=["cpu"], display=Display())
        one, two = (experiment.last_state(trial).result["peak_memory_bytes"] for trial in trials)
    assert 1.5 * one < two < 3 * one


def test_a_trial_that_diverges_is_recorded_once_and_leaves_nobody(launcher: Local, tmp_path: Path) -> None:
    optimizer = {"kind": "sgd", "lr": 1e9}
    text = settings(tmp_path, {"model": RESNET}, iterations=20, processes=2, optimizer=optimizer)
    trial = Trial("1" * 12, "wild", "residual", "residual", 8, 0, json.loads(text))
    with store.create(tmp_path, "e", config_text="", trials=[trial], environment={}) as experiment:
        options = Options("resexp.training.trial:train")
        supervisor.supervise(experiment, launcher, options, slots=["cpu"], display=Display())
        state = experiment.last_state(trial)
        log = store.ExperimentFolder(experiment.path).trial(trial).log.read_text()
    assert state.status == "diverged"
    assert "the loss became nan by step" in str(state.cause)
    assert state.result["peak_memory_bytes"] is None
    assert "Traceback" not in log


def test_the_first_process_ends_where_it_waits_for_something_else(launcher: Local, tmp_path: Path) -> None:
    with launcher.beside(shared_batches.busy, [(str(tmp_path),)]) as (talk,):
        assert talk.poll(60)
        with pytest.raises(EOFError):
            talk.recv()
    assert (tmp_path / "cause").read_text() == "error: error: process 2 of 2: ValueError: why it ended"


def test_another_process_ends_with_the_first(launcher: Local) -> None:
    with launcher.beside(shared_batches.orphan, [()]) as (talk,):
        assert talk.poll(60)
        place = Path(f"/proc/{talk.recv()}")
        deadline = time.monotonic() + 60
        while place.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not place.exists()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_the_whole_and_differ_by_at_most_one(size: int) -> None:
    for count in range(size, 20):
        shares = [range(count)[Member(number, size).share(count)] for number in range(size)]
        assert [each for share in shares for each in share] == list(range(count))
        assert {len(share) for share in shares} <= {count // size, count // size + 1}


def test_the_loopback_interface_is_found_by_its_name() -> None:
    assert loopback(["eth0", "lo0"]) == "lo0"
    assert loopback(["lo", "eth0"]) == "lo"
