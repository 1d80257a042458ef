"""`--jobs auto`: as many trials at once as train fastest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from resexp import api
from resexp.cli.options import number_or_auto
from resexp.config.load import load
from resexp.errors import TrialError
from resexp.estimate import at_once
from resexp.estimate.at_once import Tried, _rate, best_number, best_slots
from resexp.estimate.network import Measurer
from resexp.execution.local import Local
from resexp.plan.trial import Trial

SMOKE = Path(__file__).parents[2] / "configs/smoke.yaml"


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Trial]:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    return api.trials(load(SMOKE), "cpu")


@pytest.mark.parametrize(
    ("most", "rates", "best", "tried"),
    [
        (1, {1: 10}, 1, [1]),
        (2, {1: 10, 2: 18}, 2, [1, 2]),
        (8, {1: 10, 2: 19, 4: 19.5, 8: 40}, 2, [1, 2, 4]),
        (8, {1: 10, 2: 19, 4: None}, 2, [1, 2, 4]),
        (8, {1: 10, 2: 8}, 1, [1, 2]),
        (6, {1: 10, 2: 20, 4: 30, 6: 40}, 6, [1, 2, 4, 6]),
        (3, {1: 10, 2: 20, 3: 20}, 2, [1, 2, 3]),
    ],
)
def test_more_at_once_while_they_gain(
    most: int, rates: dict[int, float | None], best: int, tried: list[int]
) -> None:
    asked = []

    def total(number: int) -> float:
        asked.append(number)
        rate = rates[number]
        if rate is None:
            raise TrialError("no room")
        return rate

    assert best_number(most, total) == best
    assert asked == tried


def test_trials_train_beside_each_other_or_none_does(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = Local(["resexp.training.preload"])
    tried = Tried(json.dumps(trials[0].settings), (), 1)
    assert _rate(tried, ["cpu", "cpu"], launcher) > 0
    with pytest.raises(TrialError):
        _rate(tried, ["cpu", "no_such_device"], launcher)  # the other would wait for ever


def test_the_dearest_network_decides_and_is_remembered(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def rate(tried: Tried, slots: list[str], launcher: object) -> float:
        asked.append((json.loads(tried.settings)["model"]["depth"], len(slots)))
        return len(slots) * 10.0

    monkeypatch.setattr(at_once, "_rate", rate)
    monkeypatch.setattr(at_once, "cores", lambda: 4)
    for _ in range(2):
        slots = best_slots(["cpu"] * 4, trials, 2, Measurer("cpu"), Local())
        assert slots == ["cpu", "cpu"], "two threads each on four cores"
    assert asked == [(14, 1), (14, 2)]


def test_where_the_first_fails_nothing_is_decided(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rate(*_: object) -> float:
        raise TrialError("it failed")

    monkeypatch.setattr(at_once, "_rate", rate)
    measurer = Measurer("cpu")
    before = dict(measurer.remembered._answers)
    assert best_slots(["cpu"] * 3, trials, 1, measurer, Local()) == ["cpu"] * 3
    assert measurer.remembered._answers == before


def test_a_run_takes_the_slots_that_are_found(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[int] = []

    def found(slots: list[str], left: list[Trial], *_: object, **__: object) -> list[str]:
        asked.append(len(left))
        return slots[:1]

    monkeypatch.setattr(at_once, "best_slots", found)
    experiment = load(SMOKE, ["model.depth=8", "model.connection=plain"])
    for _ in range(2):
        assert api.run(experiment, jobs="auto", device="cpu", results=tmp_path).exit_status == 0
    assert asked == [1, 0], "what is done is not asked about"
    assert api.results("smoke", tmp_path).environment["jobs"] == 1


def test_what_jobs_may_be() -> None:
    assert [number_or_auto(text) for text in (None, "auto", "3")] == [None, "auto", 3]
    for text in ("0", "-1", "two", "1.5", ""):
        with pytest.raises(typer.BadParameter, match="neither auto nor a whole number"):
            number_or_auto(text)
