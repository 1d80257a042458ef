"""Reads an experiment's plan: its trials, and the numbers that papers report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from resexp import durable
from resexp.config.published import Published
from resexp.errors import StoreError
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import PLAN_FORMAT, ExperimentFolder, TrialFolder


def planned(folder: ExperimentFolder, notes: list[str]) -> tuple[dict[str, Any], list[Trial]]:
    """The plan and its trials. If the plan is lost, {} and the trials that were started. What the reader of
    the results must know is added to `notes`.
    """
    try:
        plan = read(folder.plan)
    except (FileNotFoundError, durable.Damaged) as damage:
        notes.append(
            f"{folder.plan}: {damage}; only the trials that were started are shown, without published "
            "numbers. Run the experiment again to write a new plan"
        )
        documents = [read_or_empty(TrialFolder(path).trial) for path in sorted(folder.trials.glob("*"))]
        return {}, [Trial.from_json(document["trial"]) for document in documents if document]
    if configuration(folder, plan) is None:
        notes.append(f"{folder.config}: is not the configuration that was run")
    notes += plan.get("notes", ())
    return plan, [Trial.from_json(trial) for trial in plan["trials"]]


def configuration(folder: ExperimentFolder, plan: Mapping[str, Any]) -> str | None:
    """The text of the configuration that was run; None if the file is absent or has another text."""
    try:
        text = durable.read_bytes(folder.config)
    except OSError:
        return None
    same = hashlib.sha256(text).hexdigest() == plan.get("config_sha256")
    return text.decode(errors="replace") if same else None


def published(plan: Mapping[str, Any], folder: ExperimentFolder, notes: list[str]) -> dict[str, Any]:
    """What papers report, as JSON data of `config.published.Published`. {} if there is no plan, or if what it
    says is faulty. In the second case, a note is added.
    """
    data: dict[str, Any] = plan.get("published", {})
    try:
        Published.from_json(data)
    except ValueError as problem:
        reason = str(problem).splitlines()[0]
        notes.append(f"{folder.plan}: its published numbers cannot be read ({reason}); they are left out")
        return {}
    return data


def refuse_newer(folder: ExperimentFolder) -> dict[str, Any]:
    """The plan, or {} if it cannot be read. Its fields are not checked. Raises StoreError if its format is
    newer than this version knows.
    """
    try:
        plan = durable.read_document(folder.plan)
    except (OSError, durable.Damaged):
        return {}
    version = plan.get("format")
    if isinstance(version, int) and version > PLAN_FORMAT:
        raise StoreError(
            f"{folder.plan}: written by a newer resexp (format {version}, this one knows {PLAN_FORMAT}); "
            "upgrade resexp, or choose another name"
        )
    return plan
