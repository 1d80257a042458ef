"""Unpacks a packed experiment. If the results folder has it already, only finished trials are added."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from resexp import durable
from resexp.errors import DataError
from resexp.store.archive import Archive, Manifest, opened
from resexp.store.documents import read, read_or_empty
from resexp.store.experiment_lock import explained, hold
from resexp.store.layout import ExperimentFolder, TrialFolder, state_of
from resexp.store.planned import refuse_newer
from resexp.store.reported import add_reported


@dataclass(frozen=True)
class Unpacked:
    """What `unpack` did.

    folder: the experiment's folder. added: the number of trials put into it. kept: how many trials of the
    archive were finished there already. left: how many were not added, because they are unfinished and the
    experiment was there already. unequal: how many of the kept ones have another train or test error in the
    archive, as after training on another processor. probed: to how many of the kept ones readings of `resexp
    probe` were added. unread: how many of the kept ones have other readings in the archive, which were not.
    """

    folder: Path
    added: int
    kept: int
    left: int
    unequal: int = 0
    probed: int = 0
    unread: int = 0


def unpack(file: Path, results: Path) -> Unpacked:
    """Unpack `file` into `results`. Nothing is put in place before every hash has been checked.

    If the experiment is there already, this adds the trials that are finished in `file` and not yet finished
    there. The plan there must contain them. They replace unfinished attempts at these trials. Runs, plugins
    and the list of reported plans are added to. If a finished trial there has no readings of `resexp probe`,
    and `file` has some of the same training, they are added. All other files there stay as they are.

    Raises:
        BusyError: another process runs the experiment.
        DataError: the file is damaged or hostile, or its experiment differs from the one that is there.
        StoreError: the results folder cannot be written.
    """
    with explained(file), opened(file) as archive:
        manifest = archive.manifest()
        with hold(results, manifest.experiment) as held, explained(held.folder.path):
            refuse_newer(held.folder)
            staged = ExperimentFolder(held.folder.unpacking)
            _remove(staged.path)
            try:
                _extract(archive, manifest, staged.path, file)
                return _placed(staged, held.folder, file)
            finally:
                _remove(staged.path)


def _extract(archive: Archive, manifest: Manifest, into: Path, file: Path) -> None:
    into.mkdir()
    free = shutil.disk_usage(into).free
    if manifest.size > free:
        raise DataError(
            f"{file}: needs {manifest.size:,} bytes, but only {free:,} are free; make room in {into.parent}"
        )
    for entry, blocks in archive.contents(manifest):
        path = into / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            for block in blocks:
                durable.write_all(fd, block)
            os.fsync(fd)
        finally:
            os.close(fd)


def _placed(staged: ExperimentFolder, folder: ExperimentFolder, file: Path) -> Unpacked:
    here = folder.plan.exists()
    trials = _trials(staged)
    finished = {id: _finished(TrialFolder(path), id) for id, path in trials.items()}
    theirs = _planned(staged, file)
    if here:
        _check_same(staged, folder, [id for id, done in finished.items() if done], theirs, file)
    registered = _bytes(folder.registered)
    if (here or registered) and registered != _bytes(staged.registered):
        raise _refused(file, f"does not have the same registration as {folder.path}")
    known = {id: [p for p in paths if _finished(TrialFolder(p), id)] for id, paths in folder.by_id.items()}
    kept = [id for id in trials if known.get(id)]
    added = [id for id in trials if id not in kept and (finished[id] or not here)]
    durable.make_own_folder(folder.trials)
    _add(staged.runs, folder.runs)
    _add(staged.plugins, folder.plugins)
    for id in added:
        for number, old in enumerate(folder.by_id.get(id, ())):
            old.rename(staged.path / f"old-{id}-{number}")
        trials[id].rename(folder.trials / trials[id].name)
    durable.sync(folder.trials)
    add_reported(folder, staged)
    if not here:
        for name in (folder.environment, folder.registered, folder.config, folder.plan):
            if (new := staged.path / name.name).exists() and not name.exists():
                new.rename(name)
    durable.sync(folder.path)
    left = len(trials) - len(added) - len(kept)
    unequal = [id for id in kept if finished[id] and _errors(trials[id]) != _errors(known[id][0])]
    probed, unread = _add_readings([(trials[id], known[id][0]) for id in kept if finished[id]])
    return Unpacked(folder.path, len(added), len(kept), left, len(unequal), probed, unread)


def _trials(staged: ExperimentFolder) -> dict[str, Path]:
    """The staged folder of each trial, by its id. If a renamed trial has two, a finished one is taken."""
    return {
        id: next((path for path in paths if _finished(TrialFolder(path), id)), paths[0])
        for id, paths in staged.by_id.items()
    }


def _finished(folder: TrialFolder, id: str) -> bool:
    return folder.result.exists() and state_of(folder, id, None).finished


def _errors(path: Path) -> list[object]:
    """A finished trial's status, train error and test error."""
    result = read_or_empty(TrialFolder(path).result)
    return [result.get(name) for name in ("status", "train_error", "test_error")]


