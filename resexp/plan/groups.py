"""Gives trials their labels in reports.

A group is a set of trials that differ only in their seed and in what is tuned. A line is a set of groups that
differ only in depth; figures draw it as a line. Groups and lines follow from the settings. Each line gets a
label. If two lines have the same label, details are added to both. Reports can therefore group trials by
label and depth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resexp.config.grid import DEPTH, SEED
from resexp.errors import MixedError
from resexp.plan.dotted import leaves
from resexp.plan.numerics import part_name
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.plan.trial import Trial

Facts = Mapping[str, str]
"""What determines a trial's numbers, except depth, seed and what is tuned: dotted paths -> values as text."""
Line = tuple[str | None, ...]
"""What identifies a line: its values as text at the paths that tell lines apart."""


def labelled(trials: Sequence[Trial]) -> list[Trial]:
    """The same trials, each with the label of its line as `variant`, and with a name that no other trial has.

    A label that only one line has is kept, and so are the names of its trials, since folders have these
    names. Raises MixedError if two trials with different ids have the same line, depth, tuned values and
    seed.
    """
    values = [_values(trial) for trial in trials]
    facts: list[Facts] = [{path: repr(value) for path, value in own.items()} for own in values]
    tuned = [tuple(_tuned(trial)) for trial in trials]
    distinguishing = _distinguishing_paths(trials, facts, tuned)
    lines = [_line(own, distinguishing) for own in facts]
    names: dict[Line, str] = {}
    first_values: dict[Line, Mapping[str, Any]] = {}
    for line, trial, own in zip(lines, trials, values, strict=True):
        names[line] = max(names.get(line, ""), clean(trial.variant), key=len)
        first_values.setdefault(line, own)
    names = _spelled(names, first_values, distinguishing)
    _refuse_mixed(trials, lines, tuned)
    taken = Counter(trial.name for trial in trials)
    renamed = [replace(trial, variant=names[line]) for trial, line in zip(trials, lines, strict=True)]
    renamed = [t if taken[t.name] == 1 else replace(t, name=name_of(t)) for t in renamed]
    taken = Counter(trial.name for trial in renamed)
    return [t if taken[t.name] == 1 else replace(t, name=f"{t.name}_{t.id[:6]}") for t in renamed]


def name_of(trial: Trial) -> str:
    """A trial's name, with which its folder's name begins: its label, what is tuned, its depth and seed."""
    chosen = safe(" ".join(short(key, value, named=True) for key, value in trial.tuned.items()))
    return "_".join(filter(None, [safe(trial.variant), chosen, f"d{trial.depth}", f"s{trial.seed}"]))


def safe(text: str) -> str:
    """At most 60 characters of the text, with dashes for characters that a folder's name should not have."""
    return re.sub(r"[^A-Za-z0-9=.+-]+", "-", text)[:60].strip("-.")


def short(key: str, value: Any, *, named: bool = False) -> str:
    """An option as labels show it: the last word of its key and its value, as in `lr=0.1`. A part is shown by
    its kind. If `named` is false, a text is shown without its key, and an option of a discriminator begins
    with that word, because options without it belong to the other network.
    """
    value = value["kind"] if isinstance(value, Mapping) and "kind" in value else value
    owner = "discriminator " if key.startswith("discriminator.") and not named else ""
    return owner + (value if isinstance(value, str) and not named else f"{key.rpartition('.')[2]}={value}")


def _values(trial: Trial) -> dict[str, Any]:
    """The `Facts` of one trial, but with values of their own types instead of texts."""
    values = dict(leaves(trial.settings))
    for path in [DEPTH, SEED, *(p for p in values if trial.tuned and _within(p, trial.tuned))]:
        values.pop(path, None)
    values |= {f"numbers of {part_name(path)}": v for path, v in trial.numerics.items()}
    values["code of plugins"] = " ".join(sorted(trial.plugins))
    return {**values, "content of the data": trial.data}


def _tuned(trial: Trial) -> Iterator[str]:
    """The tuned settings and their values, as text."""
    if trial.tuned:
        yield from (f"{path}={v!r}" for path, v in leaves(trial.settings) if _within(path, trial.tuned))


def _within(path: str, keys: Iterable[str]) -> bool:
    return any(path == key or path.startswith(f"{key}.") for key in keys)


def _line(facts: Facts, distinguishing: Sequence[str]) -> Line:
    """The line of a trial; `distinguishing` are the paths that tell lines apart."""
    return tuple(facts.get(path) for path in distinguishing)


