"""A trial from folder to result: resumed and probed trials are bit for bit the plain one."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from learners import advanced, saved

from resexp import store
from resexp.catalog.plugins import read_plugin
from resexp.config.parse import parse_settings
from resexp.config.settings import Settings
from resexp.connections.core import Residual
from resexp.data import cache
from resexp.data.opening import open_data
from resexp.machine.arithmetic import may_continue
from resexp.machine.devices import device_name
from resexp.plan.trial import Trial
from resexp.probes.base import Reading, Snapshot
from resexp.probes.gradient_norms import GradientNorms
from resexp.store import Attempt, TrialFolder, read
from resexp.tasks.classification import Classification
from resexp.training import evaluation, loop
from resexp.training.probing import probe_rows, reason
from resexp.training.run import Run
from resexp.training.trial import fingerprint, train

Attempts = Callable[..., Attempt]
CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "data": {"kind": "synthetic", "train": 48, "test": 16, "noise": 0.4, "crop": 1, "flip": True},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": "residual"},
    "training": {
        "epochs": 3,
        "batch_size": 16,
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "schedule": {"kind": "one_cycle"},
        "train_every": 1,
    },
    "probes": [
        {"kind": kind, "at": [0, 0.5, 1], "batch_size": 16}
        for kind in ("gradient_norms", "responses", "update_ratio")
    ],
    "seed": 1,
}


@pytest.fixture(autouse=True)
def _data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path_factory.getbasetemp() / "data"))


def settings_with(**changes: Any) -> Settings:
    """The small trial's settings; `training_epochs=1` changes training.epochs."""
    settings = {key: dict(value) if isinstance(value, Mapping) else value for key, value in SETTINGS.items()}
    for name, value in changes.items():
        part, _, option = name.partition("_")
        if option:
            settings[part][option] = value
        else:
            settings[part] = value
    return parse_settings(settings)


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """Makes the next attempt at one trial; settings are given the first time."""
    opened: list[store.StoredExperiment] = []

    def next_attempt(settings: Settings | None = None) -> Attempt:
        if settings is not None:
            dump = settings.model_dump(mode="json")
            trial = Trial("a" * 12, "small", "residual", "residual", 8, 1, dump)
            opened.append(store.create(tmp_path, "e", config_text="", trials=[trial], environment={}))
        folder, number = opened[0].claim(opened[0].trials[0])
        return Attempt(folder, number)

    yield next_attempt
    for experiment in opened:
        experiment.close()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    newest = TrialFolder(folder).checkpoints()[-1].with_suffix(".pt")
    return torch.load(newest, weights_only=True)["run"]["network"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[key], b[key]) for key in a)


def start_over(folder: Path) -> None:
    for file in [folder / "result.json", *folder.glob("*.jsonl"), *folder.glob("checkpoint*")]:
        file.unlink()


class StopAt:
    """An attempt that is told to stop after some steps, or that dies there without a word."""

    def __init__(self, attempt: Attempt, steps: int, dies: bool) -> None:
        self.attempt, self.left, self.dies = attempt, steps, dies

    def __getattr__(self, name: str) -> Any:
        return getattr(self.attempt, name)

    def progress(self, **row: Any) -> None:
        self.attempt.progress(**row)
        self.left -= 1
        if self.left == 0:
            if self.dies:
                raise KeyboardInterrupt
            self.attempt.stopping = True


def rows(attempt_root: Path) -> Any:
    records = read(attempt_root)
    metrics = records.metrics.drop(columns=["seconds"])
    return json.loads(metrics.to_json()), json.loads(records.probes.to_json())


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("step", [1, 3, 4, 8])
def test_resuming_gives_the_weights_and_rows_of_an_uninterrupted_run(
    step: int, dies: bool, tmp_path: Path, attempts: Attempts
) -> None:
    settings = settings_with()
    straight = attempts(settings)
    train(straight)
    expected = weights(straight_folder := straight._folder.path), rows(straight_folder.parents[1])
    start_over(straight_folder)

    broken = StopAt(attempts(), step, dies)
    try:
        train(broken)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        assert dies
    assert not (straight_folder / "result.json").exists()
    train(attempts())
    assert same(weights(straight_folder), expected[0])
    assert rows(straight_folder.parents[1]) == expected[1]
    trial = read(straight_folder.parents[1]).trials.iloc[0]
    assert (trial["status"], trial["steps"], trial["epochs"]) == ("done", 9, 3)


