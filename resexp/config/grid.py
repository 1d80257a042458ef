"""From a base mapping to the points of a sweep: axes, rules and command-line values, as pure functions.

A tree is the mapping of a settings file; a path is a dotted key split at its dots. Every value laid over the
base is an Assignment that remembers where it was written, so that an error can say so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from resexp.catalog.plugins import Plugin
from resexp.config.fields import nested_model, role_of
from resexp.config.settings import DEFAULT_KINDS, Settings, expand, models

Path = tuple[str, ...]
Tree = Mapping[str, Any]
MISSING: Any = object()
DEPTH, SEED, CONNECTION = "model.depth", "seed", "model.connection"
"""What results are compared over, as dotted keys."""


@dataclass(frozen=True)
class Assignment:
    """`value` put at `path`; `origin` is where it stands in the document, None for the command line."""

    path: Path
    value: Any
    origin: tuple[str | int, ...] | None


@dataclass(frozen=True)
class Rule:
    """Where every path of `when` has one of its values, the assignments of `set` are made."""

    when: Mapping[Path, tuple[Any, ...]]
    set: tuple[Assignment, ...]


Axes = Mapping[Path, tuple[Assignment, ...]]
"""One grid: each axis's values."""


def dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def size(grids: Sequence[Axes]) -> int:
    """How many points the grids have together, before equal ones are merged."""
    return sum(math.prod(map(len, grid.values())) for grid in grids)


def assign(tree: Any, path: Path, value: Any, role: str | None = None) -> Any:
    """A copy of `tree` with `value` at `path`; short forms on the way are expanded, absent parts made."""
    tree = expand(tree)
    if tree is None or tree is MISSING:
        tree = {"kind": DEFAULT_KINDS[role]} if role in DEFAULT_KINDS else {}
    if not isinstance(tree, Mapping):
        return tree  # wrong already: validation of the base says so
    head, *rest = path
    if rest:
        value = assign(tree.get(head), tuple(rest), value, head)
    return {**tree, head: value}


@dataclass(frozen=True)
class Spot:
    """What stands at a path: its field, the model of its mapping if it is one, its role if it is a part."""

    field: FieldInfo | None
    model: type[BaseModel] | None
    role: str | None
    value: Any
    plugins: tuple[Plugin, ...] = ()

    @property
    def fields(self) -> Mapping[str, FieldInfo]:
        return self.model.model_fields if self.model else {}


def locate(
    tree: Any,
    path: Sequence[str | int],
    root: type[BaseModel] = Settings,
    plugins: tuple[Plugin, ...] = (),
) -> Spot:
    """The spot at `path`, given the kinds of the parts on the way; one without a field if there is none."""
    spot = Spot(None, root, None, tree, plugins)
    for key in path:
        spot = _item(spot, key) if isinstance(key, int) else _child(spot, key)
    return spot


def lookup(tree: Any, path: Path, plugins: tuple[Plugin, ...] = ()) -> Any:
    """The value at `path`, defaults filled in; MISSING where there is none and no such key is possible."""
    spot = locate(tree, path, plugins=plugins)
    if spot.model is None:
        return spot.value
    filled = {key: lookup(tree, (*path, key), plugins) for key in spot.fields}
    return {key: value for key, value in filled.items() if value is not MISSING}


def given(tree: Any, path: Path, plugins: tuple[Plugin, ...] = ()) -> Any:
    """The value at `path` as written, or its default where nothing is."""
    node = tree
    for key in path:
        node = expand(node)
        if not isinstance(node, Mapping) or key not in node:
            return lookup(tree, path, plugins)
        node = node[key]
    return node


def with_axes(axes: Axes, laid: Mapping[Path, Sequence[Assignment]]) -> Axes:
    """A grid with the command line's axes: in place of the same key's, or else as further ones."""
    further = {path: tuple(values) for path, values in laid.items() if path in axes or len(values) > 1}
    return {**axes, **further}


