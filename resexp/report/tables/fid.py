"""The Fréchet Inception distance (FID) of generated images."""

from __future__ import annotations

import pandas as pd

from resexp.report import frames, moments
from resexp.report.table import Row, Table, integer, places, plain_spread, spread_cells, text
from resexp.store import Records

ORDER = 15
PROBES = ("fid",)
CAPTION = (
    "Fréchet Inception distance (FID, Heusel et al. 2017) between generated images and as many real test "
    "images, with the weights of torch-fidelity. Lower is better. Real images: the FID between training "
    "images and these test images, which is about what a perfect generator would reach. Images: the number in"
    " each set. FIDs may be compared only if this number and the real images are the same, because the "
    "distance falls with the number. Values are mean ± standard deviation over n seeds."
)


def table(records: Records) -> Table | None:
    """Rows: number of images x moment of training x variant x depth. None if no FID was measured."""
    rows = records.probes[records.probes["probe"] == "fid"]
    if rows.empty:
        return None
    keys = ["id", "variant", "connection", "depth", "seed", "at"]
    found = rows.pivot_table("value", keys, "name", observed=True, dropna=False).dropna(subset="fid_images")
    found = found.reset_index().sort_values(["fid_images", "at"], kind="stable")
    groups = found.groupby(["fid_images", "at"], sort=False)
    measured = tuple(_row(place) for _, group in groups for place in frames.by_depth(group))
    columns = (
        *places(text("when", "When"), integer("images", "Images")),
        plain_spread("fid", "FID", 2),
        plain_spread("floor", "Real images", 2),
    )
    return Table("fid", "FID", CAPTION, columns, measured)


def _row(place: frames.DepthGroup) -> Row:
    first = place.rows.iloc[0]
    when = moments.in_words(float(first["at"]))
    row = frames.row_keys(place, when=when, images=int(first["fid_images"]))
    for cell, name in (("fid", "fid"), ("floor", "fid_floor")):
        row |= spread_cells(cell, pd.to_numeric(place.rows[name]))
    return row
