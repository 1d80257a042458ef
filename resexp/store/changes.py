"""A new plan beside what the folder holds: why trials are trained again, and which are left aside."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resexp.plan import numerics
from resexp.plan.trial import Trial
from resexp.store.documents import read_or_empty
from resexp.store.layout import ExperimentFolder, TrialFolder


def reasons(folder: ExperimentFolder, trials: Sequence[Trial], pending: Sequence[Trial]) -> list[str]:
    """Why trials that are pending have a finished twin of the same settings, a sentence for each reason."""
    if not pending:
        return []
    known = {trial.id for trial in trials}
    twins = {_text(old.settings): old for old in _finished_others(folder, known)}
    found = Counter(
        reason
        for trial in pending
        if (old := twins.get(_text(trial.settings)))
        for reason in _why(old, trial)
    )
    total = counted(len(trials))
    return [f"{why}: {n} of {total} {'is' if n == 1 else 'are'} trained again." for why, n in found.items()]


def _finished_others(folder: ExperimentFolder, known: set[str]) -> Iterable[Trial]:
    for id, paths in folder.by_id.items():
        for place in map(TrialFolder, paths if id not in known else ()):
            document = read_or_empty(place.trial)
            if document and place.result.exists():
                yield Trial.from_json(document["trial"])


def _why(old: Trial, new: Trial) -> list[str]:
    if names := numerics.changed(old.numerics, new.numerics):
        return [f"{' and '.join(names)}'s numbers changed"]
    if set(old.plugins) != set(new.plugins):
        return [f"the code of {' and '.join(sorted(set(new.plugins.values())))} changed"]
    if not old.data:
        return ["the data changed, or the default of an option did"]
    return ["the data changed" if old.data != new.data else "the default of an option changed"]


def set_aside(before: Mapping[str, Any], trials: Sequence[Trial]) -> list[str]:
    """The ids of the trials that the plan on disk shows, or had set aside, and that the new one leaves out.

    One that has a successor of the same settings is not left out.
    """
    new = {trial.id for trial in trials}
    earlier = [trial for trial in before.get("trials", ()) if trial["id"] not in new]
    if earlier:
        settings = {_text(trial.settings) for trial in trials}
        earlier = [t for t in earlier if _text(Trial.from_json(t).settings) not in settings]
    found = [*before.get("aside", ()), *(trial["id"] for trial in earlier)]
    return list(dict.fromkeys(id for id in found if id not in new))


def warning(
    folder: ExperimentFolder, trials: Sequence[Trial], aside: Sequence[str], overrides: Sequence[str]
) -> str:
    """What is to be told of trials that are set aside."""
    ended = sum(TrialFolder(path).result.exists() for id in aside for path in folder.by_id.get(id, ()))
    others = f"{counted(len(aside), 'other')} ({ended} finished) left aside, which `report` does not show"
    return f"This plan covers {counted(len(trials))}, with {others}. {back(overrides)}"


def back(overrides: Sequence[str]) -> str:
    """How trials that were set aside come back."""
    if not overrides:
        return "They are kept, and come back with the configuration as it was."
    return f"They are kept: `resexp run` without {shlex.join(overrides)} brings them back."


def counted(n: int, noun: str = "trial") -> str:
    """`1 trial`, `12 trials`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
