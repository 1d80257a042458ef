"""Learning by playing: a trial is continued bit for bit from any step, and learns to balance a pole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from learners import advanced, new, saved

from resexp.config.parse import parse_settings
from resexp.data.environment import Environment
from resexp.errors import Diverged, TrialError
from resexp.training.playing.episodes import Game, env_action, mean_return, play
from resexp.training.playing.run import PlayingRun
from resexp.training.playing.scale import Scale
from resexp.training.probing import measured

CPU = torch.device("cpu")
MODEL = {"kind": "mlp", "depth": 4, "width": 16, "norm": "none", "connection": "residual"}
ADAM = {"kind": "adamw", "lr": 3e-3, "weight_decay": 0.0}


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path_factory.getbasetemp() / "environments"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def settings(name: str = "CartPole-v1", **task: Any) -> Any:
    return parse_settings(
        {
            "data": {"kind": "environment", "name": name, "episodes": 3},
            "task": {"kind": "ppo", "games": 3, "rollout": 20, "passes": 2, **task},
            "model": MODEL,
            "training": {"epochs": 3, "batch_size": 16, "optimizer": ADAM, "clip": 0.5},
            "probes": [{"kind": kind, "at": [0]} for kind in ("gradient_norms", "update_ratio")],
        }
    )


def weights(run: PlayingRun) -> list[torch.Tensor]:
    return [*run.network.state_dict().values(), *run.value.state_dict().values()]


@pytest.mark.parametrize(
    ("name", "normalise", "stops"),
    [
        ("CartPole-v1", True, (1, 5, 6, 11, 12, 18)),
        ("Acrobot-v1", False, (8,)),
        ("MountainCar-v0", True, (6,)),
        ("Pendulum-v1", True, (4, 13)),
    ],
)
def test_continued_from_any_step_it_is_the_same_trial(
    name: str, normalise: bool, stops: tuple[int, ...]
) -> None:
    chosen = settings(name, normalise=normalise)
    whole, first = new(PlayingRun, chosen), new(PlayingRun, chosen)
    rows, states = advanced(whole, whole.total), []
    for step in range(stops[-1] + 1):
        states.append(saved(first))
        if step < whole.total:
            advanced(first, 1)
    assert whole.steps_per_epoch == 6  # 60 steps of games, passed twice in batches of 16
    for stop in stops:
        second = new(PlayingRun, chosen)
        second.restore(states[stop])
        ended = stop // 6
        assert advanced(second, whole.total - stop) == rows[ended:], stop
        assert all(map(torch.equal, weights(whole), weights(second))), stop
    assert rows[-1]["test_measures"]["interactions"] == 180


def test_a_state_that_lacks_something_would_be_noticed() -> None:
    chosen = settings(normalise=True)
    whole, first = new(PlayingRun, chosen), new(PlayingRun, chosen)
    advanced(whole, whole.total)
    advanced(first, 8)
    for lost in ("games", "experience", "scale", "value", "value_optimizer"):
        second = new(PlayingRun, chosen)
        kept = saved(second)[lost]
        second.restore(saved(first) | {lost: kept} | ({"played": 1} if lost == "experience" else {}))
        advanced(second, whole.total - 8)
        assert not all(map(torch.equal, weights(whole), weights(second))), lost


def test_probes_measure_what_is_learned_from_and_change_nothing() -> None:
    chosen = settings()
    probed, plain = new(PlayingRun, chosen), new(PlayingRun, chosen)
    readings = [row for probe in chosen.probes for row in measured(probed, probe, 0.0)]
    assert {row["name"] for row in readings} == {"weight_norm", "weight_rms", "block_input", "update_ratio"}
    assert all(np.isfinite(row["value"]) and row["value"] > 0 for row in readings)
    assert advanced(probed, 7) == advanced(plain, 7)
    assert all(map(torch.equal, weights(probed), weights(plain)))


def test_gradients_are_measured_where_the_first_block_gets_the_observations() -> None:
    chosen = settings()
    dense = {"kind": "mlp", "depth": 4, "width": 8, "norm": "none", "layers": 1, "stem": False}
    model = {**dense, "order": "relu_before_add", "connection": {"kind": "skip_input", "growth": 8}}
    run = new(PlayingRun, parse_settings(chosen.model_dump(mode="json") | {"model": model}))
    names = [(row["name"], row["index"]) for row in measured(run, chosen.probes[0], 0.0)]
    assert [index for name, index in names if name == "block_input"] == [1, 2]
    assert [index for name, index in names if name == "weight_norm"] == [0, 1, 2, 3]


def test_regret_is_scaled_and_averaged_over_training(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new(PlayingRun, settings())
    returns = iter((100.0, 480.0, 500.0))
    monkeypatch.setattr("resexp.training.playing.run.mean_return", lambda *_: next(returns))
    rows = advanced(run, run.total)
    assert [row["test_error"] for row in rows] == pytest.approx([0.8, 0.04, 0.0])
    assert [row["train_error"] for row in rows] == pytest.approx([0.8, 0.42, 0.28])
    assert [row["test_measures"]["solved_after"] for row in rows] == [None, 120, 120]


def test_an_epoch_without_an_evaluation_counts_with_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings()
    chosen = chosen.model_copy(update={"training": chosen.training.model_copy(update={"test_every": 2})})
    run = new(PlayingRun, chosen)
    returns = iter((100.0, 400.0))
    monkeypatch.setattr("resexp.training.playing.run.mean_return", lambda *_: next(returns))
    rows = advanced(run, run.total)
    assert [row["test_error"] for row in rows] == pytest.approx([None, 0.8, 0.2])
    assert rows[-1]["train_error"] == pytest.approx((0.8 + 0.8 + 0.2) / 3)


def test_a_return_outside_the_bounds_is_told_at_once() -> None:
    run = new(PlayingRun, settings())
    with pytest.raises(TrialError, match="a return of 501 is outside"):
        run.regret(501.0)


def test_a_policy_is_evaluated_with_the_scale_that_it_learned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    run = new(PlayingRun, settings(normalise=True))
    seen: list[torch.Tensor] = []

    def heard(*arguments: Any) -> Any:
        played = play(*arguments)
        seen.append(played.seen_TEF.flatten(0, 1))
        return played

    def evaluated(*_: Any) -> float:
        assert torch.equal(run.scale(seen[-1]), run.experience["seen"])
        return 0.0

    monkeypatch.setattr("resexp.training.playing.run.play", heard)
    monkeypatch.setattr("resexp.training.playing.run.mean_return", evaluated)
    assert len(advanced(run, run.total)) == len(seen) == 3
    assert not torch.equal(run.experience["seen"], seen[-1]), "and by then there is a scale"


@pytest.mark.parametrize("normalise", [True, False])
def test_a_policy_that_is_opened_takes_the_observations_of_its_environment(normalise: bool) -> None:
    run = new(PlayingRun, settings(normalise=normalise))
    advanced(run, run.total)
    seen, _ = run.data.test.batch(torch.arange(2))
    run.network.eval()
    expected = run.outputs(run.network, seen)
    unscaled = run.network(seen)
    assert torch.equal(run.opened()(seen), expected)
    assert torch.equal(unscaled, expected) is not normalise


def test_a_state_can_be_read_on_a_device_without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple's GPUs are such devices. PyTorch refuses every float64 tensor of a checkpoint there."""
    monkeypatch.setattr("resexp.training.run.widest", lambda _: torch.float32)
    run = new(PlayingRun, settings(normalise=True))
    advanced(run, 8)
    found: list[Any] = [saved(run)]
    tensors = 0
    while found:
        part = found.pop()
        found += part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
        if isinstance(part, torch.Tensor):
            tensors += 1
            assert part.dtype != torch.float64
    assert tensors > 20
    assert run.scale(torch.zeros(1, 4)).dtype == torch.float32
    assert {run.scale.mean_F.dtype, run.scale.squares_F.dtype} == {torch.float64}


