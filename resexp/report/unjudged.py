"""Says what a report cannot judge, whether times can be compared, and which readings are not shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from resexp.report import frames, words
from resexp.report.confounded import MACHINE
from resexp.report.sections import sections
from resexp.store import Records

APART = "No two variants have a depth in common, so no connections are compared."
OTHER_DATA = "No two variants have a depth on the same test data in common, so no connections are compared."


def sentences(records: Records) -> Iterator[str]:
    """One sentence for each thing that is not judged. Those on foreign runs are made where their table is
    read (`foreign/limits.py`).
    """
    yield from records.unjudged
    if not frames.trained(records):
        return
    trials = records.trials.assign(data=frames.test_data(records, records.trials))
    by_variant = dict(frames.by_variant(trials))
    if apart({name: set(own["depth"]) for name, own in by_variant.items()}):
        if not records.foreign:
            yield APART
    elif trials["connection"].nunique() > 1 and apart(
        {name: set(zip(own["depth"], own["data"], strict=True)) for name, own in by_variant.items()}
    ):
        yield OTHER_DATA


def notes(records: Records) -> Iterator[str]:
    """Notes on times that cannot be compared, and on readings of probes that no table shows."""
    yield from _times(records)
    yield from not_shown(records)


def _times(records: Records) -> Iterator[str]:
    """A note if times were measured on several machines, or beside different numbers of other trials."""
    ran = [run["environment"] for run in records.runs]
    differing = [name for key, name in MACHINE.items() if len({repr(each.get(key)) for each in ran}) > 1]
    if differing and records.trials["seconds"].notna().any():
        yield (
            f"The runs that trained these trials differ in {words.joined(differing)}, so times of trials "
            "from different runs cannot be compared, also where tables and figures put them side by side."
        )


def not_shown(records: Records) -> Iterator[str]:
    """A note for each probe with readings at moments that its table leaves out."""
    for section in sections("table"):
        shown = section.moments
        rows = records.probes[records.probes["probe"].isin(section.probes if shown else ())]
        for probe, taken in rows.groupby("probe", observed=True)["at"]:
            if left := sorted(set(taken.astype(float)).difference((shown or {}).values())):
                moments = words.listed([f"{100 * at:g}\u00a0%" for at in left])
                yield (
                    f"The readings of {probe} at {moments} of training are in no table. "
                    f"`resexp.results({records.experiment!r}).probes` has them."
                )


def apart(depths: Mapping[str, Collection[object]]) -> bool:
    """Whether there are several variants, and no two have a depth in common. `depths` has those of each, or
    their depths with their data.
    """
    return len(depths) > 1 and len(set().union(*depths.values())) == sum(map(len, depths.values()))