def _add_readings(pairs: Iterable[tuple[Path, Path]]) -> tuple[int, int]:
    """Move the readings of `resexp probe` from each first folder into the second one, unless that has some.
    Both are of one finished trial. Returns how many were moved, and how many others were not.

    Readings are of one training, so nothing is done if the two folders have different results.
    """
    moved = others = 0
    for new, old in ((TrialFolder(new), TrialFolder(old)) for new, old in pairs):
        there, here = _bytes(new.later_probes), _bytes(old.later_probes)
        if not there or there == here or _bytes(new.result) != _bytes(old.result):
            continue
        if here:
            others += 1
            continue
        new.later_probes.rename(old.later_probes)
        durable.sync(old.path)
        moved += 1
    return moved, others


def _planned(folder: ExperimentFolder, file: Path) -> set[str]:
    """The ids of the trials in a folder's plan. Raises DataError if the plan is damaged."""
    try:
        return {trial["id"] for trial in read(folder.plan)["trials"]}
    except (OSError, durable.Damaged) as damage:
        raise _refused(file, f"cannot be unpacked, because a plan is damaged: {damage}") from None


def _check_same(
    staged: ExperimentFolder, folder: ExperimentFolder, finished: Iterable[str], theirs: set[str], file: Path
) -> None:
    """Raises DataError if the plan in `folder` lacks a finished trial of the `staged` (unpacked) experiment,
    if it is damaged, or if an old version ran the staged experiment. `theirs` are the ids of the staged plan.
    """
    ours = _planned(folder, file)
    if other := [id for id in finished if id not in ours]:
        names = ", ".join(staged.by_id[id][0].name for id in other[:3]) + (", ..." if len(other) > 3 else "")
        raise _refused(
            file,
            f"has {len(other)} finished trials that the plan in {folder.path} lacks ({names}). Settings, "
            f"data or versions differ: {len(theirs & ours)} of {len(theirs)} planned trials are the same",
        )
    if staged.environment.exists():
        raise _refused(file, f"was run by an old version, whose trials cannot be added to {folder.path}")


def _add(source: Path, target: Path) -> None:
    """Move every entry of `source` into `target`, unless `target` has an entry of the same name. The names
    are hashes or random, so that equal names mean equal contents.
    """
    if source.exists():
        durable.make_own_folder(target)
        for path in sorted(source.glob("*")):
            if not (target / path.name).exists():
                path.rename(target / path.name)
        durable.sync(target)


def _bytes(file: Path) -> bytes:
    return durable.read_bytes(file) if file.exists() else b""


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _refused(file: Path, why: str) -> DataError:
    return DataError(f"{file}: {why}; nothing was changed. Unpack into another folder with --results")
