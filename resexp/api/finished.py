"""Reads the results of experiments, opens trained networks, and measures them with further probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from resexp.api.arguments import checked
from resexp.api.training import RESULTS
from resexp.errors import NoExperimentError, TrialError
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.config.settings import Settings
    from resexp.data.base import Progress
    from resexp.data.cache import Survey
    from resexp.data.opening import Data
    from resexp.models.base import Network
    from resexp.report.archive import Archive
    from resexp.store import Finished, Records


@checked
def probe(
    name: str | Path | None,
    probes: Sequence[str],
    *,
    plugins: Sequence[str | Path] = (),
    root: str | Path = RESULTS,
    device: str = "auto",
    threads: int = 1,
    trust: bool = False,
    progress: Progress | None = None,
) -> int:
    """Measure the trained networks of an experiment's finished trials. Returns the number of networks.

    `name` is as in `results`. `probes` are kinds, or mappings in YAML: "lesion", "{kind: lesion, draws: 5}".
    The readings appear in `results(name).probes` with `at` 1. They replace earlier readings that have the
    same kind and `at` 1. `plugins` are files with probes of your own. The copies of plugins in the results
    folder are run only with `trust`, or if you have given the same plugins to this or an earlier command.

    Raises:
        ConfigError: there is no such probe, option or device, this machine lacks what a probe needs, or a
            plugin in the folder is not trusted.
        NoExperimentError: there is no such experiment, or none of its trials is done.
        BusyError: another process runs this experiment.
        DataError: the data have changed since the trials were trained.
        StoreError: a checkpoint is missing or does not fit its trial, or the folder cannot be written.
        TrialError: a probe failed on some networks. All other measurements are saved.
    """
    from resexp.catalog import trusted
    from resexp.catalog.plugins import blaming
    from resexp.config.load import read_plugins
    from resexp.config.parse import parse_probes
    from resexp.data.cache import Survey
    from resexp.machine.devices import device_slots
    from resexp.plan.compatible import check_machine
    from resexp.store import find, finished, hold
    from resexp.training.finished import measure

    folder = find(name, Path(root)).resolve()
    given = read_plugins(plugins)
    configs = parse_probes(probes, given)
    check_machine(configs)
    asked = {each.name: each.model_dump(mode="json", exclude={"kind", "at", "of"}) for each in configs}
    code_of = {each.name: each.info.plugin.sha256 for each in configs if each.info.plugin}
    torch_device = device_slots(device, threads)[0]
    survey = Survey(progress)
    with hold(folder.parent, folder.name):
        trained = finished(folder)
        if not trained:
            raise NoExperimentError(f"{folder}: none of its trials is done; `resexp run` trains them")
        copies = [one.plugins() for one in trained]
        if not trust:
            trusted.check([plugin for each in copies for plugin in each], given)
        trusted.remember(given)
        parsed = [_settings(one, code, survey) for one, code in zip(trained, copies, strict=True)]
        failures: dict[tuple[str, str], list[str]] = {}
        for count, (one, code, settings) in enumerate(zip(trained, copies, parsed, strict=True)):
            if progress is not None:
                progress("probing", count, len(trained))
            data = survey.prepare(settings.data)
            with blaming([*given, *code]):
                rows, failed = measure(
                    settings, one.checkpoint(), configs, torch_device, threads, checked=data
                )
            measured = {kind: options for kind, options in asked.items() if kind not in failed}
            one.add(rows, measured, {kind: code_of[kind] for kind in measured if kind in code_of})
            for failure in failed.items():
                failures.setdefault(failure, []).append(one.trial.name)
    if failures:
        raise TrialError("\n".join(_failures(failures, len(trained))))
    return len(trained)


def _settings(one: Finished, plugins: tuple[Plugin, ...], survey: Survey) -> Settings:
    """A finished trial's settings. Raises an error if its parts or its data are not those that it had."""
    from resexp.config.parse import parse_settings
    from resexp.training.finished import check_unchanged

    settings = parse_settings(one.trial.settings, plugins)
    check_unchanged(one.trial, plugins, survey.facts(settings.data).fingerprint, one.folder.path)
    return settings


