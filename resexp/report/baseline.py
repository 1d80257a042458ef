"""Chooses the baseline: the variant with which all others are compared."""

from __future__ import annotations

import pandas as pd

from resexp.plan.status import Status
from resexp.report import frames, statistics, words


def chosen(trials: pd.DataFrame) -> tuple[str, str] | None:
    """The variant with which every other variant is compared, and the reason; None without two variants.

    The literature compares with residual or plain networks. Therefore the baseline is the first of these that
    exists: the variant called `residual`, the variant called `plain`, the plan's first residual variant, its
    first plain one, its first of all. At the deepest common depth, variants without a trial that is done
    are passed over if another has one, and residual or plain ones with fewer than three if one has three.
    """
    deep = trials[trials["depth"] == frames.common_depth(trials)]
    able, done = deep[deep["status"] != Status.FAILED]["variant"], set(frames.done(deep)["variant"])
    kinds = {variant: str(group["connection"].iloc[0]) for variant, group in frames.by_variant(trials)}
    if len(kinds) < 2:
        return None
    kinds = {name: kind for name, kind in kinds.items() if name in done} or kinds
    for kind in ("residual", "plain"):
        if kind in kinds:
            return kind, f"the {kind} connection"
    for kind in ("residual", "plain"):
        if found := [variant for variant in kinds if kinds[variant] == kind]:
            enough = [variant for variant in found if (able == variant).sum() >= statistics.LEAST] or found
            only = " with at least three seeds" if len(enough) < len(found) else ""
            return _first(enough, trials), f"the first of the {kind} variants{only} in the plan"
    why = "the first variant in the plan, because no residual or plain variant can be the baseline"
    return _first(list(kinds), trials), why


def lacking(trials: pd.DataFrame) -> list[str]:
    """The variants, with their depths, of trials on one data set that no baseline can be compared with."""
    found = chosen(trials)
    has = set(trials.loc[trials["variant"] == found[0], "depth"]) if found else set()
    depths = trials[~trials["depth"].isin(has)].groupby("variant", observed=True)["depth"].unique()
    return [f"{name} at depth {words.listed([*map(str, sorted(map(int, d)))])}" for name, d in depths.items()]


def _first(variants: list[str], trials: pd.DataFrame) -> str:
    """The first of these variants in the plan, because authors begin with what their variants modify."""
    return min(variants, key=lambda variant: int(trials.index[trials["variant"] == variant].min()))
