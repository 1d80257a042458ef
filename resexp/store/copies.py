"""Keeps copies of plugins in a results folder, so that its trials can be read even if the original plugins
have moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from resexp import durable
from resexp.catalog.plugin_imports import read_source
from resexp.catalog.plugins import Plugin
from resexp.errors import StoreError
from resexp.plan.trial import Trial
from resexp.store.layout import ExperimentFolder, TrialFolder


def keep(folder: ExperimentFolder, plugins: Iterable[Plugin]) -> None:
    """Copy plugins into the experiment's folder, with the modules that each imports from its own folder."""
    for plugin in plugins:
        durable.make_own_folder(folder.plugins)
        modules = folder.plugin_modules(plugin.sha256)
        copies = {modules / path: source for path, source in plugin.modules}
        for path, source in {**copies, folder.plugin(plugin.sha256): plugin.source}.items():
            durable.make_own_folder(path.parent)
            durable.write_atomic(path, source)


def copied_plugins(folder: TrialFolder, trial: Trial) -> tuple[Plugin, ...]:
    """The copies of a trial's plugins. Raises StoreError if one is missing or damaged."""
    plugins = []
    for sha256, name in trial.plugins.items():
        path = folder.experiment.plugin(sha256)
        try:
            modules = tuple(_modules(folder.experiment.plugin_modules(sha256)))
            plugin = Plugin(path, read_source(path), modules, path.with_suffix(""), name)
        except OSError as problem:
            raise StoreError(f"{path}: {problem.strerror}; run the experiment again with {name}") from None
        if plugin.sha256 != sha256:
            raise StoreError(f"{path}: is not the {name} that was used; run the experiment again with it")
        plugins.append(plugin)
    return tuple(plugins)


def readable(folder: ExperimentFolder, trials: Sequence[Trial]) -> dict[str, tuple[Plugin, ...]]:
    """The plugins of each trial that uses any, by the trial's id; () if one of the copies cannot be read."""
    read: dict[tuple[str, ...], tuple[Plugin, ...]] = {}
    for trial in trials:
        hashes = tuple(trial.plugins)
        if hashes and hashes not in read:
            try:
                read[hashes] = copied_plugins(folder.trial(trial), trial)
            except StoreError:
                read[hashes] = ()
    return {trial.id: read[tuple(trial.plugins)] for trial in trials if trial.plugins}


def _modules(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        yield path.relative_to(folder).as_posix(), read_source(path)
