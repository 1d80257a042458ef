"""The caption of the table of degradation: how its numbers were measured, and the rule of its verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from resexp.report import failed_seeds, splits, statistics, words
from resexp.report.table import Row, as_given
from resexp.store import Records

PROTOCOL = " of the last epoch, in eval mode and without augmentation"
MEASURED = f"Training {{error}}{PROTOCOL}; mean ± standard deviation over n seeds."
CAPTION = (
    f"{MEASURED} D(L) is the mean training {{error}} at depth L minus the least mean training {{error}} of "
    "any shallower depth, in percentage points. Its 95 % interval is Student's (unequal variances, unpaired "
    "seeds). The lower end is corrected for having looked at every shallower depth (Bonferroni). The "
    "verdict is about the deepest depth at which a trial finished. A variant degrades if the interval lies "
    "above 0 and D(L) is at least 1 point. It does not degrade by 1 point if the interval ends below 1 "
    "point, unless some seeds failed at a shallower depth, or the variant degrades there. It degrades "
    "slightly if the interval lies above 0, ends at 1 point or more, and D(L) is less than 1 point. "
    "Otherwise it is undecided. Fewer than three seeds decide nothing. If depth has no effect, the interval "
    "of a depth lies above 0 in at most 5 % of cases."
)
BETWEEN = (
    " That a variant degrades at a shallower depth than its deepest is judged by a wider interval, which is "
    "corrected for the number of such depths (Bonferroni)."
)
LEFT_OUT = " A depth with fewer than three seeds is left out if another shallower one has three."
POWER = (
    " At five depths, an effect of three standard deviations is found in about half of all cases with three "
    "seeds, and in about 98 % with five; at more depths, it is found less often."
)
"""`POWER` holds only for 95 % intervals over independent seeds. If a report has several planned looks, or if
test sets overlap, the intervals are wider and find fewer effects.
"""
RARE = " If that {error} is below 10\u00a0%, half of it replaces the 5 points."
CHANCE = (
    "A variant counts as trained if, at some depth, its mean training {error} is at least 5 points below "
    "that of {blind}{chance}."
)


def of(records: Records, rows: Sequence[Row], *, rare: bool) -> str:
    """The caption of a table with these rows. `rare`: at some depth, less than 10 % of blind answers are
    wrong.
    """
    gaps = [row for row in rows if row["gap"] is not None]
    compared = bool(gaps)
    caption = CAPTION if compared else MEASURED
    deepest = {row["variant"]: row["depth"] for row in rows if row["n"]}  # rows are in the order of depth
    middle = Counter(row["variant"] for row in gaps if row["depth"] != deepest[row["variant"]])
    if max(middle.values(), default=0) > 1:
        caption += BETWEEN
    if compared and statistics.level_of(records) == statistics.LEVEL and not splits.drawn(records):
        caption += POWER
    if any(row["omitted"] is not None for row in rows):
        caption += LEFT_OUT
    if chances := {row["chance"] for row in rows if row["chance"] is not None}:
        known = f", {words.percent(min(chances), 1)} %" if len(chances) == 1 else ""
        caption += " " + CHANCE.replace("{chance}", known)
        caption += RARE if rare else ""
    if any(row["mixed"] for row in rows):
        caption += " " + failed_seeds.RULE
    caption = as_given(records, caption, PROTOCOL)
    return f"{caption} {splits.caption(records)}" if compared and splits.drawn(records) else caption
