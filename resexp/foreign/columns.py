"""The role of each column of a table: named by the user, or guessed from usual names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from resexp.catalog.scan import suggest
from resexp.errors import Problem
from resexp.foreign.numbers import is_number
from resexp.foreign.sheet import Sheet, refused
from resexp.store.trial_rows import OF_SPLITS
from resexp.text import clean

ERRORS = ("train_error", "test_error", "train_accuracy", "test_accuracy")
COSTS = ("params", "macs")

USUAL: Mapping[str, tuple[str, ...]] = {
    "variant": (
        "variant",
        "connection model_connection connection_kind shortcut shortcuts",
        "architecture arch model model_name model_kind network net method",
    ),
    "depth": ("depth", "model_depth", "n_layers num_layers number_of_layers layers num_hidden_layers"),
    "seed": ("seed", "random_seed rng_seed manual_seed"),
    "train_error": ("train_error training_error train_err training_err",),
    "test_error": ("test_error test_err",),
    "train_accuracy": ("train_accuracy training_accuracy train_acc training_acc",),
    "test_accuracy": ("test_accuracy test_acc",),
    "status": ("status state",),
    "data": ("dataset data_set", "data"),
    "params": ("params parameters num_params n_params num_parameters",),
    "macs": ("macs",),
    "connection": ("connection",),
    "run": ("run_id id", "run_name name"),
    "redrawn": ("redrawn",),
    **{f"{split}_{what}": (f"{split}_{what}",) for split in ("train", "test") for what in OF_SPLITS},
}
"""The usual column names of each role, in groups. Only the first group with a match counts."""

PREFIXES = re.compile(r"(config|summary|summary_metrics|params|metrics)[./]")
"""What exports of Weights & Biases and MLflow put before the names of settings and results."""
FILLERS = {"final", "last", "rate", "percent", "pct", "percentage", "value", "top1"}
"""Words in a column's name that do not tell its role."""
MOMENTS = {"date", "time", "timestamp", "created", "started", "finished"}
"""Words in the names of columns that say when a run was made, which is no setting of it."""
MEASURED = {"error", "err", "accuracy", "acc", "loss", "seconds", "runtime", "memory", "score", "auc", "f1"}
"""Words in the names of results."""
EXTREMES = {"best", "max", "min", "lowest", "highest"}
"""Words in the names of results of a chosen epoch, which is often chosen by the same data."""
NEEDED = {
    "variant": "which nets differ only in depth and seed",
    "depth": "how deep each net is",
}


@dataclass(frozen=True)
class ColumnRoles:
    """The column of each role, and the columns that together identify a variant.

    `guessed` are the roles whose column the user did not name, and `unused` the columns without a role.
    """

    variant: tuple[str, ...]
    of: Mapping[str, str]
    guessed: frozenset[str]
    unused: tuple[str, ...]


def chosen(sheet: Sheet, named: Mapping[str, Sequence[str]]) -> ColumnRoles:
    """The columns that the user named, and guessed columns for the other roles.

    Raises TableError: a named column does not exist, one column is named for two roles, or two columns fit
    one role.
    """
    found = {role: tuple(columns) for role, columns in named.items() if columns}
    problems = [problem for role, columns in found.items() for problem in _misnamed(sheet, role, columns)]
    problems += _named_twice(sheet, found)
    taken = {column for columns in found.values() for column in columns}
    splits = {_split(role) for role in found}

    def fits(role: str, column: str) -> bool:
        """Whether the column can be guessed for the role. A column of costs is left out if not all of its
        cells are numbers (such as 0.27M), because no verdict needs costs. So is a column `redrawn` of words,
        which is none that resexp writes.
        """
        return role not in (*COSTS, "redrawn") or all(is_number(row.cells.get(column)) for row in sheet.rows)

    guesses = {
        role: [column for column in _usual(sheet.columns, role) if column not in taken and fits(role, column)]
        for role in USUAL
        if role not in found and _split(role) not in splits
    }
    problems += _ambiguous(sheet, guesses)
    found |= {role: tuple(columns[:1]) for role, columns in guesses.items() if columns}
    if found.get("connection") == found.get("variant"):
        found.pop("connection", None)
    if lacking := list(_lacking(sheet, found)):
        problems += list(_nested(sheet)) or lacking  # what is lacking may be in a dictionary
    if problems:
        raise refused(problems, sheet.origin)
    of = {role: columns[0] for role, columns in found.items() if role != "variant"}
    used = {*found["variant"], *of.values()}
    guessed = frozenset(role for role in found if role in guesses)
    return ColumnRoles(found["variant"], of, guessed, tuple(c for c in sheet.columns if c not in used))


def _split(role: str) -> str:
    """The split if the role is an error or accuracy, and otherwise the role itself."""
    return role.partition("_")[0] if role in ERRORS else role


