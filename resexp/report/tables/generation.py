"""How near generated images are to real ones, and how many generators collapsed."""

from __future__ import annotations

import pandas as pd

from resexp.report import frames, naming, words
from resexp.report.table import Column, Row, Table, places, plain_spread, spread, spread_cells
from resexp.store import Records

ORDER = 14
MEASURES = ("frechet", "frechet_floor", "precision", "recall", "collapsed", "classifier_error")
"""The readings of `resexp/generation/measures.py` that are shown, as measures of the test split."""
COLLAPSED, TOLD = 0.05, 0.5
"""The bounds in `resexp/generation/measures.py`, which say when a generator has collapsed."""
CAPTION = (
    "Generated images of the last step against as many real ones, from the test set. Fréchet: the Fréchet "
    "distance (squared, as in Heusel et al. 2017) between features of generated and real images. The "
    "features are those of a small classifier that was trained on the same data set{accuracy}. Lower is "
    "better. This is not the FID, whose features are those of an Inception network, and which the probe "
    "`fid` measures. It must not be compared with a FID, nor with distances on other data or from other "
    "numbers of images. Floor: the same distance between two sets of real images that have none in common, "
    "which is about what a perfect generator would reach. Precision: the share of generated images that lie"
    " among the real ones. Recall: the share of "
    "real images that lie among the generated ones (Kynkäänniemi et al. 2019, with 3 neighbours). Collapsed:"
    " the trials whose recall is below {collapsed}. It is counted only if the recall between real images is "
    "above {told}. A collapsed generator repeats a few images if its precision is high, and otherwise shows "
    "nothing like the data. A generator that leaves out classes need not count as collapsed. The test "
    "{error} is 1 - F, where F is the harmonic mean of precision and recall. The train {error} is the mean "
    "of this over training. Values are mean ± standard deviation over n seeds. A diverged or failed trial "
    "has none."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no trial has generated images."""
    done = frames.done(records.trials)
    done = done.assign(**{f"test_{name}": frames.numbers(done, f"test_{name}") for name in MEASURES})
    done = done.dropna(subset=["test_frechet"])
    if done.empty:
        return None
    columns = (
        *places(),
        plain_spread("frechet", "Fréchet", 3),
        Column("Floor", lambda row: words.fixed(row["frechet_floor_mean"], 3)),
        spread("precision", "Precision", 1),
        spread("recall", "Recall", 1),
        Column("Collapsed", lambda r: f"{r['collapsed']} of {r['told']}" if r["told"] else words.DASH),
    )
    caption = naming.measure_of(records).said(CAPTION)
    caption = mixed(done) + caption.format(
        accuracy=_accuracy(done), collapsed=_share(COLLAPSED), told=_share(TOLD)
    )
    rows = tuple(_row(place) for place in frames.by_depth(done))
    return Table("generation", "Generated images", caption, columns, rows)


def _row(place: frames.DepthGroup) -> Row:
    told = place.rows["test_collapsed"].dropna()
    row = frames.row_keys(place)
    for name in ("frechet", "frechet_floor", "precision", "recall"):
        row |= spread_cells(name, place.rows[f"test_{name}"])
    return row | {"collapsed": int(told.sum()), "told": len(told)}


def mixed(done: pd.DataFrame) -> str:
    """A warning if distances were measured in the features of several classifiers; otherwise ""."""
    number = done["classifier"].nunique() if "classifier" in done else 1
    told = f"The trials were compared in the features of {number} different classifiers. "
    return told if number > 1 else ""


def _accuracy(done: pd.DataFrame) -> str:
    """How many test images the classifiers recognise, if that was recorded."""
    # Tasks other than classification may give errors another name, but this error is the classifier's own.
    found = 1 - done["test_classifier_error"].dropna().unique()
    if not len(found):
        return ""
    low, high = words.percent(min(found), 1), words.percent(max(found), 1)
    return f", and recognises {low if low == high else f'{low} to {high}'} % of the test images"


def _share(bound: float) -> str:
    return f"{bound:.0%}".replace("%", " %")
