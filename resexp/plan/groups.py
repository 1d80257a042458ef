"""Which trials are seeds of one: groups, the lines they make over depth, and labels that tell lines apart.

A group is the trials of one identity but for their seed and what is tuned. A line is the groups that agree
in everything the sweep varies but depth. Both are found in the settings. Labels come last: each is spelled
out until no two lines share one, so that to group by label and depth is to group by identity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resexp.config.grid import DEPTH, SEED
from resexp.errors import MixedError
from resexp.plan.numerics import name_of as name_of_part

if TYPE_CHECKING:
    from resexp.plan.trial import Trial

Facts = Mapping[str, str]
"""Dotted path -> the text of its value, for all that determines a trial's numbers."""
Line = tuple[str | None, ...]


def labelled(trials: Sequence[Trial]) -> list[Trial]:
    """The trials, each with the label of its line; a name that several of them had is told apart, too.

    A label that only one line had stays as it was, and so does the name of its trials' folders. Raises
    MixedError where two different trials would be one group's at one seed.
    """
    told = [_values(trial) for trial in trials]
    facts: list[Facts] = [{path: repr(value) for path, value in own.items()} for own in told]
    tuned = [tuple(_tuned(trial)) for trial in trials]
    telling = _telling(trials, facts, tuned)
    lines = [_line(own, telling) for own in facts]
    names: dict[Line, str] = {}
    values: dict[Line, Mapping[str, Any]] = {}
    for line, trial, own in zip(lines, trials, told, strict=True):
        names[line] = max(names.get(line, ""), printable(trial.variant), key=len)
        values.setdefault(line, own)
    names = _spelled(names, values, telling)
    _refuse_mixed(trials, lines, tuned)
    taken = Counter(trial.name for trial in trials)
    found = [replace(trial, variant=names[line]) for trial, line in zip(trials, lines, strict=True)]
    found = [t if taken[t.name] == 1 else replace(t, name=name_of(t)) for t in found]
    taken = Counter(trial.name for trial in found)
    return [t if taken[t.name] == 1 else replace(t, name=f"{t.name}_{t.id[:6]}") for t in found]


def name_of(trial: Trial) -> str:
    """What a trial is called, and its folder: its label, what is tuned, its depth and seed."""
    chosen = safe(" ".join(short(key, value, named=True) for key, value in trial.tuned.items()))
    return "_".join(filter(None, [safe(trial.variant), chosen, f"d{trial.depth}", f"s{trial.seed}"]))


def safe(text: str) -> str:
    """A text as part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9=.+-]+", "-", text)[:60].strip("-.")


def short(key: str, value: Any, *, named: bool = False) -> str:
    """An option in a label: a word stands for itself unless `named`, a part is its kind, a number needs its
    name.
    """
    value = value["kind"] if isinstance(value, Mapping) and "kind" in value else value
    return value if isinstance(value, str) and not named else f"{key.rpartition('.')[2]}={value}"


def printable(text: str) -> str:
    """A text without characters that cannot be seen: two labels that look alike are no labels."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """Every single value in plain JSON data, with its dotted path; a list of plain values is one."""
    found: list[tuple[str, Any]] = []
    _collect(tree, "", found)
    return found


def _collect(tree: Any, path: str, found: list[tuple[str, Any]]) -> None:
    if isinstance(tree, dict) and tree:
        for key, item in tree.items():
            _collect(item, f"{path}.{key}" if path else key, found)
    elif isinstance(tree, list | tuple) and any(isinstance(item, dict) for item in tree):
        for number, item in enumerate(tree):
            _collect(item, f"{path}.{number}", found)
    else:
        found.append((path, tree))


def _values(trial: Trial) -> dict[str, Any]:
    """All that determines a trial's numbers, except for depth, seed and what is tuned."""
    found = dict(leaves(trial.settings))
    for path in [DEPTH, SEED, *(p for p in found if trial.tuned and _within(p, trial.tuned))]:
        found.pop(path, None)
    found |= {f"numbers of {name_of_part(place)}": v for place, v in trial.numerics.items()}
    found["code of plugins"] = " ".join(sorted(trial.plugins))
    return {**found, "content of the data": trial.data}


def _tuned(trial: Trial) -> Iterator[str]:
    """The values of what is tuned, as the settings have them."""
    if trial.tuned:
        yield from (f"{path}={v!r}" for path, v in leaves(trial.settings) if _within(path, trial.tuned))


