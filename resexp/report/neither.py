"""What a report says of comparisons with a baseline that find neither side lower, by their verdict."""

from __future__ import annotations

from resexp.report.verdict import Verdict

SAID = {
    Verdict.SOME_SEEDS_FAIL: (
        "some seeds failed here or in {name} and others trained, so no verdict rests on the mean"
    ),
    Verdict.ONE_CLASS: (
        "some seeds here or in {name} answer one class only, so a low {error} is no sign of learning"
    ),
    Verdict.BEFORE_CORRECTION: (
        "the test {error} differs from that of {name} by an uncorrected test, and not after correction for "
        "all of these comparisons"
    ),
    Verdict.EQUIVALENT: "the test {error} is within 1 point of that of {name}",
    Verdict.UNDECIDED: "these seeds do not distinguish the test {error} from that of {name}",
    Verdict.TOO_FEW_SEEDS: "fewer than three seeds here or in {name}, so nothing can be said",
    Verdict.NOT_COMPARABLE: "no seed has a result here or in {name}",
}
"""What to say of variants whose test error is neither lower nor higher, by their verdict."""
OF_DIVERGED = {
    Verdict.BEFORE_CORRECTION: (
        "{errors} are not compared; more or fewer networks diverge than in {name} by an uncorrected test, "
        "and not after correction for all of these comparisons"
    ),
    Verdict.UNDECIDED: (
        "{errors} are not compared, and these seeds do not show whether more or fewer networks diverge than "
        "in {name}"
    ),
}
"""The same for comparisons that rest on how many networks diverged."""
