"""Reads a configuration file and the `key=value` overrides of a command into an Experiment, or reports all
problems at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.scan import suggest
from resexp.config import grid, packaged, problems, published, yaml_text
from resexp.config.grid import Assignment, dotted
from resexp.config.overlays import FULL, Tier, check_keys, command_line, rules_of, tiers_of
from resexp.config.paths import plugin_at
from resexp.config.points import Point, Sweep
from resexp.config.problems import Draft
from resexp.config.published import Claim, Published
from resexp.config.schema import Header
from resexp.config.settings import Settings, models
from resexp.errors import ConfigError


@dataclass(frozen=True)
class Experiment:
    """A configuration file, read and checked.

    tier: the name of the chosen tier; "full" means the file's own settings, without a tier.
    points: the points of the sweep in the grid's order. Points with equal settings occur once.
    tuned: the dotted keys of the axes whose best value is chosen by validation error.
    published: what papers report, for comparison.
    text, path: the file's text and path.
    overrides: the command's overrides, as `key=value`.
    why: the question that the experiment asks.
    expect: the file's note on this tier: its trials, their time, and what came out.
    checks: what `resexp check` expects.
    claims: the file's own claims, which are also among those of `published`.
    partial: whether overrides or a tier may have left out part of the file's sweep.
    """

    name: str
    tier: str
    points: tuple[Point, ...]
    tuned: tuple[str, ...]
    plugins: tuple[Plugin, ...]
    published: Published
    text: str
    overrides: tuple[str, ...]
    path: Path
    why: str = ""
    expect: str = ""
    checks: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    partial: bool = False


def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    tier: str = FULL,
    plugins: Sequence[str | Path] = (),
) -> Experiment:
    """Read a configuration file with `key=value` overrides. The override `key=a,b` makes an axis.

    path: a file, or the name of a configuration of the package.
    overrides: each replaces the value or the axis that the file has for the same key. Rules of the file do
        not change what an override has set.
    tier: one of the file's tiers. Unless it is "full", its name is appended to the experiment's name.
    plugins: files with further parts.

    Raises ConfigError with all problems in the order of lines. The other tiers are checked, too.
    """
    path = packaged.found(Path(path))
    text, draft, top = _document(path)
    draft.plugins = _plugins(top.get("plugins"), plugins, draft)
    given = command_line(overrides, draft)
    for key in (key for key, values in given.items() if len(set(map(repr, values))) < len(values)):
        draft.wrong(None, key, "has a value twice", "give each value once")
    names = given.pop("name", ())
    head, paper = _header(top, names, draft)
    by_path = {tuple(key.split(".")): values for key, values in given.items()}
    assigned = {path: [Assignment(path, value, None) for value in values] for path, values in by_path.items()}
    tiers = tiers_of(top, draft)
    if tier not in tiers:
        draft.wrong(None, "--tier", f"there is no tier {tier!r}", suggest(tier, tiers))
    for name in (head.expect if head else {}).keys() - tiers.keys():
        draft.wrong(("expect", name), f"expect.{name}", "is not a tier of this file", suggest(name, tiers))
    chosen = tiers.pop(tier, tiers[FULL])
    tuned = tuple(map(dotted, chosen.tuned))
    rules = rules_of(head.overrides if head else (), draft)
    sweep = Sweep({key: top[key] for key in Settings.model_fields if key in top}, rules, draft)
    # A rule need not match any point of a tier, or of a sweep that overrides have changed.
    points = sweep.points(chosen, assigned, may_idle=bool(assigned) or tier != FULL)
    if tuned and any(point.settings.data.validation_size is None for point in points):
        right = "set it to the number of training examples to choose the best value by"
        draft.wrong(("tune",), "tune", "needs data.validation_size", right)
    sweep.check_others([other for other in tiers.values() if other.name != FULL], chosen, assigned)
    if draft.problems or head is None:
        raise problems.refuse(draft.problems, str(path))
    stated = paper or Published(references=head.references)
    return Experiment(
        name=head.name if tier == FULL else f"{head.name}-{tier}",
        tier=tier,
        points=points,
        tuned=tuned,
        plugins=draft.plugins,
        published=stated.model_copy(
            update={"claims": (*stated.claims, *head.claims), "own": len(head.claims)}
        ),
        text=text,
        overrides=tuple(overrides),
        path=path,
        why=head.why,
        expect=head.expect.get(tier, ""),
        checks=head.checks,
        claims=head.claims,
        partial=tier != FULL or _narrows(assigned, chosen),
    )


def _document(path: Path) -> tuple[str, Draft, Mapping[str, Any]]:
    """A file's text, a draft with its problems so far, and the mapping of its keys."""
    try:
        text = yaml_text.read_text(path)
        document = yaml_text.parse(text, str(path))
    except ConfigError as error:
        raise problems.refuse(error.problems, str(path)) from None
    draft, top = Draft(str(path), document.lines, list(document.problems)), document.value
    if not isinstance(top, Mapping):
        wrong = "is empty" if top is None else "is not a mapping"
        raise ConfigError.of(str(path), "", wrong, "give name, data, model and training")
    known = [*Header.model_fields, *Settings.model_fields]
    for key in top.keys() - set(known):
        draft.wrong((key,), key, "is not a known key", suggest(key, known))
    return text, draft, top


