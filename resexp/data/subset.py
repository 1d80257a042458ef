"""Chooses the classes and examples of a data set that are used. Examples are drawn by a seed, stratified by
class. Does not import torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from resexp.data.base import Facts, Labels, Split, fingerprint
from resexp.data.names import composed
from resexp.errors import DataError

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData

VALIDATION = "data.validation_size"
HELD_OUT_SEED = 0
"""The seed of the draw of a test set for data that have none."""


def pick_classes(names: Sequence[str], wanted: int | Sequence[str | int] | None) -> tuple[int, ...]:
    """The positions of the wanted classes, in the order given.

    wanted: a number N for the first N classes; a list of names or of positions, counted from 0; or None for
        all classes.

    Raises DataError for an unknown or repeated class, for an empty list, and for a position that is also the
    name of another class, because it is not clear which of the two is meant.
    """
    if wanted is None:
        return tuple(range(len(names)))
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(names):
            raise DataError(f"data.classes: {wanted} classes are asked for; give 1 to {len(names)}")
        return tuple(range(wanted))
    known = [composed(name) for name in names]
    picked = tuple(_position(known, name) for name in wanted)
    if not picked or len(set(picked)) < len(picked):
        raise DataError(f"data.classes: {list(wanted)} is empty or names a class twice; name each class once")
    return picked


def _position(names: Sequence[str], wanted: str | int) -> int:
    """The position of a class that is given by name or by position. Raises DataError."""
    if isinstance(wanted, str):
        if composed(wanted) in names:
            return names.index(composed(wanted))
        named = wanted
    else:
        # In a configuration, 007 is the number 7, which may stand for a class called 007.
        alike = [name for name in names if name.isdecimal() and int(name) == wanted]
        named = alike[0] if alike else str(wanted)
        if 0 <= wanted < len(names) and names[wanted] in (alike or names):
            return wanted
    quoted = f'write "{named}", in quotes, for the class of that name'
    if not isinstance(wanted, str) and 0 <= wanted < len(names):
        raise DataError(
            f"data.classes: {wanted} may be the class at position {wanted}, counted from 0, which is "
            f"{names[wanted]!r}, or the class named '{named}'; {quoted}, or \"{names[wanted]}\" for the "
            "other"
        )
    what = "class" if isinstance(wanted, str) else "position, counted from 0,"
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    hint = f"; {quoted}" if named in names else ""
    raise DataError(f"data.classes: there is no {what} {wanted!r}; there are {len(names)}: {shown}{hint}")


def quotas(counts: Sequence[int], size: int | None, key: str = "size") -> tuple[int, ...]:
    """The number of examples of each class in a stratified subset of `size` examples (None: all).

    Shares are rounded by the largest remainder; in ties, earlier classes get more. Every class that has an
    example keeps one. Raises DataError, which names the option `key`, if `size` is too large or too small.
    """
    total, present = sum(counts), sum(count > 0 for count in counts)
    if size is None or size == total:
        return tuple(counts)
    if size > total:
        raise DataError(f"{key}: {size} examples are asked for and there are {total}; give at most {total}")
    if size < present:
        raise DataError(f"{key}: {size} examples cannot cover {present} classes; give at least {present}")
    shares = [size * count // total for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda c: (-(size * counts[c] % total), c))
    for c in by_remainder[: size - sum(shares)]:
        shares[c] += 1
    for c, count in enumerate(counts):
        if count and not shares[c]:
            shares[shares.index(max(shares))] -= 1
            shares[c] = 1
    return tuple(shares)


def select(
    labels: Labels, size: int | None, seed: int, key: str = "size", stream: tuple[int, ...] = ()
) -> Labels:
    """The rows of a stratified subset of `size` examples, sorted, int64. Raises DataError as `quotas` does.

    labels: (n,) int64. stream: a different stream makes an independent draw with the same seed.

    Except for rounding, a smaller subset is part of a larger one. Each example gets a number from PCG64, and
    the examples with the smallest numbers are taken. numpy promises not to change these numbers, but it may
    change how it shuffles.
    """
    if size is None or size == len(labels):
        return np.arange(len(labels))
    counts = np.bincount(labels)
    chosen = []
    for label, quota in enumerate(quotas(counts.tolist(), size, key)):
        rows = np.flatnonzero(labels == label)
        keys = np.random.PCG64([seed, label, *stream]).random_raw(len(rows))
        chosen.append(rows[np.argsort(keys, kind="stable")[:quota]])
    return np.sort(np.concatenate(chosen))


def held_out(labels: Labels, names: Sequence[str], fraction: float, where: str, own: str) -> Labels:
    """The sorted rows of a stratified test set: this fraction of the examples, always the same ones.

    Raises DataError if some class would be missing in one of the two parts. The message begins with `where`,
    and advises the user to give a test set, which it calls `own`, such as "a `val` folder".
    """
    counts = np.bincount(labels, minlength=len(names)).tolist()
    size = round(fraction * len(labels))
    lone = [name for name, count in zip(names, counts, strict=True) if count < 2]
    if lone or not len(counts) <= size <= len(labels) - len(counts):
        raise DataError(
            f"{where}: {len(labels)} examples of {len(counts)} classes cannot be split with test_fraction "
            f"{fraction} so that each class is in both parts"
            + (f" ({lone[0]!r} has one example)" if lone else "")
            + f"; give another fraction, or {own}"
        )
    return select(labels, size, HELD_OUT_SEED)


def kept_back(counts: Sequence[int], size: int | None) -> tuple[int, ...]:
    """How many training examples of each class are kept for validation; empty if `size` is None.

    Raises DataError if no example of some class would be left for training.
    """
    if size is None:
        return ()
    held = quotas(counts, size, VALIDATION)
    if any(0 < count == taken for count, taken in zip(counts, held, strict=True)):
        raise DataError(
            f"{VALIDATION}: {size} of {sum(counts)} examples leave some class nothing to train on; give fewer"
        )
    return held


def drawn(strata: Labels, config: DataConfig) -> dict[str, Labels]:
    """The sorted positions in `strata` of the examples for "train" and of those for "validation".

    strata: (n,) int64, the class of each example of the decoded training split. The validation examples are
        drawn first, so that they do not depend on `train_size`.

    Raises DataError for an impossible size.
    """
    held = np.empty(0, np.int64)
    if config.validation_size is not None:
        kept_back(np.bincount(strata).tolist(), config.validation_size)
        held = select(strata, config.validation_size, config.subset_seed, VALIDATION, (1,))
    rest = np.setdiff1d(np.arange(len(strata)), held)
    taken = select(strata[rest], config.train_size, config.subset_seed, "data.train_size")
    return {"train": rest[taken], "validation": held}


def chosen_rows(prepared: PreparedData, config: DataConfig) -> tuple[dict[Split, Labels], dict[str, Labels]]:
    """The labels of each decoded split, numbered as configured, and the rows of each configured split.

    Examples of other classes have the label -1. Raises DataError for an impossible size.
    """
    labelled = prepared.facts.targets == "labels"
    classes = pick_classes(prepared.facts.classes, config.classes if labelled else None)
    labels = {s: renumbered(a, classes) if labelled else a for s, a in prepared.labels.items()}
    strata = {s: a if labelled else np.zeros(len(a), np.int64) for s, a in labels.items()}
    wanted = {s: np.flatnonzero(a >= 0) for s, a in strata.items()}
    test = select(strata["test"][wanted["test"]], config.test_size, config.subset_seed, "data.test_size")
    rows = {"test": wanted["test"][test]}
    for name, chosen in drawn(strata["train"][wanted["train"]], config).items():
        rows[name] = wanted["train"][chosen]
    return labels, rows


def renumbered(labels: Labels, classes: Sequence[int]) -> Labels:
    """Labels renumbered by their position in `classes`; -1 for other classes."""
    renamed = np.full(int(labels.max(initial=-1)) + 1 + max(classes), -1)
    renamed[list(classes)] = np.arange(len(classes))
    return renamed[labels]


def narrowed(facts: Facts, config: DataConfig) -> Facts:
    """The facts of the part of a set that is configured. Raises DataError if the set is too small for it."""
    labelled = facts.targets == "labels"
    classes = pick_classes(facts.classes, config.classes if labelled else None)
    strata = classes if labelled else (0,)
    train, test = ([counts[c] for c in strata] for counts in (facts.train_counts, facts.test_counts))
    held = kept_back(train, config.validation_size)
    rest = [count - taken for count, taken in zip(train, held or (0,) * len(train), strict=True)]
    chosen = replace(
        facts,
        classes=tuple(facts.classes[c] for c in classes),
        train_counts=quotas(rest, config.train_size, "data.train_size"),
        validation_counts=held,
        test_counts=quotas(test, config.test_size, "data.test_size"),
    )
    if chosen == facts:
        return facts
    drawn = (chosen.train, chosen.test) != (sum(train), sum(test))
    sizes = (chosen.train, chosen.test, *((chosen.validation,) if held else ()))
    seed = config.subset_seed if drawn else None
    return replace(chosen, fingerprint=fingerprint(facts.fingerprint, classes, *sizes, seed))