def test_a_connection_that_draws_from_numpy_and_python_goes_on_as_if_uninterrupted(
    tmp_path: Path, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(self: Residual, h: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return self.shortcut(h) + np.random.uniform(0.5, 1.0) * f(h) * random.uniform(0.5, 1.0)

    monkeypatch.setattr(Residual, "forward", noisy)
    train(straight := attempts(settings_with()))
    expected = weights(folder := straight._folder.path), rows(folder.parents[1])
    start_over(folder)
    train(StopAt(attempts(), 4, dies=False))  # type: ignore[arg-type]
    train(attempts())
    assert same(weights(folder), expected[0])
    assert rows(folder.parents[1]) == expected[1]


def test_an_environment_names_the_processor_and_what_limits_its_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    free = fingerprint(CPU, 1)
    assert free.get("model") == device_name("cpu")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    limited = fingerprint(CPU, 1)
    assert not may_continue(free, limited)
    assert {**free, "ONEDNN_MAX_CPU_ISA": "AVX2"} == limited


def test_the_memory_of_a_continued_trial_is_the_most_of_its_attempts(
    tmp_path: Path, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last attempt may only have measured probes."""
    monkeypatch.setattr(loop, "peak_memory", lambda _device: 500)
    train(StopAt(attempts(settings_with(training_epochs=1)), 2, False))  # type: ignore[arg-type]
    monkeypatch.setattr(loop, "peak_memory", lambda _device: 300)
    train(attempts())
    assert read(tmp_path / "e").trials["peak_memory_bytes"].tolist() == [500]


@pytest.mark.parametrize("forgotten", ["network", "optimizer", "step"])
def test_a_resume_that_forgets_something_would_be_noticed(
    forgotten: str, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = attempts(settings_with())
    train(straight)
    folder = straight._folder.path
    expected = weights(folder)
    start_over(folder)
    train(StopAt(attempts(), 4, dies=False))  # type: ignore[arg-type]

    restore = Run.restore
    monkeypatch.setattr(
        Run, "restore", lambda run, state: restore(run, {**state, forgotten: run.state()[forgotten]})
    )
    train(attempts())
    assert not same(weights(folder), expected)


def test_probes_do_not_change_one_bit(attempts: Attempts) -> None:
    def final(probes: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        run = Run(settings_with(probes=probes), open_data(settings_with().data, CPU), CPU)
        while run.step < run.total:
            assert bool(list(probe_rows(run, [], lambda: None))) == bool(probes)
            run.train_step()
        return run.network.state_dict()

    everything = [
        {"kind": kind, "at": [i / 9 for i in range(10)]}
        for kind in ("gradient_norms", "responses", "update_ratio")
    ]
    assert same(final([]), final(everything))


def test_no_step_rounds_float32_to_tf32(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    step, seen = Run.train_step, set()

    def watched(run: Run) -> None:
        seen.add(torch.backends.cudnn.allow_tf32)
        step(run)

    monkeypatch.setattr(Run, "train_step", watched)
    train(attempts(settings_with()))
    assert seen == {False}


def test_divergence_is_an_outcome_not_a_crash(attempts: Attempts) -> None:
    attempt = attempts(settings_with(training_optimizer={"kind": "sgd", "lr": 1e30}, model_norm="none"))
    train(attempt)
    trial = read(attempt._folder.path.parents[1]).trials.iloc[0]
    assert trial["status"] == "diverged"
    assert "the loss became" in trial["cause"]
    assert trial[["train_error", "test_error"]].isna().all()


@pytest.mark.parametrize("before", ["nothing", "an older version"])
def test_a_net_that_breaks_in_its_last_step_diverges_and_has_no_error(
    before: str, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest of outputs that are NaN is the first class, so that the error would look like a number."""
    attempt = attempts(
        settings_with(
            training_epochs=None,
            training_iterations=4,
            training_schedule={"kind": "step", "milestones": [0.75], "gamma": 1e38},
            model_norm="none",
        )
    )
    if before == "an older version":  # it looked at the loss in training alone, and called such a trial done
        with monkeypatch.context() as patched:
            lenient = SimpleNamespace(isfinite=lambda _: True, isnan=math.isnan)
            patched.setattr(evaluation, "math", lenient)
            train(attempt)
        attempt = attempts()
    train(attempt)
    trial = read(attempt._folder.path.parents[1]).trials.iloc[0]
    assert trial["status"] == "diverged"
    assert trial["cause"] == "the loss in evaluation became nan by step 4 of 4"
    assert trial[["train_error", "test_error"]].isna().all()


def make_run(**changes: Any) -> Run:
    settings = settings_with(**changes)
    return Run(settings, open_data(settings.data, CPU), CPU)


def test_a_low_rate_ends_when_the_training_error_has_fallen() -> None:
    schedule = {"kind": "constant", "low_rate": {"factor": 0.1, "until_train_error": 0.9}}
    run = make_run(training_schedule=schedule, training_epochs=20)
    rates = []
    while run.step < run.total:
        run.train_step()
        rates.append(run.optimizer.param_groups[0]["lr"])
    change = rates.index(0.1)
    assert rates == pytest.approx([0.01] * change + [0.1] * (60 - change))
    assert 3 < change < 59


def test_iterations_end_within_an_epoch() -> None:
    run = make_run(training_epochs=None, training_iterations=7)
    while run.step < run.total:
        run.train_step()
    assert (run.total, run.epochs, run.epoch_ended()) == (7, 3, True)
    assert run.close_epoch()["epoch"] == 3


def test_the_running_error_is_a_share_of_all_units_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task may leave some labels out, and then its batches have different numbers of units."""
    monkeypatch.setattr(Classification, "units", lambda self, target: int((target > 0).sum()))
    monkeypatch.setattr(Classification, "mistakes", lambda self, output, target: (target > 0).sum())
    run, resumed = make_run(), make_run()
    advanced(run, 2)
    resumed.restore(saved(run))
    for learner in (run, resumed):
        assert advanced(learner, 1)[0]["running_error"] == 1
        assert advanced(learner, 3)[0]["running_error"] == 1


def test_a_checkpoint_that_did_not_keep_its_units_goes_on() -> None:
    run, resumed = make_run(), make_run()
    advanced(run, 2)
    state = saved(run)
    del state["units"]
    resumed.restore(state)
    assert advanced(resumed, 1) == advanced(run, 1)


def test_variants_share_their_batches_and_branch_weights() -> None:
    plain, residual = make_run(model_connection="plain"), make_run()
    for _ in range(4):
        (x, y), (u, v) = plain.next_batch(), residual.next_batch()
        assert torch.equal(x, u)
        assert torch.equal(y, v)
        plain.step = residual.step = plain.step + 1
    assert same(plain.network.state_dict(), residual.network.state_dict())


def test_train_error_is_measured_in_eval_mode_on_clean_images() -> None:
    run = make_run(training_epochs=1)
    while run.step < run.total:
        run.train_step()
    row = run.close_epoch()
    x, y = run.data.train.batch(torch.arange(48))
    with torch.no_grad():
        logits = run.network.eval()(x)
    assert row["train_error"] == pytest.approx((logits.argmax(1) != y).double().mean().item())
    assert row["train_loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, y).item(), rel=1e-4)


def test_the_share_of_the_class_that_is_answered_most_often_is_in_the_result(attempts: Attempts) -> None:
    attempt = attempts(settings_with(probes=[]))
    train(attempt)
    result = json.loads(attempt._folder.result.read_text())
    trials = read(attempt._folder.path.parents[1]).trials
    rows = [json.loads(line) for line in attempt._folder.metrics.read_text().splitlines()]
    assert all("most_answered" not in row for row in rows)
    assert "most_answered" in json.dumps(result)
    run = make_run()
    while run.step < run.total:
        run.train_step()
    for split, examples in run.data.splits.items():
        if examples is not None:
            with torch.no_grad():
                answers = run.network.eval()(examples.batch(torch.arange(len(examples)))[0]).argmax(1)
            share = answers.bincount().max().item() / len(examples)
            assert trials[f"{split}_most_answered"].item() == pytest.approx(share)
            assert 0 < share < 1


def test_bfloat16_computes_coarsely_and_keeps_float32_weights() -> None:
    exact, coarse = make_run(), make_run(training_precision="bfloat16")
    for run in (exact, coarse):
        for _ in range(3):
            run.train_step()
    assert all(p.dtype == torch.float32 for p in coarse.network.parameters())
    losses = exact.close_epoch()["loss"], coarse.close_epoch()["loss"]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_compiling_trains_the_same_network() -> None:
    eager = make_run(training_epochs=1)
    traced = make_run(training_epochs=1)
    traced.forward = torch.compile(traced.network, backend="aot_eager", fullgraph=True)  # type: ignore[assignment]
    for _ in range(3):
        eager.train_step()
        traced.train_step()
    for p, q in zip(eager.network.parameters(), traced.network.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_holds_nothing_but_data() -> None:
    buffer = io.BytesIO()
    torch.save(make_run().state(), buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["step"] == 0


@pytest.mark.parametrize(
    ("epochs", "every", "when"),
    [(6, None, [6]), (35, None, [10, 20, 30, 35]), (41, None, [11, 22, 33, 41]), (7, 3, [3, 6, 7])],
)
def test_train_error_is_measured_seldom_unless_asked_for(epochs: int, every: int, when: list[int]) -> None:
    run = make_run(training_epochs=epochs, training_train_every=every)
    assert [epoch for epoch in range(1, epochs + 1) if run.evaluation_due("train", epoch)] == when
    assert all(run.evaluation_due("test", epoch) for epoch in range(1, epochs + 1))


def test_the_validation_split_is_measured_and_changes_nothing_else(attempts: Attempts) -> None:
    attempt = attempts(settings_with(data_validation_size=16, probes=[]))
    train(attempt)
    records = read(attempt._folder.path.parents[1])
    rows = [json.loads(line) for line in attempt._folder.metrics.read_text().splitlines()]
    result = json.loads(attempt._folder.result.read_text())
    assert all(0 <= row["validation_error"] <= 1 and row["validation_loss"] > 0 for row in rows)
    assert rows[-1]["validation_error"] == records.trials["validation_error"].item()
    assert "validation_loss" in json.dumps(result)
    run = make_run(data_validation_size=16)  # never evaluated on anything
    while run.step < run.total:
        run.train_step()
    assert same(weights(attempt._folder.path), run.network.state_dict())


def test_without_a_validation_split_it_is_null() -> None:
    run = make_run(training_epochs=1)
    while run.step < run.total:
        run.train_step()
    row = run.close_epoch()
    assert (row["validation_error"], row["validation_loss"]) == (None, None)
    assert row["test_measures"] == {}


def test_clipping_shortens_the_gradient_and_keeps_its_direction() -> None:
    def moved(clip: float | None) -> torch.Tensor:
        plain = {"kind": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0}
        settings = settings_with(training_clip=clip, training_optimizer=plain, training_schedule="constant")
        run = Run(settings, open_data(settings.data, CPU), CPU)
        before = [p.detach().clone() for p in run.network.parameters()]
        run.train_step()
        after = run.network.parameters()
        return torch.cat([(p.detach() - q).flatten() for p, q in zip(after, before, strict=True)])

    free = moved(None)
    assert free.norm() > 0.1
    torch.testing.assert_close(moved(0.01), 0.01 * free / free.norm(), rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(moved(1000.0), free)


def test_a_trial_whose_data_are_prepared_neither_scans_nor_checks_them(
    attempts: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with()
    attempt = attempts(settings)
    attempt.data = cache.prepare(settings.data)
    for name in ("_facts_with_identity", "checked_folder"):
        monkeypatch.setattr(cache, name, lambda *_: pytest.fail("the data were looked at again"))
    train(attempt)
    assert TrialFolder(attempt._folder.path).result.is_file()


def fail_late(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have one probe fail after its first number, but not at the start of training."""
    whole = GradientNorms.measure
    calls = []

    def measure(self: GradientNorms, snapshot: Snapshot) -> Iterator[Reading]:
        calls.append(snapshot)
        readings = whole(self, snapshot)
        if len(calls) == 1:
            yield from readings
        else:
            yield next(readings)
            raise error

    monkeypatch.setattr(GradientNorms, "measure", measure)


@pytest.mark.parametrize("step", [None, 7, 9])
def test_a_probe_that_fails_leaves_its_trial_as_it_was_and_a_note(
    step: int | None, tmp_path: Path, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(straight := attempts(settings_with()))
    expected, folder = weights(straight._folder.path), straight._folder.path
    undisturbed = read(folder.parents[1]).probes
    start_over(folder)
    fail_late(monkeypatch, ValueError("no [red]\x1b[31m numbers"))
    if step is not None:
        train(StopAt(attempts(), step, False))  # type: ignore[arg-type]
    train(attempts())
    records = read(folder.parents[1])
    assert records.trials["status"].tolist() == ["done"]
    assert same(weights(folder), expected)
    told = [
        f"small: gradient_norms failed at {at} %: ValueError: no [red]\\x1b[31m numbers" for at in (50, 100)
    ]
    assert records.notes == told
    result = json.loads((folder / "result.json").read_text())
    assert "unmeasured" not in result, "it did not fail at the start"
    lost = (undisturbed["probe"] == "gradient_norms") & (undisturbed["at"] > 0)
    assert records.probes.to_json() == undisturbed[~lost].reset_index(drop=True).to_json()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (lambda: [Reading("a", "x", 0, torch.ones(2))], "value one number"),
        (lambda: [Reading("a", "x", 0, "1.5")], "value one number"),  # type: ignore[arg-type]
        (lambda: [Reading("a", 0, "x", 1.5)], "name and layer must be texts"),  # type: ignore[arg-type]
        (lambda: [Reading("a", "x", 0.5, 1.5)], "index must be a whole number"),  # type: ignore[arg-type]
        (lambda: [1.5], "yield Reading(name, layer, index, value)"),
        (lambda: Reading("a", "x", 0, 1.5), "it must yield readings"),
        (lambda: [Reading("a", "x", 0, 1.5), Reading("a", "x", 0, 2.5)], "two readings ('a', 'x', 0)"),
    ],
)
def test_what_is_no_reading_is_told_and_harms_no_other_probe(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch, found: Callable[[], Any], says: str
) -> None:
    monkeypatch.setattr(GradientNorms, "measure", lambda self, snapshot: found())
    train(attempt := attempts(settings_with()))
    records = read(attempt._folder.path.parents[1])
    assert records.trials["status"].tolist() == ["done"]
    assert len(records.notes) == 3, "it was due three times"
    assert all(says in note for note in records.notes)
    assert set(records.probes["probe"]) == {"responses", "update_ratio"}


def test_numbers_of_numpy_and_of_pytorch_are_readings() -> None:
    assert Reading("a", "x", np.int64(3), torch.tensor(1.5)) == Reading("a", "x", 3, 1.5)  # type: ignore[arg-type]


def test_a_plugin_s_probe_that_fails_is_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def measure():\n    return {}['thing']\n")
    code: dict[str, Any] = {}
    exec(compile(file.read_text(), file, "exec"), code)
    with pytest.raises(KeyError) as caught:
        code["measure"]()
    assert reason(caught.value, read_plugin(file)) == "mine.py:2: KeyError: 'thing'"
    assert reason(TypeError("no reading"), read_plugin(file)) == "mine.py: TypeError: no reading"
    copy = replace(read_plugin(file), original="yours.py")
    assert reason(caught.value, copy) == "yours.py:2: KeyError: 'thing'"
    assert reason(TypeError("no reading"), copy) == "yours.py: TypeError: no reading"


def test_a_probe_that_fails_at_every_moment_is_named_in_the_result(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: GradientNorms, snapshot: Snapshot) -> Iterator[Reading]:
        raise ValueError("no numbers")

    monkeypatch.setattr(GradientNorms, "measure", fail)
    train(attempt := attempts(settings_with()))
    assert json.loads((attempt._folder.path / "result.json").read_text())["unmeasured"] == ["gradient_norms"]


def test_a_probe_that_runs_out_of_memory_does_not_go_on(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_late(monkeypatch, RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        train(attempts(settings_with()))


@pytest.mark.parametrize(("class_", "share"), [(None, 0.5), (1, 1.0)])
def test_answers_are_counted_by_class(class_: int | None, share: float) -> None:
    output = torch.tensor([[2.0, 1.0], [1.0, 2.0], [0.0, 3.0], [4.0, 0.0]])
    if class_ is not None:
        output[:, class_] = 9
    counts = Classification().answers(output)
    assert counts.max().item() / 4 == share
    assert counts.shape == (2,)