def words_of(column: str) -> frozenset[str]:
    """The words in a column's name, without prefixes and fillers: {test, acc} for `summary.Test/acc (%)`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", PREFIXES.sub("", column.strip(), count=1)).lower()
    return frozenset(re.findall(r"[a-z0-9]+", name)) - FILLERS


def _usual(columns: Sequence[str], role: str) -> list[str]:
    for names in USUAL[role]:
        wanted = {frozenset(name.split("_")) for name in names.split()}
        if found := [column for column in columns if words_of(column) in wanted]:
            return found
    return []


def _misnamed(sheet: Sheet, role: str, columns: Sequence[str]) -> Iterator[Problem]:
    """The problems with the columns that the user named for a role."""
    for column in columns:
        where = f"{sheet.option(role)} {column!r}"
        if column not in sheet.columns:
            near = suggest(column, sheet.columns)
            right = clean(near) if near.startswith("did you") else _listed(sheet.columns)
            yield Problem(sheet.origin, clean(where), "is not a column of the table", right)
        other = role.replace("error", "accuracy") if "error" in role else role.replace("accuracy", "error")
        called = {"acc": "accuracy", "accuracy": "accuracy", "err": "error", "error": "error"}
        kinds = {called[word] for word in words_of(column) if word in called}
        if role in ERRORS and kinds == {other.partition("_")[2]}:
            right = f"give it as {sheet.option(other)}, or rename it"
            yield Problem(sheet.origin, clean(where), f"has a name that says {kinds.pop()}", right)


def _named_twice(sheet: Sheet, found: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    roles: dict[str, list[str]] = {}
    for role, columns in found.items():
        for column in columns:
            roles.setdefault(column, []).append(sheet.option(role))
    for column, options in roles.items():
        if len(options) > 1:
            wrong = f"is named for {' and '.join(options)}"
            yield Problem(sheet.origin, clean(column), wrong, "name a column of its own for each")
    for split in ("train", "test"):
        both = [sheet.option(role) for role in ERRORS if _split(role) == split and role in found]
        if len(both) > 1:
            yield Problem(sheet.origin, "", f"{' and '.join(both)} say the same", "give one of the two")


def _ambiguous(sheet: Sheet, guesses: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Problems with roles for which several columns have usual names."""
    meant: dict[str, list[str]] = {}
    for role, columns in guesses.items():
        meant.setdefault(_split(role), []).extend(columns)
    for role, columns in meant.items():
        if len(columns) < 2 or role in ("run", "connection"):
            continue
        options = [sheet.option(one) for one in ERRORS if _split(one) == role] or [sheet.option(role)]
        named = " and ".join(repr(column) for column in columns)
        what = f"the {role} error" if role in ("train", "test") else f"the {role}"
        right = f"name one with {' or '.join(options)}"
        yield Problem(sheet.origin, "", clean(f"{named} could each be {what}"), right)


def _lacking(sheet: Sheet, found: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Problems with roles that a table must have and that no column fits."""
    for role, what in NEEDED.items():
        if role not in found:
            right = f"name it with {sheet.option(role)}, or add one; {_listed(sheet.columns)}"
            yield Problem(sheet.origin, "", f"no column says {what}", right)
    if not any(role in found for role in ERRORS):
        yield _no_error(sheet)


def _nested(sheet: Sheet) -> Iterator[Problem]:
    """Problems with columns whose cells are whole dictionaries, as some Weights & Biases scripts write."""
    first = sheet.rows[0]
    python = "apply ast.literal_eval to the column, and its keys become columns"
    file = (
        "write the table as JSONL, as pandas does: frame.to_json('runs.jsonl', orient='records', "
        "lines=True). If the frame was read from a file, apply ast.literal_eval to the column first"
    )
    for column, cell in first.cells.items():
        if isinstance(cell, str) and cell.startswith("{") and cell.endswith("}"):
            wrong = "holds a whole dictionary as text"
            yield Problem(first.where, clean(column), wrong, python if sheet.python else file)


def _no_error(sheet: Sheet) -> Problem:
    """The problem if no column is an error or accuracy of a known split."""
    near = [column for column in sheet.columns if words_of(column) & {"error", "err", "acc", "accuracy"}]
    near.sort(key=lambda column: bool(words_of(column) & EXTREMES))
    hint = f"such as {near[0]!r}" if near else _listed(sheet.columns)
    options = ", ".join(sheet.option(role) for role in ERRORS)
    right = f"name a column, {hint}, with one of {options}" if near else f"name one with {options}; {hint}"
    return Problem(sheet.origin, "", "no column is known to be a train or test error", clean(right))


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:12]))
    more = f" and {len(columns) - 12} more" if len(columns) > 12 else ""
    return clean(f"its columns are {shown}{more}")
