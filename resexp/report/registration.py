"""What was registered before the first result, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from resexp.report import failed_seeds, statistics, words

if TYPE_CHECKING:
    from resexp.config.published import Claim
    from resexp.store import Records


def rules() -> dict[str, float]:
    """The numbers that verdicts rest on, by what they are called in a report."""
    return {
        "the level of intervals": statistics.LEVEL,
        "the least gap called degradation": statistics.MARGIN,
        "the fewest seeds that decide": statistics.LEAST,
        "the share of chance above which a seed has failed": failed_seeds.HALF,
        "the gap that sets failed seeds apart": failed_seeds.APART,
        "the least share of chance between failed and trained seeds": failed_seeds.LEAST_GAP,
    }


def changes(records: Records) -> list[str]:
    """What differs from what was registered, in sentences without an end; [] where nothing does."""
    registered = records.registered
    return [] if registered is None else [*_changes(records, registered)]


def _changes(records: Records, registered: Mapping[str, Any]) -> Iterator[str]:
    now = rules()
    for name, value in registered["rules"].items():
        if now.get(name) != value:
            yield f"{name} was {value:g} and is {now.get(name, float('nan')):g}"
    claims = {claim["say"]: claim for claim in records.published.get("claims", ())}
    for old in registered["published"].get("claims", ()):
        new = claims.get(old["say"])
        if new is None:
            yield f"the claim “{old['say']}” was dropped"
        else:
            for key in old.keys() | new.keys():
                if old.get(key) != new.get(key):
                    yield f"of the claim “{old['say']}”, {key} was {old.get(key)} and is {new.get(key)}"
    if records.published.get("references", []) != registered["published"].get("references", []):
        yield "published numbers, or their tolerances, are others"
    looks = list(records.look["planned"]) if records.look else []
    if looks != registered["looks"]:
        yield f"seeds were to be added at {_looks(registered['looks'])} and are at {_looks(looks)}"
    missing = set(registered["trials"]) - set(records.trials["id"])
    if missing and not looks:
        yield f"{words.counted(len(missing), 'registered trial')} left out"


def _looks(planned: list[int]) -> str:
    return ", ".join(map(str, planned)) + " seeds" if planned else "no look"


def claim_is_registered(records: Records, claim: Claim) -> bool:
    """Whether a claim stands as it was registered."""
    registered = records.registered
    stands = registered is not None and claim.model_dump(mode="json") in registered["published"]["claims"]
    return stands and rules() == registered["rules"] if registered else False


def variant_is_registered(records: Records, variant: str) -> bool:
    """Whether all trials of a variant were registered, and the rules that judge them stand as they were."""
    if records.registered is None or rules() != records.registered["rules"]:
        return False
    trials = records.trials
    return set(trials.loc[trials["variant"] == variant, "id"]) <= set(records.registered["trials"])
