"""Writes and reads an experiment's registration. `resexp register` writes it before the experiment runs:
trials, claims, margins and stopping rule, with a hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.config.published import Published
from resexp.errors import ConfigError
from resexp.store.documents import read
from resexp.store.experiment_lock import explained, hold
from resexp.store.layout import ExperimentFolder, TrialFolder, rows_of

REGISTRATION_FORMAT = 1


def register(results: Path, name: str, registered: Mapping[str, Any]) -> tuple[Path, str, str]:
    """Write a registration into an experiment's folder. Returns the file, the hash of its content, and what
    the file says of a registration that it replaces, or "". If only the date differs from that of a
    registration that is there already, the latter stays.

    Raises:
        BusyError: another process runs the experiment.
        ConfigError: some of the experiment's trials have been trained already, at least in part.
        StoreError: the folder cannot be written.
    """
    with hold(results, name) as held, explained(held.folder.path):
        folders = map(TrialFolder, held.folder.trials.glob("*"))
        trained = [each for each in folders if each.result.exists() or any(rows_of(each).values())]
        if trained:
            wrong = (
                f"{len(trained)} of its trials have been trained already, at least in part, and what is "
                "registered after that is not a prediction"
            )
            raise ConfigError.of(str(held.folder.path), "", wrong, "give the experiment another name")
        earlier, unusable = registration(held.folder)
        content = {"format": REGISTRATION_FORMAT, **registered}
        if earlier and {**earlier, **content, "date": earlier["date"]} == earlier:
            return held.folder.registered, earlier["sha256"], ""
        replaced = f"SHA-256 {earlier['sha256']}" if earlier else unusable
        if replaced:
            content["replaces"] = replaced
        durable.write_document(held.folder.registered, {**content, "sha256": digest(content)})
    return held.folder.registered, digest(content), replaced


def registration(folder: ExperimentFolder) -> tuple[dict[str, Any] | None, str]:
    """The registration and "". If it cannot be used, None and the reason. If there is none, None and ""."""
    try:
        document = read(folder.registered)
    except FileNotFoundError:
        return None, ""
    except (OSError, durable.Damaged) as damage:
        return None, f"{folder.registered}: {damage}"
    if document["format"] > REGISTRATION_FORMAT:
        return None, f"{folder.registered}: was written by a newer resexp; upgrade to read it"
    if digest({key: value for key, value in document.items() if key != "sha256"}) != document["sha256"]:
        return None, f"{folder.registered}: does not match its hash, so it was changed after it was written"
    try:
        Published.from_json(document["published"])
    except ValueError as problem:
        return None, f"{folder.registered}: its claims cannot be read ({str(problem).splitlines()[0]})"
    return document, ""


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of plain JSON data, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
