"""Configurations that share trials by their ids, so that none is trained twice."""

from __future__ import annotations

from pathlib import Path

from resexp.config.load import load
from resexp.plan.trial import identity

CONFIGS = Path(__file__).parents[2] / "configs"


def ids(name: str, **chosen: str) -> set[str]:
    """The ids of a file's trials whose model has these parts."""
    points = [point.settings for point in load(CONFIGS / f"{name}.yaml").points]
    return {
        identity(each, "the same data")
        for each in points
        if all(
            getattr(getattr(each.model, key), "kind", getattr(each.model, key)) == value
            for key, value in chosen.items()
        )
    }


def test_the_trials_from_he_s_start_are_those_of_cifar10_full() -> None:
    starts, full = ids("cifar10_starts", init="he"), ids("cifar10_full")
    assert starts == ids("cifar10_full", connection="plain") | ids("cifar10_full", connection="residual")
    assert len(starts) == 20
    assert len(ids("cifar10_starts", init="dirac") - full) == 20
