"""Votes that can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from resexp.connections.core import Plain
from resexp.errors import TrialError
from resexp.probes.nearest_neighbours import NearestNeighbours, votes


def test_the_nearest_vote_and_no_others() -> None:
    cosines = torch.tensor([[1.0, 0.5, -1.0, 0.9]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 2])
    known = functional.one_hot(labels).double()
    torch.testing.assert_close(votes(cosines, known, 2), torch.tensor([[2.0, 0.0, 1.9]]).double())
    torch.testing.assert_close(votes(cosines, known, 9), torch.tensor([[2.0, 1.5, 1.9]]).double())


def test_the_error_of_states_that_tell_classes_and_of_states_that_do_not(
    chain: Callable, measure: Callable
) -> None:
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    x = torch.eye(8)[labels]
    same = nn.Linear(8, 8)
    nn.init.zeros_(same.weight)
    readings = measure(NearestNeighbours(k=1), chain(Plain, nn.Identity(), same), x, labels)
    assert [r.value for r in readings] == [0, pytest.approx(3 / 4)]


def test_masks_are_no_classes(chain: Callable, measure: Callable) -> None:
    with pytest.raises(TrialError, match="no class labels"):
        measure(NearestNeighbours(), chain(Plain, nn.Identity()), torch.eye(8), torch.zeros(8, 2, 2))
