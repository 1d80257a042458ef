"""Refuses batch norms that would get one or two values per channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from resexp.catalog import scan
from resexp.errors import ConfigError
from resexp.text import counted

if TYPE_CHECKING:
    from resexp.config.settings import ProbeConfig, Settings
    from resexp.estimate.network import Measurer
    from resexp.tasks.base import Task

ALIKE = {
    1: "one value per channel, and makes 0 of it",
    2: "two values per channel, and makes 1 and -1 of them",
}
"""Numbers of values that a batch norm turns into the same results, whatever they are."""


class Batch(NamedTuple):
    """A batch of `size` examples that the network `of`, model or discriminator, gets in training, or from a
    probe. `whole` is the size before several processes divide it.
    """

    of: str
    size: int
    whole: int
    key: str
    probe: ProbeConfig | None = None


def refuse_few_values(settings: Settings, measurer: Measurer) -> None:
    """Raises ConfigError if a batch norm would get one or two values per channel from a batch of training or
    of a probe.
    """
    small = [batch for batch in _batches(settings, measurer) if batch.size <= max(ALIKE)]
    # Networks are built only if they must be, because that takes PyTorch.
    if not small or scan.part_class(settings.model.info).network is None:
        return
    for batch in small:
        if batch.probe is not None and scan.part_class(batch.probe.info).in_eval_mode:
            continue
        values = _values(settings, measurer, batch)
        if values in ALIKE:
            which = " of the discriminator" if batch.of == "discriminator" else ""
            examples = counted(batch.size, "example")
            wrong = f"from batches of {examples}, a batch norm{which} gets {ALIKE[values]}"
            if values // batch.size * batch.whole in ALIKE:
                raise ConfigError.of("", batch.key, wrong, f"give more, or {batch.of}.norm: none")
            right = "give fewer, or training.sync_norm: true"
            raise ConfigError.of("", "training.processes", wrong, right)


def _batches(settings: Settings, measurer: Measurer) -> Iterator[Batch]:
    """Yield the batches that networks with batch norms get."""
    training, examples = settings.training, measurer.facts(settings).train
    whole = min(training.batch_size, examples)
    size = whole if training.sync_norm else whole // training.processes
    key = "training.batch_size" if training.batch_size == whole else "data"
    models = {"model": settings.model, "discriminator": settings.discriminator}
    with_norms = [name for name, model in models.items() if model is not None and model.norm == "batch"]
    for name in with_norms:
        yield Batch(name, size, whole, key)
    for number, probe in enumerate(settings.probes):
        if probe.of in with_norms:
            size = min(probe.batch_size, examples)
            yield Batch(probe.of, size, size, f"probes.{number}.batch_size", probe)


def _values(settings: Settings, measurer: Measurer, batch: Batch) -> int:
    """The fewest values per channel that a batch norm gets from the batch; 0 if the network has none."""

    def compute() -> dict[str, int]:
        from resexp.models.build import network_normalises

        task: Task = settings.task.build()
        purposes = task.purposes(measurer.facts(settings))
        place = [key for key, _ in task.networks].index(batch.of) if task.networks else 0
        return {"values": network_normalises(getattr(settings, batch.of), purposes[place], batch.size)}

    key = f"normalises {batch.of} {batch.size} {measurer.network_key(settings)}"
    return measurer.remembered.answer(key, compute)["values"]
