"""A trial that is stopped, or dies, during any step, evaluation, probe or save is the one left alone."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from leavings import left
from tally import Record

from resexp import durable, store
from resexp.config.parse import parse_settings
from resexp.plan.trial import Trial
from resexp.store import Attempt, TrialFolder
from resexp.store.layout import read_or_empty
from resexp.training import evaluation, probing, run, trial
from resexp.training.boosting.rounds import Boosting
from resexp.training.loop import TrainingLoop
from resexp.training.trial import train

NETWORK: dict[str, Any] = {
    "data": {"kind": "synthetic", "train": 32, "test": 16, "size": 8, "crop": 1, "flip": True},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": "residual"},
    "training": {"epochs": 2, "batch_size": 16, "optimizer": {"kind": "sgd", "lr": 0.1}, "train_every": 1},
    "probes": [
        {"kind": "gradient_norms", "at": [0, 0.5, 1], "batch_size": 16},
        {"kind": "update_ratio", "at": [0.75, 1], "batch_size": 16},
    ],
}
ROUNDS: dict[str, Any] = {
    "data": {"kind": "table", "name": "wine"},
    "model": {"kind": "svbm", "depth": 3, "c": 0.1, "connection": "residual"},
    "training": {"epochs": 1},
}


class Cut(BaseException):
    """The process dies here: nothing that handles errors may run."""


class Watched:
    """Counts what a trial does, and stops it, or lets it die, in the middle of number `at` of it."""

    def __init__(self, at: int | None, dies: bool = False) -> None:
        self.done: list[str] = []
        self._at = at
        self._dies = dies
        self._attempt: Attempt | None = None

    def train(self, attempt: Attempt) -> bool:
        """Train; returns whether the trial lived to the end of its attempt."""
        self._attempt = attempt
        try:
            train(attempt)
        except Cut:
            return False
        return True

    def around(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.done.append(name)
            if len(self.done) == self._at:
                if self._dies:
                    raise Cut
                assert self._attempt is not None
                self._attempt.stopping = True
            return original(*arguments, **options)

        return counted


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Watched], None]:
    """Lets a Watched hear of every step, evaluation, probe, row and save of the trials that come."""
    places = [
        (run.Run, "train_step", "step"),
        (Boosting, "step", "step"),
        (evaluation, "evaluate", "evaluation"),
        (probing, "measured", "probe"),
        (TrainingLoop, "save", "save"),
        (Attempt, "metric", "row"),
        (Attempt, "progress", "progress"),
        (Attempt, "commit", "commit"),
        (trial, "open_data", "data"),
    ]
    originals = [(owner, name, what, getattr(owner, name)) for owner, name, what in places]

    def patch(watched: Watched) -> None:
        for owner, name, what, original in originals:
            monkeypatch.setattr(owner, name, watched.around(what, original))

    return patch


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An experiment of one trial of the settings given."""
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    dump = parse_settings(getattr(request, "param", NETWORK)).model_dump(mode="json")
    one = Trial("a" * 12, "small", "residual", "residual", dump["model"]["depth"], 0, dump)
    with store.create(tmp_path, "e", config_text="", trials=[one], environment={}) as experiment:
        yield experiment


def next_attempt(opened: store.StoredExperiment) -> Attempt:
    path, number = opened.claim(opened.trials[0])
    return Attempt(path, number)


def folder_of(opened: store.StoredExperiment) -> TrialFolder:
    return store.ExperimentFolder(opened.path).trial(opened.trials[0])


@pytest.mark.parametrize("dies", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("opened", [NETWORK, ROUNDS], ids=["network", "rounds"], indirect=True)
def test_in_the_middle_of_anything(
    opened: store.StoredExperiment, dies: bool, patched: Callable[[Watched], None], record: Record
) -> None:
    def attempted(at: int | None) -> tuple[bool, Watched]:
        watched = Watched(at, dies)
        patched(watched)
        return watched.train(next_attempt(opened)), watched

    (one,), folder = opened.trials, folder_of(opened)
    _, whole = attempted(None)
    expected = left(folder)
    assert opened.state(one).status == "done"
    lost = []
    for at in range(1, len(whole.done) + 1):
        shutil.rmtree(folder.path)
        lived, _ = attempted(at)
        what = f"{whole.done[at - 1]}, number {at} of {whole.done}"
        assert lived is not dies, what
        if not opened.state(one).finished:
            attempted(None)
        if left(folder) != expected:
            lost.append(what)
    record(
        f"{'killed' if dies else 'stopped'} in the middle of every step, probe and save",
        len(whole.done),
        len(lost),
    )
    assert lost == []


def half_a_network(saved: bytes) -> bytes:
    state = torch.load(io.BytesIO(saved), weights_only=True)
    state["run"]["network"].popitem()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("spoil", [lambda _: b"no checkpoint", half_a_network], ids=["bytes", "weights"])
@pytest.mark.parametrize("earlier", [0, 1], ids=["none before it", "one before it"])
def test_a_checkpoint_that_cannot_be_loaded_gives_way_to_the_one_before(
    spoil: Callable[[bytes], bytes],
    earlier: int,
    opened: store.StoredExperiment,
    patched: Callable[[Watched], None],
) -> None:
    train(next_attempt(opened))
    folder = folder_of(opened)
    expected = left(folder)
    shutil.rmtree(folder.path)
    stopping = Watched(12)  # in the first step of the second epoch
    patched(stopping)
    stopping.train(next_attempt(opened))
    assert [read_or_empty(path)["step"] for path in folder.checkpoints()] == [2, 3]
    for path in folder.checkpoints()[earlier:]:
        saved = spoil(path.with_suffix(".pt").read_bytes())
        path.with_suffix(".pt").write_bytes(saved)
        sealed = {**durable.read_document(path), "sha256": hashlib.sha256(saved).hexdigest()}
        durable.write_document(path, sealed)
    again = Watched(None)
    patched(again)
    again.train(next_attempt(opened))
    assert again.done.count("step") == 4 - 2 * earlier
    (note,) = store.read(opened.path).notes if earlier else store.read(opened.path).notes[:1]
    assert "cannot be loaded" in note
    found = left(folder)
    assert found["result"].pop("notes")
    assert found == expected
