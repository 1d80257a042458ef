"""Our schedules are PyTorch's, as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from resexp.errors import TrialError
from resexp.training.schedules import Constant, Cosine, OneCycle, Schedule, Step, warmed

TOTAL = 40


def torchs(make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(TOTAL):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        (Step(), lambda o: lr_scheduler.MultiStepLR(o, [20, 30], gamma=0.1)),
        (Step(milestones=(0.25,), gamma=0.5), lambda o: lr_scheduler.MultiStepLR(o, [10], gamma=0.5)),
        (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL)),
        (Cosine(floor=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=0.1)),
        (OneCycle(), lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=TOTAL)),
        (
            OneCycle(rise=0.5, start=10.0, end=100.0),
            lambda o: lr_scheduler.OneCycleLR(
                o, 1.0, TOTAL, pct_start=0.5, div_factor=10.0, final_div_factor=100.0
            ),
        ),
    ],
)
def test_against_torch(ours: Schedule, theirs: Callable[..., lr_scheduler.LRScheduler]) -> None:
    assert [ours.factor(step, TOTAL) for step in range(TOTAL)] == pytest.approx(torchs(theirs), abs=1e-9)


def test_warm_up_is_linear_and_ends_at_the_full_rate() -> None:
    rates = [warmed(Constant(), step, TOTAL, 0.1) for step in range(6)]
    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    cosine = [warmed(Cosine(), step, TOTAL, 0.1) for step in range(TOTAL)]
    assert cosine[:4] == [Cosine().factor(step, TOTAL) * (step + 1) / 4 for step in range(4)]
    assert cosine[4:] == [Cosine().factor(step, TOTAL) for step in range(4, TOTAL)]
    assert warmed(Cosine(), 7, TOTAL, 0.0) == Cosine().factor(7, TOTAL)


def test_a_cosine_after_the_warm_up_begins_at_the_full_rate() -> None:
    late = Cosine(floor=0.1, after_warmup=True)
    rates = [warmed(late, step, TOTAL, 0.1) for step in range(TOTAL)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    written_out = [0.1 + 0.45 * (1 + math.cos(math.pi * (step - 4) / 36)) for step in range(4, TOTAL)]
    assert rates[4:] == pytest.approx(written_out)
    assert [warmed(late, s, TOTAL, 0.0) for s in range(TOTAL)] == [
        warmed(Cosine(floor=0.1), s, TOTAL, 0.0) for s in range(TOTAL)
    ]
    assert [warmed(late, step, 1, 0.9) for step in range(1)] == [1.0]


@pytest.mark.parametrize("total", [1, 2, 3])
def test_one_cycle_survives_the_shortest_runs(total: int) -> None:
    assert all(0 < OneCycle().factor(step, total) <= 1 for step in range(total))


@pytest.mark.parametrize("given", [None, float("nan"), "0.1"])
def test_a_schedule_without_a_finite_factor_fails_with_its_name_and_step(given: Any) -> None:
    class Broken(Schedule):
        def factor(self, step: int, total: int) -> float:
            return 1.0 if step < 2 else given

    assert warmed(Broken(), 1, 10, 0.0) == 1
    with pytest.raises(TrialError, match=r"Broken\.factor gave .* at step 2 of 10; return a finite number"):
        warmed(Broken(), 2, 10, 0.0)
