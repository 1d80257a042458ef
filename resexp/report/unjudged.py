"""Says what a report cannot judge."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from resexp.report import frames
from resexp.store import Records

APART = "No two variants have a depth in common, so no connections are compared."


def sentences(records: Records) -> Iterator[str]:
    """One sentence for each thing that is not judged. Those on foreign runs are made where their table is
    read (`foreign/limits.py`).
    """
    yield from records.unjudged
    if not records.foreign and frames.trained(records):
        depths = {name: set(trials["depth"]) for name, trials in frames.by_variant(records.trials)}
        if apart(depths):
            yield APART


def apart(depths: Mapping[str, Collection[int]]) -> bool:
    """Whether there are several variants, and no two have a depth in common. `depths` has those of each."""
    return len(depths) > 1 and len(set().union(*depths.values())) == sum(map(len, depths.values()))
