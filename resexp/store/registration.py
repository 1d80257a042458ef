"""Registration of an experiment before it runs: trials, claims, margins and stopping rule, with a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.errors import StoreError
from resexp.store.documents import read
from resexp.store.layout import ExperimentFolder, TrialFolder
from resexp.store.lock import explained, hold

REGISTRATION_FORMAT = 1


def register(results: Path, name: str, registered: Mapping[str, Any]) -> tuple[Path, str]:
    """Write a registration into an experiment's folder; returns the file and the hash of its content.

    Raises:
        BusyError: another process runs the experiment.
        StoreError: some of its trials have results already, or the folder cannot be written.
    """
    with hold(results, name) as held, explained(held.folder.path):
        done = [path for path in held.folder.trials.glob("*") if TrialFolder(path).result.exists()]
        if done:
            raise StoreError(
                f"{held.folder.path}: {len(done)} of its trials have results already, and what is "
                "registered after them predicts nothing; give the experiment another name"
            )
        content = {"format": REGISTRATION_FORMAT, **registered}
        durable.write_document(held.folder.registered, {**content, "sha256": digest(content)})
    return held.folder.registered, digest(content)


def registration(folder: ExperimentFolder, notes: list[str]) -> dict[str, Any] | None:
    """The registration; None if there is none or if it is damaged, which `notes` say."""
    try:
        document = read(folder.registered)
    except FileNotFoundError:
        return None
    except (OSError, durable.Damaged) as damage:
        notes.append(f"{folder.registered}: {damage}; no verdict counts as registered")
        return None
    if digest({key: value for key, value in document.items() if key != "sha256"}) != document["sha256"]:
        notes.append(f"{folder.registered}: is not what its hash says; no verdict counts as registered")
        return None
    return document


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of plain JSON data, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
