"""Compares a new plan with an experiment's folder: which trials are trained again and why, and which trials
the plan leaves out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.plan import numerics
from resexp.plan.trial import Trial
from resexp.store.documents import read_or_empty
from resexp.store.layout import ExperimentFolder, TrialFolder
from resexp.store.planned import refuse_newer
from resexp.store.registration import registration
from resexp.text import counted

BACK = "They are kept: `resexp run` with the configuration and overrides that planned them brings them back."
"""How to get trials back that a new plan set aside. It is not enough to leave out the overrides of the new
command, because the command that planned them may have had overrides, too.
"""


def earlier_plan(folder: ExperimentFolder, trials: Sequence[Trial]) -> dict[str, Any]:
    """The plan in the folder. {} if it has the same trials as the new plan and has set none aside, or if it
    cannot be read. Raises StoreError if its format is newer than this version knows.
    """
    plan = refuse_newer(folder)
    old = plan.get("trials")
    known = [t.get("id") for t in old if isinstance(t, dict)] if isinstance(old, list) else []
    same = known == [trial.id for trial in trials] and not plan.get("aside")
    return {} if same else read_or_empty(folder.plan)


def compared(
    folder: ExperimentFolder, trials: Sequence[Trial], pending: Sequence[Trial], before: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """What the user must know of a new plan: sentences on why trials are trained again, on registered trials
    that the plan lacks, and on trials that it leaves out. Also returns the ids of those that it leaves out.

    `pending` are those of `trials` that have no result. `before` is what `earlier_plan` returns.
    """
    aside = set_aside(before, trials)
    sentences = [*reasons(folder, trials, pending), *unregistered(folder, trials)]
    return [*sentences, *([warning(folder, trials, aside)] if aside else [])], aside


def reasons(folder: ExperimentFolder, trials: Sequence[Trial], pending: Sequence[Trial]) -> list[str]:
    """Why trials are trained again although finished trials have the same settings: one sentence for each
    reason. `pending` are those of `trials` that have no result.
    """
    if not pending:
        return []
    known = {trial.id for trial in trials}
    twins = {_text(_completed(old.settings)): old for old in _finished_others(folder, known)}
    counts = Counter(
        reason
        for trial in pending
        if (old := twins.get(_text(trial.settings)))
        for reason in _why(old, trial)
    )
    total = counted(len(trials), "trial")
    return [f"{why}: {n} of {total} {'is' if n == 1 else 'are'} trained again." for why, n in counts.items()]


def _finished_others(folder: ExperimentFolder, known: set[str]) -> Iterable[Trial]:
    """The trials with a result whose ids are not in `known`."""
    for id, paths in folder.by_id.items():
        for trial_folder in map(TrialFolder, paths if id not in known else ()):
            document = read_or_empty(trial_folder.trial)
            if document and trial_folder.result.exists():
                yield Trial.from_json(document["trial"])


def _why(old: Trial, new: Trial) -> list[str]:
    """Why two trials with the same settings have different ids."""
    if names := numerics.changed_parts(old.numerics, new.numerics):
        return [f"this version computes other numbers for {' and '.join(names)}"]
    if changed := old.plugins.keys() ^ new.plugins.keys():
        files = {{**old.plugins, **new.plugins}[sha256] for sha256 in changed}
        return [f"the code of {' and '.join(sorted(files))} changed"]
    if not old.data:
        return ["the data changed, or the default of an option did"]
    return ["the data changed" if old.data != new.data else "the default of an option changed"]


def set_aside(before: Mapping[str, Any], trials: Sequence[Trial]) -> list[str]:
    """The ids of trials that the plan `before` contained or had set aside, and that are not in `trials`.

    The list does not have those trials of the plan that were replaced: one of `trials` has their settings.
    """
    new = {trial.id for trial in trials}
    earlier = [trial for trial in before.get("trials", ()) if trial["id"] not in new]
    if earlier:
        settings = {_text(trial.settings) for trial in trials}
        earlier = [t for t in earlier if _text(_completed(Trial.from_json(t).settings)) not in settings]
    ids = [*before.get("aside", ()), *(trial["id"] for trial in earlier)]
    return list(dict.fromkeys(id for id in ids if id not in new))


def unregistered(folder: ExperimentFolder, trials: Sequence[Trial]) -> list[str]:
    """A sentence if the experiment is registered, and the plan lacks trials of the first registered look."""
    registered, _ = registration(folder)
    first = set(registered["trials"][0]) if registered else set()
    missing = len(first - {trial.id for trial in trials})
    if not missing:
        return []
    lacks = f"This plan lacks {missing} of the {counted(len(first), 'registered trial')}"
    return [f"{lacks}, for example because of an override. Without them, no verdict counts as registered."]


def warning(folder: ExperimentFolder, trials: Sequence[Trial], aside: Sequence[str]) -> str:
    """The sentences for the user on the trials that the new plan leaves out. `aside` has their ids."""
    done = sum(TrialFolder(path).result.exists() for id in aside for path in folder.by_id.get(id, ()))
    others = f"{counted(len(aside), 'other')} ({done} finished) left aside, which `report` does not show"
    return f"This plan covers {counted(len(trials), 'trial')}, with {others}. {BACK}"


def _completed(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stored settings, with the defaults of options that did not exist yet when they were stored. Settings
    with parts of plugins, or with parts that no longer exist, are returned unchanged.
    """
    try:
        return parse_settings(settings).model_dump(mode="json")
    except ConfigError:
        return settings


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
