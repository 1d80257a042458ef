"""Finds the quantities of probes that have no table, or no figure, of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resexp.catalog import scan
from resexp.catalog.declared import Quantity
from resexp.catalog.probe_name import kind_and_network
from resexp.report import frames, words
from resexp.report.sections import Kind, probes_shown


@dataclass(frozen=True)
class Measured:
    """A quantity of a probe, with its readings as rows. Their column `at` is the fraction of training."""

    probe: str
    quantity: Quantity
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        """The quantity's title with its unit."""
        title = words.clean(self.quantity.title or self.quantity.name.replace("_", " "))
        network = kind_and_network(self.probe)[1]
        title += f" of the {words.clean(network)}" if network != "model" else ""
        return f"{title} ({words.clean(self.quantity.unit)})" if self.quantity.unit else title

    @property
    def factor(self) -> int:
        """The factor by which readings are multiplied before they are shown: 100 if the unit is %, or 1."""
        return 100 if self.quantity.unit == "%" else 1

    def moments(self) -> list[float]:
        """The fractions of training at which the quantity was measured."""
        return sorted(float(at) for at in self.rows["at"].dropna().unique())


def measured(records: frames.ReportRecords, kind: Kind) -> Iterator[Measured]:
    """Yield the quantities that no other section of this kind shows, in the order of the records."""
    rows = records.probes[~records.probes["probe"].isin(probes_shown(kind))].dropna(subset=["name"])
    rows = rows.assign(index=pd.to_numeric(rows["index"], errors="coerce").fillna(0))
    known = scan.parts("probe")
    for (probe, name), group in rows.groupby(["probe", "name"], observed=True, sort=False):
        part = known.get(kind_and_network(str(probe))[0])
        own = {quantity.name: quantity for quantity in part.quantities} if part else {}
        quantity = own.get(str(name)) or Quantity.of(str(name), _recorded(group))
        yield Measured(str(probe), quantity, group)


def _recorded(rows: pd.DataFrame) -> dict[str, Any]:
    """Title, unit and scale that a plugin's probe recorded in the column `quantity`; {} if there are none."""
    recorded = [each for each in rows.get("quantity", ()) if isinstance(each, dict)]
    return recorded[-1] if recorded else {}
