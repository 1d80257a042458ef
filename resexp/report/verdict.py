"""Every verdict that a report can give, and whether it is good news.

Nothing is decided here. For example, `tables/degradation.py` decides whether depth hurts,
`tables/comparisons.py` whether variants differ, `ordering.py` whether a claim holds, and `reproduction.py`
whether a published number is reproduced. Comparisons and claims share the rules in `pairs.py`.
"""

from __future__ import annotations

from enum import StrEnum


class Tone(StrEnum):
    """Whether a verdict is shown as good news, bad news, or an open question."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


class Verdict(StrEnum):
    """A verdict. Its value is the text in tables, badges and JSON. No two verdicts mean the same."""

    # Nothing is decided.
    UNDECIDED = "undecided"
    TOO_FEW_SEEDS = "too few seeds"
    SOME_SEEDS_FAIL = "some seeds fail"
    ONE_CLASS = "answers one class"
    NOT_COMPARABLE = "not comparable"
    # Does depth hurt training?
    DEGRADES = "degrades"
    DEGRADES_SLIGHTLY = "degrades slightly"
    DEGRADES_BETWEEN = "degrades at a middle depth"
    DOES_NOT_DEGRADE = "does not degrade by 1 point"
    DID_NOT_TRAIN = "did not train"
    DIVERGES = "diverges"
    NOT_FINISHED = "not finished"
    NOTHING_FINISHED = "nothing finished"
    TRIALS_LOST = "trials lost"
    ONE_DEPTH = "one depth"
    # Does the test error differ from the baseline's, or from that of shallower nets?
    LOWER = "lower"
    HIGHER = "higher"
    BEFORE_CORRECTION = "only before correction"
    EQUIVALENT = "equivalent"
    DEPTH_HURTS = "depth hurts"
    # Does a published claim hold here, and is a published number reproduced?
    DIRECTION_AGREES = "direction agrees"
    DIRECTION_DISAGREES = "direction disagrees"
    NOT_EQUIVALENT = "not equivalent"
    NO_WORSE = "no worse"
    WORSE = "worse"
    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    IMPRECISE = "compatible, too imprecise to tell"
    # Do two parts of a network help each other?
    SYNERGY = "synergy"
    IN_THE_WAY = "in each other's way"
    GAIN_GROWS = "gain grows"
    GAIN_SHRINKS = "gain shrinks"
    # How do gradients change from the last layer to the first?
    STEADY = "steady"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NOT_FINITE = "not finite"
    ZERO = "zero"  # gradients are 0 at the first layer and at the last
    ONE_LAYER = "one layer"

    @property
    def tone(self) -> Tone:
        """Whether the verdict is good news, bad news or an open question."""
        return Tone.GOOD if self in _GOOD else Tone.BAD if self in _BAD else Tone.OPEN

    @property
    def more_seeds_may_decide(self) -> bool:
        """Whether the question is open, and more seeds may decide it."""
        return self in _NEED_SEEDS

    @property
    def agrees(self) -> bool:
        """Whether this verdict on a claim says that the claim holds."""
        return self in _AGREE

    @property
    def disagrees(self) -> bool:
        """Whether this verdict on a claim says that the claim does not hold. False for all other bad news."""
        return self in _DISAGREE


_NEED_SEEDS = (Verdict.UNDECIDED, Verdict.TOO_FEW_SEEDS, Verdict.IMPRECISE, Verdict.BEFORE_CORRECTION)
_AGREE = (Verdict.DIRECTION_AGREES, Verdict.EQUIVALENT, Verdict.NO_WORSE)
_DISAGREE = (Verdict.DIRECTION_DISAGREES, Verdict.NOT_EQUIVALENT, Verdict.WORSE)


_GOOD = {
    *(Verdict.EQUIVALENT, Verdict.NO_WORSE),
    *(Verdict.DOES_NOT_DEGRADE, Verdict.LOWER, Verdict.DIRECTION_AGREES, Verdict.REPRODUCED),
    *(Verdict.SYNERGY, Verdict.GAIN_GROWS, Verdict.STEADY),
}
_BAD = {
    *(Verdict.ONE_CLASS, Verdict.NOT_EQUIVALENT, Verdict.WORSE),
    *(Verdict.SOME_SEEDS_FAIL, Verdict.DEGRADES, Verdict.DEGRADES_BETWEEN),
    *(Verdict.DID_NOT_TRAIN, Verdict.DIVERGES),
    *(Verdict.NOTHING_FINISHED, Verdict.HIGHER, Verdict.DEPTH_HURTS, Verdict.DIRECTION_DISAGREES),
    *(Verdict.NOT_REPRODUCED, Verdict.IN_THE_WAY, Verdict.GAIN_SHRINKS, Verdict.VANISHING),
    *(Verdict.EXPLODING, Verdict.NOT_FINITE),
}


def read(text: str) -> Verdict:
    """The verdict with this text, which comes from a file; UNDECIDED if this version has no such verdict."""
    return Verdict(text) if text in set(Verdict) else Verdict.UNDECIDED
