"""One of several processes that train a network together: its share of a batch, and sums over all processes.

The processes talk over the loopback interface, through PyTorch's backend gloo.
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
"""How long gloo waits for a process that is still alive. While the first process evaluates, the others may
have to wait for hours. If a trial hangs, the supervisor ends it, as it does with a trial of one process.
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
    """Within this context, raise Parted in place of RuntimeError, OSError and EOFError. A connection raises
    these errors when the process at its other end has ended.
    """
    try:
        yield
    except (RuntimeError, OSError, EOFError) as problem:
        raise Parted(words(problem)) from problem


def meeting_place(port: int, *, first: bool) -> Any:
    """Where the processes find each other. The first one opens it, at any port if `port` is 0."""
    return distributed.TCPStore("127.0.0.1", port, is_master=first, wait_for_workers=False)  # type: ignore[attr-defined]


def join(member: Member, store: Any) -> None:
    """Connect this process with the other processes of the trial, which must all call `join` too. `store` is
    their meeting place.
    """
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback([name for _, name in socket.if_nameindex()]))
    distributed.init_process_group(
        "gloo", store=store, rank=member.number, world_size=member.size, timeout=LIMIT
    )


def loopback(names: Sequence[str]) -> str:
    """The name of the loopback interface: lo on Linux, lo0 on macOS."""
    return next((name for name in names if name in ("lo", "lo0")), "lo")
