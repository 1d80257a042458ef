"""Makes settings from stored JSON data, and reads the texts of `--only`, `--probe` and `--launcher`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resexp.catalog.plugins import Plugin
from resexp.catalog.scan import suggest, suggest_kind
from resexp.config import yaml_text
from resexp.config.fields import plugins_of
from resexp.config.frozen import expand
from resexp.config.overlays import command_line
from resexp.config.problems import COMMAND_LINE, Draft, refuse
from resexp.config.settings import LauncherConfig, ProbeConfig, Settings, models
from resexp.errors import ConfigError
from resexp.options import accepts


def parse_settings(mapping: Mapping[str, Any], plugins: tuple[Plugin, ...] = ()) -> Settings:
    """The settings of a trial, from plain JSON data. Raises ConfigError with all problems."""
    draft = Draft("settings", {}, plugins=plugins)
    settings = draft.validate(Settings, _with_tuples(mapping), lambda key: key)
    if settings is None:
        raise refuse(draft.problems, draft.file)
    return settings


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """A copy of the settings in which some dotted keys have other values: {"training.epochs": 3}. Raises
    ConfigError.
    """
    data = settings.model_dump(mode="json")
    for key, value in changes.items():
        *path, last = key.split(".")
        part = data
        for name in path:
            part = part[name]
        part[last] = value
    return parse_settings(data, plugins_of(settings))


def parse_conditions(texts: Sequence[str], plugins: tuple[Plugin, ...] = ()) -> dict[str, tuple[Any, ...]]:
    """The values of each dotted key in texts of the option `--only`, such as "model.depth=8,20".

    Raises ConfigError.
    """
    draft = Draft(COMMAND_LINE, {}, plugins=plugins)
    conditions = command_line(texts, draft)
    if "name" in conditions:
        draft.wrong(None, "name", "is the same for all trials", "give a key of the sweep")
    if draft.problems:
        raise refuse(draft.problems, draft.file)
    return conditions


def parse_probes(texts: Sequence[str], plugins: tuple[Plugin, ...] = ()) -> list[ProbeConfig]:
    """The probes that the texts of `--probe` describe, each by its kind or by a YAML mapping of kind and
    options. They measure at the end of training. Raises ConfigError.
    """
    draft = Draft(COMMAND_LINE, {}, plugins=plugins)
    kinds = models("probe", plugins)
    probes: list[ProbeConfig] = []
    for text in texts:
        try:
            document = yaml_text.parse(text, COMMAND_LINE)
        except ConfigError as error:
            draft.problems += error.problems
            continue
        draft.problems += document.problems
        part = expand(document.value)
        kind = part.get("kind") if isinstance(part, Mapping) else None
        if not isinstance(kind, str) or kind not in kinds:
            draft.wrong(None, "--probe", f"there is no probe {text!r}", suggest_kind(str(kind or ""), kinds))
        elif "at" in part:
            draft.wrong(None, "--probe", "has `at`", "remove it: a trial is measured at its end")
        else:
            probe = draft.validate(kinds[kind], {**part, "at": (1.0,)}, lambda key: None)
            if isinstance(probe, ProbeConfig) and probe.name in {each.name for each in probes}:
                wrong = f"{probe.name} is given twice"
                draft.wrong(None, "--probe", wrong, "keep one: a report would average both")
            probes += [probe] if isinstance(probe, ProbeConfig) else []
    if not texts:
        draft.wrong(None, "--probe", "is missing", f"give one of {', '.join(kinds)}")
    if draft.problems:
        raise refuse(draft.problems, COMMAND_LINE)
    return probes


def parse_launcher(kind: str, texts: Sequence[str], plugins: tuple[Plugin, ...]) -> LauncherConfig:
    """The launcher of this kind, with the options in texts such as "partition=gpu". Raises ConfigError."""
    draft = Draft(COMMAND_LINE, {}, plugins=plugins)
    kinds = models("launcher", plugins)
    if kind not in kinds:
        draft.wrong(None, "--launcher", f"there is no {kind!r}", suggest_kind(kind, kinds))
        raise refuse(draft.problems, COMMAND_LINE)
    known = kinds[kind].info.options
    options: dict[str, Any] = {"kind": kind}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            draft.wrong(None, f"--set {text}", "has no =", "write --set key=value")
        elif key not in known:
            draft.wrong(None, f"--set {key}", f"is not an option of {kind}", suggest(key, known))
        elif key in options:
            draft.wrong(None, f"--set {key}", "is given twice", "give it once")
        elif accepts(known[key].annotation, value):  # text, such as 4:00:00, which YAML takes for a number
            options[key] = value
        else:
            document = yaml_text.parse(value, COMMAND_LINE)
            draft.problems += document.problems
            options[key] = _with_tuples(document.value)
    config = draft.validate(kinds[kind], options, lambda key: None)
    if draft.problems or not isinstance(config, LauncherConfig):
        raise refuse(draft.problems, COMMAND_LINE)
    return config


def _with_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value