def test_a_policy_without_numbers_diverges() -> None:
    run = new(PlayingRun, settings())
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="not a number by step 0"):
        run.train_step()


def test_the_two_networks_begin_with_different_weights_and_the_policy_without_preference() -> None:
    run = new(PlayingRun, settings())
    policy, value = (dict(network.named_parameters()) for network in (run.network, run.value))
    name = "stem.fc.weight"
    assert not torch.equal(policy[name], value[name])
    seen = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    probabilities = run.network(seen).softmax(1)
    assert (probabilities - 0.5).abs().max() < 0.05


def test_gradients_of_both_networks_are_clipped_together() -> None:
    chosen = settings()
    loose = chosen.model_copy(update={"training": chosen.training.model_copy(update={"clip": None})})
    norms = []
    for each in (chosen, loose):
        run = new(PlayingRun, each)
        run.optimizer.step = run.value_optimizer.step = lambda: None  # type: ignore[method-assign,assignment]
        run.optimizer.zero_grad = run.value_optimizer.zero_grad = lambda **_: None  # type: ignore[method-assign,assignment]
        run.train_step()
        gradients = [
            p.grad for net in (run.network, run.value) for p in net.parameters() if p.grad is not None
        ]
        norms.append(torch.cat([g.flatten() for g in gradients]).norm().item())
    assert norms[0] == pytest.approx(0.5, rel=1e-3)
    assert norms[1] > 1


