"""How many trials fit into a machine's memory at once, and how long they take by those that are done."""

from __future__ import annotations

import pytest

from resexp.estimate.duration import PROCESS_BYTES, room, seconds_by_done, trial_bytes
from resexp.plan.trial import Cost, Trial

GIB = 1 << 30


def trial(batch: int, cost: Cost | None) -> Trial:
    settings = {"training": {"batch_size": batch}}
    return Trial("1" * 12, "a", "plain", "plain", 8, 0, settings, cost=cost)


SMALL = trial(64, Cost(10_000, 1, 100_000, 10_000, 500))
RESNET50 = Cost(20_000_000, 1, 80_000_000, 9_600_000, 55)


def test_a_step_or_an_evaluation_decides_whichever_takes_more() -> None:
    assert trial_bytes(trial(1, None)) == PROCESS_BYTES
    step, evaluation = (trial_bytes(trial(batch, RESNET50)) for batch in (128, 1))
    assert 13 * GIB < step < 16 * GIB
    assert 1.5 * GIB < evaluation < 2.5 * GIB
    assert trial_bytes(SMALL) < 0.5 * GIB


@pytest.mark.parametrize(
    ("trials", "gib", "asked", "slots", "says"),
    [
        ([SMALL] * 4, 24, False, 4, None),
        ([trial(128, RESNET50)] * 4, 24, False, 1, "not cores, limits the run to 1 at once"),
        ([trial(128, RESNET50), *[SMALL] * 3], 24, False, 4, None),
        ([trial(128, RESNET50)] * 4, 24, True, 4, "may not suffice for 4 at once"),
        ([trial(128, RESNET50)] * 4, 8, False, 1, "may not suffice for 1 at once"),
        ([], 1, False, 4, None),
    ],
)
def test_as_many_at_once_as_fit(
    trials: list[Trial], gib: int, asked: bool, slots: int, says: str | None
) -> None:
    found = room(["cpu"] * 4, trials, gib * GIB, asked=asked)
    assert len(found.slots) == slots
    assert (says is None) == (found.note is None)
    assert says is None or says in str(found.note)


def test_where_the_memory_is_unknown_or_a_gpus_nothing_is_decided() -> None:
    for slots, memory in ((["cpu"] * 2, None), (["cuda:0"] * 2, GIB)):
        assert room(slots, [trial(128, RESNET50)] * 2, memory, asked=False).slots == tuple(slots)


def test_trials_take_as_long_as_those_that_are_done_or_in_proportion_to_their_work() -> None:
    def at(depth: int, macs: int) -> Trial:
        return Trial(
            "1" * 12, "a", "plain", "plain", depth, 0, {"training": {"epochs": 2}}, cost=Cost(1, macs, 1)
        )

    done = [(at(8, 100), 30.0), (at(8, 100), 50.0), (at(20, 300), 120.0)]
    assert seconds_by_done([at(8, 100), at(8, 100)], done, 1) == 80
    assert seconds_by_done([at(8, 100), at(20, 300)], done, 2) == 80
    assert seconds_by_done([at(56, 1000)], done, 8) == pytest.approx(1000 * 200 / 500)
