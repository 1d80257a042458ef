"""Which folders hold the training and the test set, by the names that data sets give them. Free of torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from resexp.data.listing import folders_in
from resexp.data.names import same
from resexp.errors import DataError

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folders of the splits are called, whatever the case. Where both are there, `val` is tested on."""

SPLIT_LIKE = re.compile(
    r"(train|training|trn|val|valid|validate|validation|dev|eval|evaluation|test|testing|tst|holdout)"
    r"(set|data|split)?([^a-z].*)?"
)
"""Names, without case, that make one think of a split: train2, dev, test_images."""


@dataclass(frozen=True)
class Splits:
    """The folders of the splits below a root, and what the reader must know of the choice.

    Without a folder for training, `train` is the root; without one for testing, `test` is None.
    """

    train: Path
    test: Path | None
    notes: tuple[str, ...] = ()


def find_splits(root: Path) -> Splits:
    """Raises DataError where a folder's name or contents leave open whether it is a split, and OSError."""
    names = folders_in(root)
    found = {role: _folder(root, names, role) for role in NAMES}
    used = {name for name in found.values() if name}
    if found["train"] is None:
        return Splits(root, None, _classes(root, names, used))
    notes = _beside(root, found["train"], [name for name in names if name not in used])
    tested = found["val"] or found["test"]
    if found["val"] and found["test"]:
        notes.append(f"{found['val']!r} is the test set, and {found['test']!r} is not used")
    return Splits(root / found["train"], root / tested if tested else None, tuple(notes))


def _folder(root: Path, names: list[str], role: str) -> str | None:
    fitting = [name for name in names if name.casefold() in NAMES[role]]
    if len(fitting) > 1:
        raise DataError(
            f"{root}: {fitting[0]!r} and {fitting[1]!r} could both be the folder `{role}`; keep one of them "
            "here"
        )
    return fitting[0] if fitting else None


def _classes(root: Path, names: list[str], used: set[str]) -> tuple[str, ...]:
    """What is to be known where the folders in the root are those of classes."""
    alike = [name for name in names if SPLIT_LIKE.fullmatch(name.casefold()) and folders_in(root / name)]
    if alike or (names and used.issuperset(names)):
        raise DataError(
            f"{root}: {(alike or names)[0]!r} looks like a split, and there is no folder `train`; call the "
            "training set's folder that, or, if this is a class, choose another name for it"
        )
    first = folders_in(root / names[0]) if names else []
    if len(first) > 1 and len(names) > 1 and all(folders_in(root / name) == first for name in names[1:]):
        return (f"the folders {names[0]!r}, {names[1]!r} are taken for classes, and hold the same folders",)
    return ()


def _beside(root: Path, train: str, others: list[str]) -> list[str]:
    """What is to be known of folders beside the splits."""
    classes, notes = set(map(same, folders_in(root / train))), list[str]()
    for name in others:
        inner, split_like = set(map(same, folders_in(root / name))), SPLIT_LIKE.fullmatch(name.casefold())
        if inner & classes or (inner and split_like):
            raise DataError(
                f"{root}: is {name!r} a split? It has folders as {train!r} has; call it `val` or `test` if "
                "it is the test set, and move it elsewhere if it is not to be used"
            )
        if split_like:
            notes.append(f"{name!r} is not used, for it has no folders in it")
    return notes
