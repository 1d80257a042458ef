"""The differences between a run on this machine, where trials are processes, and a run with a launcher that
starts trials on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from resexp.data.checked import Checked
    from resexp.estimate.network import Measurer
    from resexp.execution.launcher import Launcher
    from resexp.plan.trial import Trial


@dataclass(frozen=True)
class Here:
    """Trials are processes of this machine."""

    device: str
    jobs: int | Literal["auto"] | None
    threads: int

    @cached_property
    def devices(self) -> list[str]:
        """The device of each trial that may run at once here. Trials are planned on the first device."""
        from resexp.machine.devices import device_slots

        return device_slots(self.device, self.threads, None if self.jobs == "auto" else self.jobs)

    @property
    def kinds(self) -> list[str]:
        """The kinds of device on which trials will run, such as "cuda" for "cuda:1"."""
        return sorted({device.partition(":")[0] for device in self.devices})

    def data(self, measurer: Measurer, left: Sequence[Trial]) -> Mapping[str, Checked]:
        """The data of the trials that are left, prepared on this machine."""
        return measurer.prepared(left)

    def slots(self, left: Sequence[Trial], tell: Callable[[str], None]) -> list[str]:
        """The device of each trial that may run at once. Calls `tell` if memory or cores limit the number."""
        from resexp.estimate.duration import room
        from resexp.machine.environment import memory_bytes

        fitting = room(self.devices, left, memory_bytes(), asked=self.jobs is not None)
        if fitting.note:
            tell(fitting.note)
        return list(fitting.slots)

    def at_most(self, slots: Sequence[str]) -> int | None:
        """The largest number of trials at once, for the run's record."""
        return len(slots)

    def warnings(self, left: Sequence[Trial], slots: Sequence[str]) -> Iterator[str]:
        """A warning if a trial uses bfloat16 and the device only emulates it."""
        from resexp.machine.precision import emulated

        yield from emulated(left, slots[0])


@dataclass(frozen=True)
class Elsewhere:
    """A launcher starts trials on other machines. This machine only plans them, on its CPU."""

    launcher: Launcher
    device: str
    jobs: int | None
    devices: tuple[str, ...] = ("cpu",)
    kinds: tuple[str, ...] = ()  # only the other machines know

    def data(self, measurer: Measurer, left: Sequence[Trial]) -> Mapping[str, Checked]:
        """No data: each of the other machines prepares the data itself, in its own folder of data sets."""
        return {}

    def slots(self, left: Sequence[Trial], tell: Callable[[str], None]) -> list[str]:
        """The device of each trial that the launcher accepts at once.

        Raises:
            ConfigError: a setting of a trial is not for these devices.
        """
        from resexp.machine.precision import refuse_untried

        slots = list(self.launcher.slots(self.device, self.jobs, len(left)))
        for trial in left:
            refuse_untried(trial.settings["training"], slots[0])
        return slots

    def at_most(self, slots: Sequence[str]) -> int | None:
        """The largest number of trials at once, for the run's record; None if only the launcher knows it."""
        return self.jobs

    def warnings(self, left: Sequence[Trial], slots: Sequence[str]) -> Iterator[str]:
        """No warnings, because this machine does not know what the devices of other machines emulate."""
        yield from ()


def place_of(
    launcher: Launcher, device: str, jobs: int | Literal["auto"] | None, threads: int
) -> Here | Elsewhere:
    """Where the launcher starts trials. If that is elsewhere and `jobs` is "auto", raises ConfigError."""
    from resexp.errors import ConfigError

    if not launcher.remote:
        return Here(device, jobs, threads)
    if jobs == "auto":
        wrong = "is measured on this machine, but the launcher starts trials on others"
        raise ConfigError.of("command line", "--jobs auto", wrong, "give a number, or leave it out")
    return Elsewhere(launcher, device, jobs)