def _distinguishing_paths(
    trials: Sequence[Trial], facts: Sequence[Facts], tuned: Sequence[tuple[str, ...]]
) -> list[str]:
    """The paths that tell lines apart, in the order of the settings.

    These are the paths at which the sweep sets values. Rules of a configuration can make further differences:
    if two trials have the same values at these paths, the same depth and the same tuned values, but differ
    elsewhere, the paths where they differ are added.
    """
    order = list(dict.fromkeys(path for own in facts for path in own))
    axes = [(key, value, own) for t, own in zip(trials, facts, strict=True) for key, value in t.axes.items()]
    written = {path for axis in axes for path in _written(*axis)}
    distinguishing = [path for path in order if path in written]
    while True:
        alike: dict[tuple[Any, ...], Facts] = {}
        more: set[str] = set()
        for trial, own, chosen in zip(trials, facts, tuned, strict=True):
            first = alike.setdefault((_line(own, distinguishing), trial.depth, chosen), own)
            if own != first:
                more |= {path for path in {*own, *first} if own.get(path) != first.get(path)}
        if not more:
            return distinguishing
        distinguishing = [path for path in order if path in more or path in distinguishing]


def _written(key: str, value: Any, facts: Facts) -> Iterator[str]:
    """The paths at which the value of the axis `key` sets something.

    An option counts only if the value mentions it. `match` may have set other options, to a different size at
    every depth.
    """
    if key in facts:
        yield key
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _written(f"{key}.{name}", item, facts)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _written(f"{key}.{number}", item, facts)
    elif f"{key}.kind" in facts:
        yield f"{key}.kind"


def _spelled(
    names: Mapping[Line, str], values: Mapping[Line, Mapping[str, Any]], distinguishing: Sequence[str]
) -> dict[Line, str]:
    """The labels `names`, changed so that all differ. If several lines share a label, each adds its values of
    the settings in which they differ. They are in short form, or, if labels are still equal, with their full
    paths. Labels that are equal even then get numbers.
    """
    labels = dict(names)
    for full in (False, True):
        for clash in _sharing(labels):
            facts = [values[line] for line in clash]
            differing = [path for path in distinguishing if len({repr(own.get(path)) for own in facts}) > 1]
            for line, own in zip(clash, facts, strict=True):
                labels[line] = _with(names[line], _details(own, differing, full))
    for clash in _sharing(labels):
        for number, line in enumerate(clash, 1):
            labels[line] = f"{labels[line]} #{number}"
    return labels


def _sharing(names: Mapping[Line, str]) -> list[list[Line]]:
    """For each label that several lines share, these lines."""
    by_name: dict[str, list[Line]] = {}
    for line, name in names.items():
        by_name.setdefault(name, []).append(line)
    return [lines for lines in by_name.values() if len(lines) > 1]


def _details(values: Mapping[str, Any], paths: Sequence[str], full: bool) -> Iterator[str]:
    """The values at the paths as words for a label, with full paths or short names."""
    last = Counter(path.rpartition(".")[2] for path in paths if not path.endswith(".kind"))
    for path in paths:
        if full:
            yield f"{path}={values[path]!r}" if path in values else f"no {path}"
        elif path in values:
            key = path if last[path.rpartition(".")[2]] < 2 else path.replace(".", " ")
            yield short(key, values[path], named=" " in key)


def _with(label: str, details: Iterable[str]) -> str:
    """A label with more details in its brackets; details that are there already are not repeated."""
    name, bracket, inside = label.removesuffix(")").partition(" (")
    kept = inside.split(", ") if bracket else []
    return f"{name} ({', '.join([*kept, *(d for d in map(clean, details) if d not in kept)])})"


def _refuse_mixed(trials: Sequence[Trial], lines: Sequence[Line], tuned: Sequence[tuple[str, ...]]) -> None:
    """Raises MixedError: see `labelled`."""
    seen: dict[tuple[Any, ...], Trial] = {}
    for trial, line, chosen in zip(trials, lines, tuned, strict=True):
        other = seen.setdefault((line, trial.depth, chosen, trial.seed), trial)
        if other.id != trial.id:
            raise MixedError(
                f"{other.name}-{other.id} and {trial.name}-{trial.id} are different trials, but nothing in "
                "their settings tells them apart, so a report would average them. Run the experiment again, "
                "which plans it again. If the same message appears, it is a bug in resexp: please report it"
            )
