"""Other machines that see the same folder, as far as this package can tell them apart."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from resexp import store
from resexp.machine import host
from resexp.store import experiment_lock, file_lock, holder

LOCK, LOCKED = file_lock.lock, file_lock.locked


class Machines:
    """Makes this process appear to run on one machine or another. Their locks are shared or not."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, shared_locks: bool) -> None:
        self._folder, self._patch, self._shared = folder, patch, shared_locks
        patch.setattr(holder, "BEAT", 0.02)
        patch.setattr(holder, "LOOK", 0.02)
        patch.setattr(experiment_lock, "WATCH", 1.0)

    def be(self, name: str, boot: str = "1", machine: str = "", *, same_kernel: bool = False) -> None:
        """Be on the machine `name`. With `same_kernel`, it is a container of the machine before."""
        self._patch.setattr(socket, "gethostname", lambda: name)
        if same_kernel:
            return
        for constant, text in (("BOOT", f"{name} {boot}"), ("MACHINE", machine or name)):
            path = self._folder / f"{constant} {text}"
            path.write_text(text)
            self._patch.setattr(host, constant, path)

        def own(path: Path) -> Path:
            return path.with_name(f"{path.name} of {name}")

        if not self._shared:  # a lock that only one machine sees is a lock on another file
            self._patch.setattr(file_lock, "lock", lambda path, wait: LOCK(own(path), wait))
            self._patch.setattr(holder, "locked", lambda path: LOCKED(own(path)))


def die(held: store.Hold) -> None:
    """End a hold as SIGKILL does: the system releases the lock, and nothing else happens."""
    silence(held)
    assert held._unlock is not None
    held._unlock()
    held._unlock = None


def silence(held: store.Hold) -> None:
    """End the signs of life alone: as if the machine were gone, and a server still kept its lock."""
    assert held._heart is not None
    held._heart.stop()