def _failures(failures: Mapping[tuple[str, str], Sequence[str]], networks: int) -> Iterator[str]:
    """For each kind of probe and cause of failure, a line that counts the networks and names the first."""
    for (kind, why), names in failures.items():
        where = f"{len(names)} of {networks} networks, {names[0]} first" if networks > 1 else names[0]
        yield clean(f"{kind} failed on {where}: {why}; earlier rows of {kind} are unchanged there")


@checked
def archive(name: str | Path, root: str | Path = RESULTS) -> Archive:
    """A published experiment as frames: `.trials`, `.metrics`, `.probes`, and its report as plain data.

    `name` is a report in the gallery below `root`, such as "he2016_shortcuts", or the path of its folder.

    Raises:
        NoExperimentError: there is no such report.
        StoreError: one of its files cannot be read.
    """
    from resexp.report.archive import read
    from resexp.store import PUBLISHED

    return read(Path(name) if Path(name).is_dir() else Path(root) / PUBLISHED / name)


@checked
def results(name: str | Path | None = None, root: str | Path = RESULTS) -> Records:
    """An experiment's results as pandas frames: `.trials`, `.metrics`, `.probes`.

    `name` is an experiment in the folder `root`, or the path of its folder. Without a name, the most recently
    run experiment is read.

    Raises:
        NoExperimentError: there is no such experiment.
    """
    from resexp.store import find, read

    return read(find(name, Path(root)))


@checked
def open_trial(
    name: str | Path | None, trial: str, root: str | Path = RESULTS, *, trust: bool = False
) -> tuple[Network, Data]:
    """A trained network on the CPU, in eval mode, and the data that it was trained and tested on.

    If the trial trained a generator of images, the network is the one whose images were evaluated: the
    average of the generator over the steps. If it trained a policy, the network takes the environment's own
    observations, and scales them if training did.

    `trial` is a trial's name or id, as `status` shows them. `data.test.batch(torch.arange(9))` returns the
    inputs of the first nine test examples, as the network takes them, and their targets.

    `name` and `root` are as in `results`. The copies of plugins in the results folder are run only with
    `trust`, or if you have given the same plugins to an earlier command.

    Raises:
        ConfigError: a plugin in the folder is not trusted, or the trial's model is no network.
        NoExperimentError: there is no such experiment, or no finished trial of that name or id.
        DataError: the data have changed since the trial was trained.
        StoreError: its checkpoint is missing or does not fit the trial.
    """
    from resexp.catalog import trusted
    from resexp.catalog.scan import part_class, suggest
    from resexp.data.cache import Survey
    from resexp.errors import ConfigError
    from resexp.store import find, finished
    from resexp.training.finished import trained_run

    folder = find(name, Path(root)).resolve()
    known = {key: one for one in finished(folder) for key in (one.trial.id, one.trial.name)}
    if trial not in known:
        names = [key for key, one in known.items() if key == one.trial.name]
        raise NoExperimentError(f"{folder}: no finished trial {trial!r}; {suggest(trial, names)}")
    one, survey = known[trial], Survey(None)
    code = one.plugins()
    if not trust:
        trusted.check(code, ())
    settings = _settings(one, code, survey)
    if part_class(settings.model.info).network is None:
        wrong = f"{one.trial.name} trained {settings.model.kind}, which is no network"
        raise ConfigError.of(f"resexp.api.{open_trial.__name__}", "trial", wrong, "name a trial of a network")
    plain = settings.training.model_copy(update={"compile": False})
    settings = settings.model_copy(update={"training": plain})
    run = trained_run(settings, one.checkpoint(), "cpu", survey.prepare(settings.data))
    return cast("Network", run.opened()), run.data
