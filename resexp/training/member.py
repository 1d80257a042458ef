"""What each of the processes that train a network together knows: its number, and how to add up with others.

Numbers travel through PyTorch's gloo, over the loopback interface.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from resexp.errors import TrialError, words

LIMIT = timedelta(days=1)
"""How long gloo waits for a process that lives. While the first one evaluates, the others wait, and that may
take hours. A trial that hangs is ended by the supervisor, like one of a single process.
"""


class Parted(TrialError):
    """Another process of the trial has ended, so that this one cannot go on."""


@dataclass(frozen=True)
class Member:
    """One of the `size` processes of a trial. The first one has the number 0."""

    number: int
    size: int

    def share(self, count: int) -> slice:
        """This process's share of `count` examples. The shares differ by at most one example."""
        return slice(self.number * count // self.size, (self.number + 1) * count // self.size)

    def add_up(self, values: Tensor) -> Tensor:
        """Replace `values` by their sum over all processes. Raises Parted."""
        with parting():
            distributed.all_reduce(values)
        return values

    def alike(self, values: Tensor) -> bool:
        """Whether all processes have the same values. Raises Parted."""
        most = torch.cat([values, -values])
        with parting():
            distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
        largest, smallest = most.chunk(2)
        return torch.equal(largest, -smallest)


@contextmanager
def parting() -> Iterator[None]:
    """Raise Parted for the errors by which a connection to another process says that it has ended."""
    try:
        yield
    except (RuntimeError, OSError, EOFError) as problem:
        raise Parted(words(problem)) from problem


def meeting_place(port: int, *, first: bool) -> Any:
    """Where the processes find each other. The first one opens it, at any port if `port` is 0."""
    return distributed.TCPStore("127.0.0.1", port, is_master=first, wait_for_workers=False)  # type: ignore[attr-defined]


def join(member: Member, store: Any) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback([name for _, name in socket.if_nameindex()]))
    distributed.init_process_group(
        "gloo", store=store, rank=member.number, world_size=member.size, timeout=LIMIT
    )


def loopback(names: Sequence[str]) -> str:
    """The name of the loopback interface: lo on Linux, lo0 on macOS."""
    return next((name for name in names if name in ("lo", "lo0")), "lo")
