"""Finds the folders of the training and the test set by their usual names. Does not import torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from resexp.data.listing import folders_in
from resexp.data.names import composed
from resexp.errors import DataError

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Names of the splits' folders, in lower case. If `val` and `test` both exist, `val` is the test set."""

SPLIT_LIKE = re.compile(
    r"(train|training|trn|val|valid|validate|validation|dev|eval|evaluation|test|testing|tst|holdout)"
    r"(set|data|split)?([^a-z].*)?"
)
"""Names, in lower case, that look like a split's, such as train2, dev or test_images."""


@dataclass(frozen=True)
class Splits:
    """The folders of the splits.

    train: the root itself if it has no folder for training. test: None if there is no folder for testing.
    notes: sentences for readers of the results on what was chosen.
    """

    train: Path
    test: Path | None
    notes: tuple[str, ...] = ()


def find_splits(root: Path) -> Splits:
    """The splits in a folder. Raises OSError, and DataError if it is unclear whether a folder is a split."""
    names = folders_in(root)
    folders = {role: _folder(root, names, role) for role in NAMES}
    used = {name for name in folders.values() if name}
    if folders["train"] is None:
        return Splits(root, None, _notes_on_classes(root, names, used))
    notes = _notes_on_others(root, folders["train"], [name for name in names if name not in used])
    tested = folders["val"] or folders["test"]
    if folders["val"] and folders["test"]:
        notes.append(f"{folders['val']!r} is the test set, and {folders['test']!r} is not used")
    return Splits(root / folders["train"], root / tested if tested else None, tuple(notes))


def _folder(root: Path, names: list[str], role: str) -> str | None:
    """The name of the folder of a split. Raises DataError if there are two."""
    fitting = [name for name in names if name.casefold() in NAMES[role]]
    if len(fitting) > 1:
        raise DataError(
            f"{root}: {fitting[0]!r} and {fitting[1]!r} could both be the folder `{role}`; keep only one of "
            "them here"
        )
    return fitting[0] if fitting else None


def _notes_on_classes(root: Path, names: list[str], used: set[str]) -> tuple[str, ...]:
    """Notes for the case that the root's folders are classes. Raises DataError if one looks like a split."""
    alike = [name for name in names if SPLIT_LIKE.fullmatch(name.casefold()) and folders_in(root / name)]
    if alike or (names and used.issuperset(names)):
        raise DataError(
            f"{root}: {(alike or names)[0]!r} looks like a split, but there is no folder `train`. Call the "
            "training set's folder `train` or, if this is a class, choose another name for it"
        )
    first = folders_in(root / names[0]) if names else []
    if len(names) == 1 and any(name.casefold() in NAMES["train"] for name in first):
        raise DataError(
            f"{root}: its only folder is {names[0]!r}, which holds the splits; set data.root to "
            f"{root / names[0]}"
        )
    if len(first) > 1 and len(names) > 1 and all(folders_in(root / name) == first for name in names[1:]):
        return (f"the folders {names[0]!r}, {names[1]!r} are taken for classes, and hold the same folders",)
    return ()


def _notes_on_others(root: Path, train: str, others: list[str]) -> list[str]:
    """Notes on folders beside the splits. Raises DataError if one may be a split."""
    classes, notes = set(map(composed, folders_in(root / train))), list[str]()
    for name in others:
        inner, split_like = set(map(composed, folders_in(root / name))), SPLIT_LIKE.fullmatch(name.casefold())
        if inner & classes or (inner and split_like):
            raise DataError(
                f"{root}: is {name!r} a split? It has folders like {train!r}; call it `val` or `test` if it "
                "is the test set, or move it elsewhere if it should not be used"
            )
        if split_like:
            notes.append(f"{name!r} is not used, because it has no folders in it")
    return notes