def matches(wanted: Any, actual: Any) -> bool:
    """Whether a value fits what a rule wants: a kind's name fits any part of that kind."""
    if isinstance(actual, Mapping):
        wanted = expand(wanted)
        return isinstance(wanted, Mapping) and all(
            key in actual and matches(value, actual[key]) for key, value in wanted.items()
        )
    return isinstance(wanted, bool) == isinstance(actual, bool) and bool(wanted == actual)


@dataclass(frozen=True)
class GridPoint:
    """A tree with what was laid over the base, in order, and the indices of the rules that matched."""

    tree: Tree
    assignments: tuple[Assignment, ...]
    rules: tuple[int, ...]

    def origin(self, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
        """Where the value at `path` was written: a place in the document, None for the command line."""
        for a in reversed(self.assignments):
            if path[: len(a.path)] == a.path:
                return None if a.origin is None else (*a.origin, *path[len(a.path) :])
        return path


def points(
    base: Tree,
    under: Sequence[Assignment],
    grids: Sequence[Axes],
    rules: Sequence[Rule],
    singles: Sequence[Assignment],
    *,
    plugins: tuple[Plugin, ...] = (),
) -> Iterator[GridPoint]:
    """Every point of every grid, the last axis fastest; `under` changes the base before all else, `singles`
    are the command line's, not axes.
    """
    for axes in grids:
        for combination in itertools.product(*axes.values()):
            yield _point(base, under, (*singles, *combination), rules, plugins)


def _point(
    base: Tree,
    under: Sequence[Assignment],
    chosen: Sequence[Assignment],
    rules: Sequence[Rule],
    plugins: tuple[Plugin, ...],
) -> GridPoint:
    tree: Tree = base
    made: list[Assignment] = []
    matched: list[int] = []

    def lay(assignment: Assignment) -> None:
        nonlocal tree
        tree = assign(tree, assignment.path, assignment.value)
        made.append(assignment)

    for assignment in under:
        lay(assignment)
    # A whole part goes in before its options, whatever the order of the axes.
    for assignment in sorted(chosen, key=lambda a: len(a.path)):
        lay(assignment)
    # The command line wins: its keys, and all below them, are closed to rules.
    closed = [a for a in made if a.origin is None]
    seen: dict[Path, Any] = {}  # of the tree as it is now: rules often ask for the same
    for i, rule in enumerate(rules):
        for path in rule.when.keys() - seen.keys():
            seen[path] = lookup(tree, path, plugins)
        found = {path: seen[path] for path in rule.when}
        if not all(any(matches(v, found[path]) for v in values) for path, values in rule.when.items()):
            continue
        matched.append(i)
        seen.clear()
        for assignment in rule.set:
            if any(assignment.path[: len(c.path)] == c.path for c in closed):
                continue
            lay(assignment)
            for c in closed:
                if c.path[: len(assignment.path)] == assignment.path:
                    lay(c)
    return GridPoint(tree, tuple(made), tuple(matched))


def _child(parent: Spot, key: str) -> Spot:
    field = parent.fields.get(key)
    if field is None:
        return Spot(None, None, None, MISSING, parent.plugins)
    value = parent.value.get(key, MISSING) if isinstance(parent.value, Mapping) else MISSING
    if value is MISSING and not field.is_required():
        value = field.get_default(call_default_factory=True)
    return _spot(field, value, parent.plugins)


def _item(parent: Spot, index: int) -> Spot:
    args = getattr(parent.field and parent.field.annotation, "__args__", ())
    inside = isinstance(parent.value, tuple) and index < len(parent.value)
    field = FieldInfo.from_annotation(args[0]) if args else None
    return _spot(field, parent.value[index] if inside else MISSING, parent.plugins)


def _spot(field: FieldInfo | None, value: Any, plugins: tuple[Plugin, ...]) -> Spot:
    role = role_of(field) if field else None
    if field is None or role is None:
        return Spot(field, nested_model(field) if field else None, None, value, plugins)
    value = expand(value)
    kind = value.get("kind", DEFAULT_KINDS.get(role)) if isinstance(value, Mapping) else None
    model = models(role, plugins).get(kind) if isinstance(kind, str) else None
    return Spot(field, model, role, value, plugins)
