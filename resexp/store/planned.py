"""The plan of an experiment, read back: its trials, and what papers report of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from resexp import durable
from resexp.config.published import Published
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import ExperimentFolder, TrialFolder


def planned(folder: ExperimentFolder, notes: list[str]) -> tuple[dict[str, Any], list[Trial]]:
    """The plan, and its trials; a lost plan is made up for by what the trials say."""
    try:
        plan = read(folder.plan)
    except (FileNotFoundError, durable.Damaged) as damage:
        notes.append(
            f"{folder.plan}: {damage}; only the trials that were started are shown, without references. "
            "Running the experiment again writes it anew"
        )
        found = [read_or_empty(TrialFolder(path).trial) for path in sorted(folder.trials.glob("*"))]
        return {}, [Trial.from_json(document["trial"]) for document in found if document]
    try:
        digest = hashlib.sha256(durable.read_bytes(folder.config)).hexdigest()
    except OSError:
        digest = None
    if digest != plan["config_sha256"]:
        notes.append(f"{folder.config}: is not the configuration that was run")
    notes += plan.get("notes", ())
    return plan, [Trial.from_json(trial) for trial in plan["trials"]]


def published(plan: Mapping[str, Any], folder: ExperimentFolder, notes: list[str]) -> dict[str, Any]:
    """What papers report of the experiment, as `published.Published` has it in JSON; {} without a plan."""
    found: dict[str, Any] = plan.get("published") or {"references": plan.get("references", [])}
    try:
        Published.from_json(found)
    except ValueError as problem:
        told = str(problem).splitlines()[0]
        notes.append(f"{folder.plan}: what is published cannot be read ({told}); it is left out")
        return {}
    return found if plan else {}