class Line:
    """A made-up environment: the state is the sum of the actions 0 and 1; ends at 3, or after 4 steps."""

    def __init__(self, wanders: bool = False) -> None:
        from gymnasium.spaces import Discrete

        self.action_space, self.place, self.steps = Discrete(2), 0.0, 0
        self.wanders, self.resets = wanders, 0

    def seen(self) -> np.ndarray[Any, Any]:
        return np.array([self.place])

    def reset(self, seed: int) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        self.resets += 1
        self.place, self.steps = (self.resets if self.wanders else seed) / 10, 0
        return self.seen(), {}

    def step(self, action: int) -> tuple[np.ndarray[Any, Any], float, bool, bool, dict[str, Any]]:
        self.place, self.steps = self.place + action, self.steps + 1
        return self.seen(), float(action), self.place >= 3, self.steps >= 4, {}


class Reusing(Line):
    """A line that writes every observation into the same memory, which all such lines share."""

    memory = np.zeros(1, np.float32)

    def seen(self) -> np.ndarray[Any, Any]:
        self.memory[0] = self.place
        return self.memory


@pytest.mark.parametrize("line", [Line, Reusing])
def test_what_games_give_is_in_its_place(line: type[Line]) -> None:
    games = [Game(line(), lambda n: n), Game(line(), lambda n: n)]
    go, stay = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])

    def act(seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.stack([go, stay]), torch.tensor([-1.0, -2.0])

    found = play(games, act, 5)
    torch.testing.assert_close(
        found.seen_TEF[..., 0], torch.tensor([[0, 0], [1, 0], [2, 0], [0.1, 0], [1.1, 0.1]])
    )
    torch.testing.assert_close(found.last_EF[:, 0], torch.tensor([2.1, 0.1]))
    assert found.rewards_TE.tolist() == [[1, 0]] * 5
    assert found.ended_TE.tolist() == [[0, 0], [0, 0], [1, 0], [0, 1], [0, 0]]
    assert {place: seen.tolist() for place, seen in found.cut.items()} == {(3, 1): [0.0]}
    assert found.returns == [3.0, 0.0]
    assert found.before_TE.tolist() == [[-1, -2]] * 5


def test_a_game_that_does_not_repeat_itself_is_not_continued() -> None:
    game, other = Game(Line(wanders=True), lambda n: n), Game(Line(wanders=True), lambda n: n)
    game.act(np.array([0, 1], np.float32))
    with pytest.raises(TrialError, match="does not repeat itself"):
        other.restore(game.state())


@pytest.mark.parametrize("line", [Line, Reusing])
def test_the_return_is_the_mean_over_episodes(line: type[Line]) -> None:
    places = []

    def act(seen: torch.Tensor) -> torch.Tensor:
        places.append(seen[:, 0].tolist())
        return torch.tensor([[0.0, 1.0]]).expand(len(seen), 2)

    assert mean_return([line(), line(), line()], [0, 10, 25], act) == pytest.approx((3 + 2 + 1) / 3)
    assert places == [pytest.approx(each) for each in ([0, 1, 2.5], [1, 2], [2])]


def test_first_observations_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Environment(name="CartPole-v1", episodes=2)
    monkeypatch.setattr(source, "make", Reusing)
    (chunk,) = source.read("test", None, lambda *_: None)
    assert chunk.images[:, 0].tolist() == pytest.approx([100_000.3, 100_000.4], abs=0.02, rel=0)


def test_actions_reach_the_environment_within_its_bounds() -> None:
    pendulum = Environment(name="Pendulum-v1").make()
    assert env_action(pendulum, np.array([7.0], np.float32)).tolist() == [2.0]
    assert env_action(Environment(name="CartPole-v1").make(), np.array([0.0, 1.0], np.float32)) == 1


def test_the_scale_is_that_of_all_observations() -> None:
    seen = torch.randn(300, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1, 5, 0.1]) + 4
    scale = Scale(3, on=True)
    assert torch.equal(scale(seen), seen)
    for part in seen.split(70):
        scale.add(part)
    assert torch.equal(scale(seen), seen)
    scale.renew()
    torch.testing.assert_close(
        scale(seen), (seen - seen.mean(0)) / seen.std(0, unbiased=False), atol=1e-4, rtol=1e-4
    )


def test_it_learns_to_balance_a_pole() -> None:
    """A hundred times as many steps as above, which take about 2 s. Acting blindly, the pole falls after 22
    steps of 500, and with this seed and others it stands for more than 150 after half of the training.
    """
    chosen = parse_settings(
        {
            "data": {"kind": "environment", "name": "CartPole-v1", "episodes": 10},
            "task": {"kind": "ppo", "games": 8, "rollout": 64, "passes": 10},
            "model": MODEL,
            "training": {"epochs": 10, "batch_size": 128, "optimizer": ADAM, "clip": 0.5, "test_every": 5},
        }
    )
    run = new(PlayingRun, chosen)
    chance = run.chance()["test"]
    rows = advanced(run, run.total)
    assert chance > 0.9
    assert rows[-1]["test_error"] < 0.8
