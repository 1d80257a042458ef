"""Looks of a sequential experiment: how many seeds each has, and which."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp.config.load import load
from resexp.plan.looks import Look, looks, with_seeds

TEXT = """\
name: x
data: synthetic
model: {kind: resnet, depth: 8}
training: {epochs: 1}
sweep:
  model.connection: [plain, residual]
  seed: [7, 1]
"""


@pytest.mark.parametrize(
    ("most", "planned"),
    [(3, (3,)), (4, (3, 4)), (5, (3, 5)), (12, (3, 5, 8, 12)), (20, (3, 5, 8, 20))],
)
def test_the_last_look_has_as_many_seeds_as_asked_for(most: int, planned: tuple[int, ...]) -> None:
    found = looks(most)
    assert tuple(look.seeds for look in found) == planned
    assert {look.planned for look in found} == {planned}
    assert [look.number for look in found] == list(range(1, len(planned) + 1))
    assert found[-1].to_json() == {"seeds": most, "planned": list(planned)}
    assert Look(3, (3, 5)) == looks(5)[0]


def test_every_setting_has_its_own_seeds_first_and_then_the_smallest_others(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = load(tmp_path / "x.yaml")
    seeds: dict[str, list[int]] = {}
    for point in with_seeds(experiment, 5).points:
        seeds.setdefault(point.settings.model.connection.kind, []).append(point.settings.seed)
        assert point.axes["seed"] == point.settings.seed
    assert seeds == {"plain": [7, 1, 0, 2, 3], "residual": [7, 1, 0, 2, 3]}


def test_a_later_look_contains_the_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TEXT)
    experiment = load(tmp_path / "x.yaml")
    settings = [{point.settings for point in with_seeds(experiment, n).points} for n in (3, 5, 8)]
    assert settings[0] < settings[1] < settings[2]