def _within(path: str, keys: Iterable[str]) -> bool:
    return any(path == key or path.startswith(f"{key}.") for key in keys)


def _line(facts: Facts, telling: Sequence[str]) -> Line:
    return tuple(facts.get(path) for path in telling)


def _telling(trials: Sequence[Trial], facts: Sequence[Facts], tuned: Sequence[tuple[str, ...]]) -> list[str]:
    """The paths that tell lines apart, in the settings' order: what the sweep's values write, and whatever
    else differs between trials of one line, depth and tuned value. Rules make such differences.
    """
    order = list(dict.fromkeys(path for own in facts for path in own))
    written = {path for t, own in zip(trials, facts, strict=True) for path in _written(t.axes, own)}
    telling = [path for path in order if path in written]
    while True:
        alike: dict[tuple[Any, ...], Facts] = {}
        more: set[str] = set()
        for trial, own, chosen in zip(trials, facts, tuned, strict=True):
            first = alike.setdefault((_line(own, telling), trial.depth, chosen), own)
            if own != first:
                more |= {path for path in {*own, *first} if own.get(path) != first.get(path)}
        if not more:
            return telling
        telling = [path for path in order if path in more or path in telling]


def _written(axes: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """The paths of what the values of axes write.

    An option that they leave open is none of them: `match` may fill it in, with another size at every depth.
    """
    for key, value in axes.items():
        yield from _paths(key, value, facts)


def _paths(key: str, value: Any, facts: Facts) -> Iterator[str]:
    if key in facts:
        yield key
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _paths(f"{key}.{name}", item, facts)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _paths(f"{key}.{number}", item, facts)
    elif f"{key}.kind" in facts:
        yield f"{key}.kind"


def _spelled(
    names: Mapping[Line, str], values: Mapping[Line, Mapping[str, Any]], telling: Sequence[str]
) -> dict[Line, str]:
    """Labels that differ: those that several lines share say in what these differ, at last in full."""
    found = dict(names)
    for full in (False, True):
        for clash in _sharing(found):
            facts = [values[line] for line in clash]
            differing = [path for path in telling if len({repr(own.get(path)) for own in facts}) > 1]
            for line, own in zip(clash, facts, strict=True):
                found[line] = _with(names[line], _details(own, differing, full))
    for clash in _sharing(found):
        for number, line in enumerate(clash, 1):
            found[line] = f"{found[line]} #{number}"
    return found


def _sharing(names: Mapping[Line, str]) -> list[list[Line]]:
    """The lines that share a label, label by label."""
    by_name: dict[str, list[Line]] = {}
    for line, name in names.items():
        by_name.setdefault(name, []).append(line)
    return [lines for lines in by_name.values() if len(lines) > 1]


def _details(values: Mapping[str, Any], paths: Sequence[str], full: bool) -> Iterator[str]:
    last = Counter(path.rpartition(".")[2] for path in paths if not path.endswith(".kind"))
    for path in paths:
        if full:
            yield f"{path}={values[path]!r}" if path in values else f"no {path}"
        elif path in values:
            key = path if last[path.rpartition(".")[2]] < 2 else path.replace(".", " ")
            yield short(key, values[path], named=" " in key)


def _with(label: str, details: Iterable[str]) -> str:
    """A label with more in its brackets, what is there already aside."""
    opening, bracket, inside = label.removesuffix(")").partition(" (")
    kept = inside.split(", ") if bracket else []
    return f"{opening} ({', '.join([*kept, *(d for d in map(printable, details) if d not in kept)])})"


def _refuse_mixed(trials: Sequence[Trial], lines: Sequence[Line], tuned: Sequence[tuple[str, ...]]) -> None:
    seen: dict[tuple[Any, ...], Trial] = {}
    for trial, line, chosen in zip(trials, lines, tuned, strict=True):
        other = seen.setdefault((line, trial.depth, chosen, trial.seed), trial)
        if other.id != trial.id:
            raise MixedError(
                f"{other.name}-{other.id} and {trial.name}-{trial.id} are different trials, but nothing in "
                "their settings tells them apart, so that a report would average them as one. "
                "Running the experiment again plans it anew; if that says the same, it is an error of the "
                "program: please report it"
            )
