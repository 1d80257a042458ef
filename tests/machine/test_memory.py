"""The memory that a trial says it took is its own, and evaluation keeps within bounds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from resexp.data.base import Facts
from resexp.machine.memory import own_peak, peak_memory
from resexp.tasks.classification import Classification
from resexp.tasks.masked_autoencoding import MaskedAutoencoding
from resexp.tasks.segmentation import Segmentation

STATUS = """Name:\tpython
VmPeak:\t 9000000 kB
VmHWM:\t 1858560 kB
VmRSS:\t 1843200 kB
RssAnon:\t  600000 kB
RssFile:\t 1213440 kB
RssShmem:\t   1024 kB
Threads:\t1
"""


def test_mapped_pages_are_not_the_trials_own() -> None:
    assert own_peak(STATUS) == (1858560 - 1213440 - 1024) * 1024
    assert own_peak(STATUS.replace("600000", "700000")) == 700000 * 1024, "what is held now was held"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system tells all pages alone")
def test_data_that_are_mapped_and_read_do_not_count(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros(100 << 20, np.uint8))
    before = peak_memory(torch.device("cpu"))
    data = np.load(tmp_path / "data.npy", mmap_mode="c")
    assert data.sum() == 0
    assert peak_memory(torch.device("cpu")) < before + (50 << 20)


@pytest.mark.parametrize(
    ("size", "at_once"), [(8, 500), (32, 500), (64, 500), (224, 55), (512, 10), (4096, 1)]
)
def test_large_images_are_evaluated_a_few_at_once(size: int, at_once: int) -> None:
    facts = Facts((3, size, size), "labels", ("a", "b"), (1, 1), (1, 1), "-")
    assert Classification().evaluated_at_once(facts) == at_once


def test_masks_count_and_draws_stay_with_their_batch() -> None:
    small, large = (Facts((3, size, size), "masks", tuple("abc"), (1,), (1,), "-") for size in (64, 512))
    assert [Segmentation().evaluated_at_once(facts) for facts in (small, large)] == [64, 5]
    assert MaskedAutoencoding().evaluated_at_once(large) == 64
