"""What the probes of an experiment read, and how each of it is shown: also what no table knows by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resexp.catalog import scan
from resexp.catalog.declared import Quantity
from resexp.report import frames, words
from resexp.report.sections import Kind, probes_shown


@dataclass(frozen=True)
class Measured:
    """A quantity of a probe, and its readings. They have a column `at`, the fraction of training."""

    probe: str
    quantity: Quantity
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        """What it is, with its unit."""
        said = words.clean(self.quantity.title or self.quantity.name.replace("_", " "))
        return f"{said} ({words.clean(self.quantity.unit)})" if self.quantity.unit else said

    @property
    def factor(self) -> int:
        """What a reading is multiplied by where it is shown: fractions are shown in percent."""
        return 100 if self.quantity.unit == "%" else 1

    def moments(self) -> list[float]:
        """The fractions of training at which it was read."""
        return sorted(float(at) for at in self.rows["at"].dropna().unique())


def measured(records: frames.ReportRecords, kind: Kind) -> Iterator[Measured]:
    """Each quantity that no other table, or no other figure, of this package shows; probes in the order of
    the records.
    """
    rows = records.probes[~records.probes["probe"].isin(probes_shown(kind))].dropna(subset=["name"])
    rows = rows.assign(index=pd.to_numeric(rows["index"], errors="coerce").fillna(0))
    known = scan.parts("probe")
    for (probe, name), group in rows.groupby(["probe", "name"], observed=True, sort=False):
        part = known.get(str(probe))
        own = {quantity.name: quantity for quantity in part.quantities} if part else {}
        quantity = own.get(str(name)) or Quantity.of(str(name), _told(group))
        yield Measured(str(probe), quantity, group)


def _told(rows: pd.DataFrame) -> dict[str, Any]:
    """What the rows say of themselves: those of a plugin's probe have it in `quantity`."""
    told = [each for each in rows.get("quantity", ()) if isinstance(each, dict)]
    return told[-1] if told else {}
