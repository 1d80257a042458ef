"""Makes random generators from keys. A draw depends only on its key, so the states of generators need not be
saved.
"""

from __future__ import annotations

import hashlib
import random

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
