"""Makes the points of a sweep from a file's settings, axes and rules and from the command line's values.

A tree is a mapping of settings; the base is the file's tree without its sweep. A path is a dotted key split
at its dots. A value that replaces a value of the base is an Assignment, which records where it was written.
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
from resexp.config.fields import DEFAULT_KINDS, nested_model, role_of
from resexp.config.frozen import expand
from resexp.config.settings import Settings, models

Path = tuple[str, ...]
Tree = Mapping[str, Any]
MISSING: Any = object()
DEPTH, SEED, CONNECTION = "model.depth", "seed", "model.connection"
"""Dotted keys over whose values results are compared."""


@dataclass(frozen=True)
class Assignment:
    """Sets `value` at `path`. `origin` is its place in the file, or None if the command line gave it."""

    path: Path
    value: Any
    origin: tuple[str | int, ...] | None


@dataclass(frozen=True)
class Rule:
    """Makes the assignments in `set` where every path in `when` has one of the values given for it."""

    when: Mapping[Path, tuple[Any, ...]]
    set: tuple[Assignment, ...]


Axes = Mapping[Path, tuple[Assignment, ...]]
"""One grid. It maps the path of each axis to the assignments of the axis's values."""


def dotted(path: Sequence[str | int]) -> str:
    """A path as a dotted key."""
    return ".".join(map(str, path))


def size(grids: Sequence[Axes]) -> int:
    """The number of points in all grids. A point that is in several grids counts several times."""
    return sum(math.prod(map(len, grid.values())) for grid in grids)


def assign(tree: Any, path: Path, value: Any, role: str | None = None) -> Any:
    """A copy of `tree` with `value` at `path`.

    Parts on the way are created if they are absent, and expanded if they are written as a kind's name. If
    `tree` is itself a part, `role` is its role.
    """
    tree = expand(tree)
    if tree is None or tree is MISSING:
        tree = {"kind": DEFAULT_KINDS[role]} if role in DEFAULT_KINDS else {}
    if not isinstance(tree, Mapping):
        return tree  # the validation of the points will report that this is not a mapping
    head, *rest = path
    if rest:
        value = assign(tree.get(head), tuple(rest), value, head)
    return {**tree, head: value}


@dataclass(frozen=True)
class Spot:
    """What a tree and the settings' models have at a path.

    field: the field of the settings, or None if there is no such key.
    model: the pydantic model of a mapping there; None if no mapping may stand there or its kind is unknown.
    role: the role of the part there, or None if the value is not a part.
    value: MISSING if there is no value.
    """

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
    """The spot at `path`. The kinds of the parts on the way in `tree` determine which keys exist there."""
    spot = Spot(None, root, None, tree, plugins)
    for key in path:
        spot = _item(spot, key) if isinstance(key, int) else _child(spot, key)
    return spot


def lookup(tree: Any, path: Path, plugins: tuple[Plugin, ...]) -> Any:
    """The value at `path` with all defaults filled in; MISSING if there is neither a value nor a default."""
    spot = locate(tree, path, plugins=plugins)
    if spot.model is None or spot.value is None:
        return spot.value
    filled = {key: lookup(tree, (*path, key), plugins) for key in spot.fields}
    return {key: value for key, value in filled.items() if value is not MISSING}


def given(tree: Any, path: Path, plugins: tuple[Plugin, ...] = ()) -> Any:
    """The value at `path` as it was written, without the defaults of its options. If nothing was written, it
    is the default.
    """
    node = tree
    for key in path:
        node = expand(node)
        if not isinstance(node, Mapping) or key not in node:
            return lookup(tree, path, plugins)
        node = node[key]
    return node


def with_axes(axes: Axes, overrides: Mapping[Path, Sequence[Assignment]]) -> Axes:
    """A grid after the command line's `overrides`, which have a list of values for each path.

    Several values of a path make an axis, which replaces the grid's axis of that path if there is one. A
    single value replaces an axis of the grid, but never adds one.
    """
    added = {path: tuple(values) for path, values in overrides.items() if path in axes or len(values) > 1}
    return {**axes, **added}


def matches(wanted: Any, actual: Any) -> bool:
    """Whether the `actual` value is what a rule wants. A rule names a part by its kind, or by a mapping of
    some of its options.
    """
    if isinstance(actual, Mapping):
        wanted = expand(wanted)
        return isinstance(wanted, Mapping) and all(
            key in actual and matches(value, actual[key]) for key, value in wanted.items()
        )
    return isinstance(wanted, bool) == isinstance(actual, bool) and bool(wanted == actual)


@dataclass(frozen=True)
class GridPoint:
    """One point of the sweep.

    tree: its settings. assignments: the assignments that made the tree from the base, in order. rules: the
    indices of the rules that matched.
    """

    tree: Tree
    assignments: tuple[Assignment, ...]
    rules: tuple[int, ...]

    def origin(self, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
        """Where the file has the value at `path`; None if the command line gave it."""
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
    """Every point of every grid; the last axis changes fastest.

    under: the assignments of a tier. They are made first, and other assignments can replace their values.
    singles: values of the command line that are not axes.
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
    assignments: list[Assignment] = []
    matched: list[int] = []

    def apply(assignment: Assignment) -> None:
        nonlocal tree
        tree = assign(tree, assignment.path, assignment.value)
        assignments.append(assignment)

    for assignment in under:
        apply(assignment)
    # A whole part is assigned before its options, in whatever order the axes are written.
    for assignment in sorted(chosen, key=lambda a: len(a.path)):
        apply(assignment)
    # The command line wins: rules cannot change what it has set.
    closed = [a for a in assignments if a.origin is None]
    values_now: dict[Path, Any] = {}  # looked up in the present tree; many rules ask for the same paths
    for i, rule in enumerate(rules):
        for path in rule.when.keys() - values_now.keys():
            values_now[path] = lookup(tree, path, plugins)
        if not all(any(matches(v, values_now[path]) for v in values) for path, values in rule.when.items()):
            continue
        matched.append(i)
        values_now.clear()
        for assignment in rule.set:
            if any(assignment.path[: len(c.path)] == c.path for c in closed):
                continue
            apply(assignment)
            for c in closed:
                if c.path[: len(assignment.path)] == assignment.path:
                    apply(c)
    return GridPoint(tree, tuple(assignments), tuple(matched))


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
