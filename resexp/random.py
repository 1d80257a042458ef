"""Makes random generators from keys. A draw depends only on its key, so the states of generators need not be
saved.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def key_of(*key: object) -> int:
    """A seed of 63 bits for a key such as (seed, epoch, purpose).

    PyTorch's generator on the CPU uses its lowest 32 bits. Two keys therefore give the same draws with a
    probability of 1 in 4 billion.
    """
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def keyed_generator(*key: object) -> torch.Generator:
    """A generator that depends only on the key. It is on the CPU, so every device gets the same draws."""
    return torch.Generator().manual_seed(key_of(*key))


def seed_generators(key: int) -> None:
    """Seed the generators of PyTorch, NumPy and Python from which a connection in a forward pass may draw."""
    torch.manual_seed(key)
    np.random.seed(key % 2**32)
    random.seed(key)


@contextmanager
def kept_generators(device: torch.device | None = None) -> Iterator[None]:
    """Restore the states of these generators, and of that of a device other than the CPU, after the `with`
    block. In a notebook they are the user's.
    """
    own = [] if device is None or device.type == "cpu" else [device]
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(own, device_type=device.type if device else "cpu"):
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
