"""Compares an experiment with what was registered before its first result, and says what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from resexp.config.published import Claim, Published, Reference
from resexp.report import failed_seeds, references, statistics, words
from resexp.report.sides import at_any_depth
from resexp.store import Records


def rules() -> dict[str, float]:
    """The numbers that verdicts depend on, by their names in a report."""
    return {
        "the level of intervals": statistics.LEVEL,
        "the least gap called degradation": statistics.MARGIN,
        "the fewest seeds that decide": statistics.LEAST,
        "the share of chance above which a seed has failed": failed_seeds.HALF,
        "the gap that sets failed seeds apart": failed_seeds.APART,
        "the least share of chance between failed and trained seeds": failed_seeds.LEAST_GAP,
    }


def changes(records: Records) -> list[str]:
    """The differences from what was registered, as clauses of a sentence; [] if nothing was registered."""
    registered = records.registered
    return [] if registered is None else [*_changes(records, registered)]


def _changes(records: Records, registered: Mapping[str, Any]) -> Iterator[str]:
    dates = [run["environment"].get("date") or registered["date"] for run in records.runs]
    if (first := min(dates, default=registered["date"])) < registered["date"]:
        yield f"the plan was registered after the first run of these trials, which began at {first}"
    now = rules()
    for name, value in registered["rules"].items():
        if name not in now:
            yield f"{name} was {value:g} and is no longer a rule"
        elif now[name] != value:
            yield f"{name} was {value:g} and is {now[name]:g}"
    both = registered["published"], records.published
    yield from _changed_claims(*(_stated(each, "claims") for each in both))
    yield from _changed_numbers(*(_stated(each, "references") for each in both))
    looks = _looks(records)
    if looks != registered["looks"]:
        was, now_is = (words.joined([*map(str, each)]) or "none" for each in (registered["looks"], looks))
        yield f"the numbers of seeds at planned looks were {was}, and are {now_is}"
    yield from _changed_trials(records, registered)


def _changed_claims(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield clauses on the registered claims that were dropped or changed."""
    others = [claim for claim in now if claim not in before]
    for old in before:
        if old in now:
            continue
        new = next((claim for claim in others if claim["say"] == old["say"]), None)
        if new is None:
            yield f"the claim “{old['say']}” was dropped"
            continue
        others.remove(new)
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                was, now_is = (words.choice(claim.get(key)) for claim in (old, new))
                yield f"in the claim “{old['say']}”, {key} was {was} and is {now_is}"


def _changed_numbers(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a clause if published numbers were changed. If none was, yield one for each changed tolerance."""
    without = [[{**number, "tolerance": None} for number in numbers] for numbers in (before, now)]
    if without[0] != without[1]:
        yield "published numbers were changed"
        return
    for old, new in zip(before, now, strict=True):
        if old.get("tolerance") != new.get("tolerance"):
            was, now_is = (words.choice(number.get("tolerance")) for number in (old, new))
            yield f"the tolerance of {references.named(old['when'])} was {was} and is {now_is}"


def _changed_trials(records: Records, registered: Mapping[str, Any]) -> Iterator[str]:
    """Yield clauses on how many registered trials this look lacks, and how many trials were added to
    registered variants.
    """
    if missing := _missing(records, registered):
        yield f"the plan leaves out {words.counted(len(missing), 'registered trial')}"
    if further := [*_not_registered(records, registered, known=True)]:
        yield f"the plan adds {words.counted(len(further), 'trial')} to registered variants"


def _missing(records: Records, registered: Mapping[str, Any]) -> set[str]:
    """The ids of the registered trials that the plan of this look lacks."""
    looks = _looks(records)
    plans = registered["trials"]
    place = looks.index(records.look["seeds"]) if records.look and looks == registered["looks"] else -1
    return set(plans[min(place, len(plans) - 1)]) - set(_planned_trials(records)["id"])


def additions(records: Records) -> str:
    """A sentence on claims and variants that were added after the registration; "" if there are none."""
    registered = records.registered
    if registered is None:
        return ""
    before = _stated(registered["published"], "claims")
    said = {claim["say"] for claim in before}
    claims = [claim for claim in _stated(records.published, "claims") if claim["say"] not in said]
    trials = [*_not_registered(records, registered, known=False)]
    parts = [words.counted(len(claims), "claim")] if claims else []
    parts += [f"{words.counted(len(trials), 'trial')} with other settings"] if trials else []
    return f" Added since, and exploratory: {words.joined(parts)}." if parts else ""


def _not_registered(records: Records, registered: Mapping[str, Any], *, known: bool) -> Iterator[str]:
    """The ids of trials that were not registered: if `known`, those of registered variants, and otherwise
    those of all other variants. A variant is registered if any of its trials is.
    """
    ids = _registered_ids(registered)
    for _, trials in _planned_trials(records).groupby("variant", observed=True):
        others = set(trials["id"]) - ids
        if (len(others) < len(trials)) is known:
            yield from others


def _registered_ids(registered: Mapping[str, Any]) -> set[str]:
    return {id for plan in registered["trials"] for id in plan}


def _planned_trials(records: Records) -> pd.DataFrame:
    """All trials of the plan. In a report's records, `trials` are only those at chosen values."""
    trials: pd.DataFrame = getattr(records, "tried", records.trials)
    return trials


def _stated(published: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The claims or the references that were published or registered, with all options of today."""
    return list(Published.from_json(published).model_dump(mode="json")[kind])


def _looks(records: Records) -> list[int]:
    return list(records.look["planned"]) if records.look else []


def claim_is_registered(records: Records, claim: Claim) -> bool:
    """Whether a claim was registered as it is now, with its trials, and the rules are unchanged. No verdict
    is registered while registered trials are left out, because the registration does not say whose they are.

    Its trials are those of both sides, at all depths if a side names its depth by a word such as deepest.
    """
    return _stands(records, "claims", claim, [claim.lower, claim.higher])


def number_is_registered(records: Records, reference: Reference) -> bool:
    """Whether a published number was registered as it is now, with its trials, and the rules are unchanged.

    Its trials are those that it is compared with.
    """
    return _stands(records, "references", reference, [reference.when])


def _stands(
    records: Records, kind: str, stated: Claim | Reference, sides: Sequence[Mapping[str, Any]]
) -> bool:
    registered = records.registered
    if registered is None or not _kept(records, registered):
        return False
    # Which depth a word such as deepest means is decided by the trials of all depths.
    used = {id for when in sides for id in references.matching(records, at_any_depth(when))["id"]}
    before = _stated(registered["published"], kind)
    return stated.model_dump(mode="json") in before and used <= _registered_ids(registered)


def _kept(records: Records, registered: Mapping[str, Any]) -> bool:
    """Whether the rules are those that were registered, and no registered trial is left out."""
    return rules() == registered["rules"] and not _missing(records, registered)


def is_registered(records: Records, variant: str | None) -> bool:
    """Whether all trials of a variant, or of every variant, were registered, none is left out, and the rules
    are unchanged.
    """
    if records.registered is None or not _kept(records, records.registered):
        return False
    trials = _planned_trials(records)
    own = trials if variant is None else trials[trials["variant"] == variant]
    return set(own["id"]) <= _registered_ids(records.registered)