def _header(
    top: Mapping[str, Any], names: Sequence[Any], draft: Draft
) -> tuple[Header | None, Published | None]:
    """The file's header, with the name that the command gives in place of its own, and the paper to which it
    refers. None for each of them that is faulty.
    """
    header = {key: top[key] for key in Header.model_fields.keys() - {"tiers"} if key in top}
    header |= {"name": names[0] if len(names) == 1 else names} if names else {}
    paper = _paper(header.pop("references"), draft) if isinstance(top.get("references"), str) else None
    head = draft.validate(Header, header, lambda key: None if names and key == ("name",) else key)
    for origin, when in head.conditions() if head else ():
        check_keys(when, origin, draft)
    return head, paper


def read_plugins(files: Sequence[str | Path]) -> tuple[Plugin, ...]:
    """The plugins in some files, each once. Raises ConfigError if one of their parts is faulty."""
    return _checked([plugin_at(str(file), Path(), problems.COMMAND_LINE) for file in files])


def _plugins(listed: Any, further: Sequence[str | Path], draft: Draft) -> tuple[Plugin, ...]:
    """The plugins that the configuration lists, and those of the command line.

    If a plugin is faulty, this raises ConfigError at once instead of adding a problem to the draft. Otherwise
    every use of the plugin's parts would be reported as one more problem.
    """
    names = listed if isinstance(listed, tuple) and all(isinstance(name, str) for name in listed) else ()
    folder = Path(draft.file).parent
    own = [plugin_at(name, folder, draft.where(("plugins", i))) for i, name in enumerate(names)]
    return _checked([*own, *(plugin_at(str(file), Path(), problems.COMMAND_LINE) for file in further)])


def _checked(plugins: Iterable[Plugin]) -> tuple[Plugin, ...]:
    unique = tuple({plugin.file: plugin for plugin in plugins}.values())
    scan.check_plugins(unique)
    for role in scan.ROLES:
        models(role, unique)
    return unique


def _paper(name: str, draft: Draft) -> Published | None:
    try:
        return published.read_published(name)
    except ConfigError as error:
        where = draft.where(("references",))
        draft.problems += [p if p.where else replace(p, where=where) for p in error.problems]
        return None


def _narrows(assigned: Iterable[grid.Path], tier: Tier) -> bool:
    """Whether an override concerns an axis, the connection or the depth, or a key within or around one of
    these.
    """
    swept = {path for axes in tier.grids for path in axes}
    swept |= {tuple(key.split(".")) for key in (grid.CONNECTION, grid.DEPTH)}
    return any(a[: len(b)] == b[: len(a)] for a in assigned for b in swept)
