"""Runs probes during training, on copies of the network, so that they never change a run's numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from resexp.catalog.plugins import place_in
from resexp.errors import out_of_memory, words
from resexp.machine.precision import widest
from resexp.probes.base import Probe, Reading, Snapshot
from resexp.probes.states import drops_blocks
from resexp.random import kept_generators, key_of, seed_generators
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.config.settings import ProbeConfig
    from resexp.training.learner import Learner
    from resexp.training.run import Run

Alive = Callable[[], None]
"""Tells the supervisor that the trial is alive."""


def probe_rows(run: Learner, failed: list[str], alive: Alive) -> Iterator[dict[str, Any]]:
    """The rows of every probe that is due before the run's next step. A run without a network has no probes.

    A probe that takes long calls `alive`, so that the trial is not taken for hung. If a probe fails, its
    failure is appended to `failed`, the probe has no rows at this step, and training continues. Only running
    out of memory is raised.
    """
    for config in run.settings.probes:
        for at in config.at:
            if round(at * run.total) == run.step:
                try:
                    rows = list(measured(cast("Run", run), config, at, alive))
                except Exception as error:
                    if out_of_memory(error):
                        raise
                    failed.append(
                        f"{config.name} failed at {100 * at:g} %: {reason(error, config.info.plugin)}"
                    )
                    print(failed[-1])
                else:
                    yield from rows


def reason(error: Exception, plugin: Plugin | None = None) -> str:
    """What an error says, in one short line. The line begins with the error's place in the file of `plugin`
    if this is given.
    """
    place = f"{place_in(error, [plugin]) or plugin.original or plugin.file.name}: " if plugin else ""
    return clean(f"{place}{type(error).__name__}: {words(error)}"[:300])


def measured(
    run: Run, config: ProbeConfig, at: float, alive: Alive = lambda: None
) -> Iterator[dict[str, Any]]:
    """The rows of one probe on the run in its present state.

    A report reads no plugins. Therefore the rows of a plugin's probe also say how reports show them.
    If the run's device has no float64, which some probes need, the probe measures on the CPU.
    """
    place = run.device if widest(run.device) == torch.float64 else torch.device("cpu")
    own = {each.name: each.words() for each in config.info.quantities} if config.info.plugin else {}
    probe: Probe = config.build()
    with kept_generators(place):
        seed_generators(0)
        snapshot = take_snapshot(run, config.batch_size, place, config.of, alive)
        if probe.of_a_step and drops_blocks(snapshot.network):
            # With 0, the same blocks would be dropped in all trials at all times.
            seed_generators(key_of(run.settings.seed, run.step, "step"))
        for reading in _readings(probe, snapshot):
            quantity = {"quantity": own[reading.name]} if reading.name in own else {}
            yield {"probe": config.name, "step": run.step, "at": at, **asdict(reading), **quantity}


def _readings(probe: Probe, snapshot: Snapshot) -> Iterator[Reading]:
    """The probe's readings. Raises TypeError if it yields anything else, and ValueError if two readings have
    the same name, layer and index.
    """
    readings, known = cast("object", probe.measure(snapshot)), set[tuple[str, str, int]]()
    if not isinstance(readings, Iterable):
        raise TypeError(f"measure returned {readings!r}; it must yield readings")
    for reading in readings:
        if not isinstance(reading, Reading):
            raise TypeError(f"measure yielded {reading!r}; yield Reading(name, layer, index, value)")
        what = (reading.name, reading.layer, reading.index)
        if what in known:
            raise ValueError(f"measure yielded two readings {what}; name each place once")
        known.add(what)
        yield reading


def take_snapshot(
    run: Run,
    batch_size: int,
    place: torch.device | None = None,
    of: str = "model",
    alive: Alive = lambda: None,
) -> Snapshot:
    """A copy of the network whose settings are at `of`, with a batch from `Subject.batch`. Both are on the
    device `place` or, if that is None, on the run's device.
    """
    place, subject = place or run.device, run.subject(of)
    inputs, target, labels = (each.to(place) for each in subject.batch(batch_size))
    network = copy.deepcopy(subject.network).to(place).train()
    network.zero_grad(set_to_none=True)

    def loss() -> Tensor:
        return subject.loss(network, inputs, target)

    def step() -> None:
        optimizer = run.recipe.make(network.parameters())
        optimizer.load_state_dict(copy.deepcopy(subject.optimizer.state_dict()))
        for group in optimizer.param_groups:
            group["lr"] = run.rate(min(run.step, run.total - 1))
        torch.autograd.backward(loss())
        if (clip := run.settings.training.clip) is not None:
            torch.nn.utils.clip_grad_norm_([*network.parameters(), *subject.clipped_too(batch_size)], clip)
        optimizer.step()

    sets = subject.compared
    compared = None if sets is None else lambda most: sets(most, alive)
    return Snapshot(network, inputs, labels, loss, step, compared, alive)
