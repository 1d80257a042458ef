"""Randomness from keys: draws depend on their key alone, so that no generator's state need be kept."""

from __future__ import annotations

import hashlib

import torch


def key_of(*key: object) -> int:
    """A seed of 63 bits for a key such as (seed, epoch, purpose)."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def keyed_generator(*key: object) -> torch.Generator:
    """A generator that depends on `key` alone. It is on the CPU, so that every device sees the same draws."""
    return torch.Generator().manual_seed(key_of(*key))
