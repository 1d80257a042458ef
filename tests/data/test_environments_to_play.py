"""Environments: what is known of them before anything is trained, and what is refused, in one line."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from resexp.config.parse import parse_settings
from resexp.data.cache import facts_of
from resexp.data.environment import RETURNS, Environment
from resexp.errors import ConfigError, DataError
from resexp.plan.compatible import check_fit


@pytest.mark.parametrize(
    ("name", "features", "answers", "solved"),
    [
        ("CartPole-v1", 4, ("action 0", "action 1"), 475),
        ("Acrobot-v1", 6, ("action 0", "action 1", "action 2"), -100),
        ("MountainCar-v0", 2, ("action 0", "action 1", "action 2"), -110),
        ("Pendulum-v1", 3, ("mean 0", "log deviation 0"), None),
    ],
)
def test_what_is_known_of_the_four(name: str, features: int, answers: tuple[str, ...], solved: Any) -> None:
    source = Environment(name=name, episodes=3)
    facts = source.facts(None)
    assert (facts.shape, facts.classes, facts.targets) == ((features,), answers, "actions")
    assert (facts.form, facts.medium, facts.examples(), facts.chance()) == ("rows", "episodes", {}, {})
    assert source.solved_at() == solved
    (chunk,) = source.read("test", None, lambda *_: None)
    assert chunk.images.shape == (3, features)
    assert np.array_equal(chunk.images, next(source.read("train", None, lambda *_: None)).images)


@pytest.mark.parametrize("name", RETURNS)
def test_no_return_lies_outside_the_bounds(name: str) -> None:
    env = Environment(name=name).make()
    low, high = Environment(name=name).bounds()
    for extreme in (0, 1):
        env.reset(seed=0)
        total, over = 0.0, False
        space = env.action_space
        action = (space.low, space.high)[extreme] if space.shape else (0, int(space.n) - 1)[extreme]
        while not over:
            _, reward, ended, cut, _ = env.step(action)
            total, over = total + float(reward), ended or cut
        assert low <= total <= high


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"name": "CartPol-v1"},
            r"data\.name: gymnasium has no environment 'CartPol-v1'; did you mean CartP",
        ),
        ({"name": "os:CartPole-v1"}, r"data\.name: gymnasium has no environment 'os:CartPole-v1'"),
        (
            {"name": "FrozenLake-v1"},
            r"data\.name: FrozenLake-v1 has observations Discrete\(16\); only vectors",
        ),
        ({"name": "MountainCarContinuous-v0"}, r"data\.least: the least possible return .* is not known"),
        ({"name": "MountainCarContinuous-v0", "least": -100.0}, r"data\.largest: the largest possible"),
        ({"name": "CartPole-v1", "least": 600.0}, r"data\.least: 600 is not less than .* 500"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        Environment(**options).facts(None)
    assert "\n" not in str(caught.value)


def test_an_environment_of_other_actions_is_refused() -> None:
    import gymnasium

    class Two(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(0.0, 1.0, (2,))
        action_space = gymnasium.spaces.MultiDiscrete([2, 3])

    gymnasium.register("Two-v0", Two)
    try:
        with pytest.raises(DataError, match=r"has actions MultiDiscrete\(\[2 3\]\); only choices"):
            Environment(name="Two-v0").facts(None)
    finally:
        del gymnasium.registry["Two-v0"]


def test_an_environment_of_bounds_that_the_user_knows_is_played() -> None:
    source = Environment(name="MountainCarContinuous-v0", least=-100.0, largest=100.0, threshold=50.0)
    assert source.facts(None).classes == ("mean 0", "log deviation 0")
    assert source.solved_at() == 50


def test_whatever_changes_the_numbers_changes_the_fingerprint() -> None:
    options: list[dict[str, Any]] = [{}, {"episodes": 5}, {"threshold": 10.0}, {"largest": 400.0}]
    keys = {Environment(name="CartPole-v1", **each).facts(None).fingerprint for each in options}
    assert len(keys) == 4


def test_without_gymnasium_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(DataError, match=r"need the package gymnasium; install it, or .*extra `rl`$"):
        Environment(name="CartPole-v1").facts(None)


def fitting(**changes: Any) -> list[str]:
    """What does not fit, in a trial that would fit without the changes to its parts."""
    parts: dict[str, dict[str, Any]] = {
        "data": {"kind": "environment", "name": "CartPole-v1"},
        "task": {"kind": "ppo"},
        "model": {"kind": "mlp", "depth": 4, "norm": "layer"},
        "training": {"epochs": 1},
    }
    probes = changes.pop("probes", [])
    settings = parse_settings(
        {key: {**part, **changes.get(key, {})} for key, part in parts.items()} | {"probes": probes}
    )
    try:
        check_fit(settings, facts_of(settings.data))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_the_parts_fit() -> None:
    assert fitting(probes=["gradient_norms", "update_ratio"]) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": {"crop": 2}}, "data.crop: has no effect"),
        ({"data": {"train_size": 10}}, "data.train_size: has no effect"),
        ({"model": {"norm": "batch"}}, "model.norm: batch does not fit ppo: batch norm gives"),
        ({"model": {"connection": "stochastic_depth"}}, "stochastic_depth does not fit ppo: dropping blocks"),
        ({"model": {"connection": "shortcut_dropout"}}, "shortcut_dropout does not fit ppo: dropout gives"),
        ({"model": {"kind": "resnet", "depth": 8}}, "model: resnet is for tasks with labels"),
        ({"training": {"precision": "bfloat16"}}, "training.precision: has no effect on ppo"),
        ({"training": {"train_every": 1}}, "training.train_every: has no effect on ppo"),
        ({"training": {"processes": 2}}, "task: ppo needs the whole batch"),
        ({"probes": ["lesion"]}, "probes.0: lesion is for tasks with labels"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], told: str) -> None:
    assert [problem for problem in fitting(**changes) if told in problem], fitting(**changes)


def test_other_tasks_do_not_play() -> None:
    parts = {"data": {"kind": "environment", "name": "CartPole-v1"}, "training": {"epochs": 1}}
    settings = parse_settings({**parts, "model": {"kind": "mlp", "depth": 4}})
    with pytest.raises(ConfigError, match="classification learns from labels, but environment has actions"):
        check_fit(settings, facts_of(settings.data))
