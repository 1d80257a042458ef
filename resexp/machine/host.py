"""Identifies this machine and process, and finds out whether a process that a file describes still exists.

Several machines may see one folder. A process id is meaningful only on one machine, in one namespace of
processes. Clocks of two machines may differ, so nothing here compares their times.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""A random text that the kernel makes when it starts. All containers of a machine see the same one."""

MACHINE = Path("/etc/machine-id")
"""A text that stays the same when the machine is restarted. It is private, so only its hash is used."""


class Place(Enum):
    """Where a recorded process ran, as seen from this process."""

    HERE = "on this machine, which has not been started again since"
    RESTARTED = "on this machine, before it was last started"
    ELSEWHERE = "on another machine, or on one that cannot be told from another"


def this_process() -> dict[str, Any]:
    """A record of this process as JSON data, with which `exists` can be called on any machine."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "boot": _text(BOOT),
        "machine": _machine(),
        "pid": pid,
        "namespace": _namespace(),
        "began": _began(pid),
    }


def time_here() -> str:
    """The time by this machine's clock, for readers only: no decision may depend on it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine_name() -> str:
    """A short text that identifies this machine. It is part of the names of files that only processes of this
    machine may use, because only these see each other's locks.
    """
    parts = (socket.gethostname(), _machine() or _text(BOOT))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def place_of(record: Mapping[str, Any]) -> Place:
    """Where the process that a record describes runs or ran.

    If the system has no boot ids, as on macOS, or an older version of resexp wrote the record, machines are
    told apart only by their names.
    """
    boot, here, same_name = record.get("boot"), _text(BOOT), record.get("host") == socket.gethostname()
    if not (boot and here):
        return Place.HERE if same_name else Place.ELSEWHERE
    if boot == here:
        return Place.HERE
    same_machine = same_name and _machine() != "" and record.get("machine") == _machine()
    return Place.RESTARTED if same_machine else Place.ELSEWHERE


def exists(record: Mapping[str, Any]) -> bool | None:
    """Whether the recorded process exists. None if that cannot be known from here, because it ran on another
    machine or in another namespace of processes.
    """
    place, pid = place_of(record), record.get("pid")
    if place is Place.RESTARTED:
        return False
    if place is Place.ELSEWHERE or not isinstance(pid, int) or not 0 < pid < 2**31:
        return None
    if record.get("namespace") and record["namespace"] != _namespace():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The id of a process that has ended may belong to a later process, which began at another time.
    began = _began(pid)
    return not (record.get("began") and began and record["began"] != began)


@cache
def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""


def _machine() -> str:
    text = _text(MACHINE)
    return hashlib.sha256(b"resexp " + text.encode()).hexdigest()[:32] if text else ""


def _namespace() -> str:
    """The namespace in which process ids are counted; "" if the system has none."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _began(pid: int) -> int:
    """When a process began, in ticks since the machine was started; 0 if that is unknown."""
    with suppress(OSError, ValueError, IndexError):
        # The program's name stands in parentheses and may itself contain spaces and parentheses.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return 0
