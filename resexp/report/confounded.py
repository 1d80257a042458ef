"""Finds settings that differ between compared trials, although the comparison is not about them.

What is compared is confounded with such a setting: the difference that was measured may come from either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from resexp.config.grid import DEPTH, SEED
from resexp.plan import budgets
from resexp.plan.dotted import leaves
from resexp.report import frames, protocol, words
from resexp.report.table import Sentence
from resexp.store import Records

NOT_TRAINED_WITH = (DEPTH, SEED, "probes", "data.root")
"""Settings that may always differ: what every report compares, and what changes no network."""
MATCHED = ("model.width", "model.connection.growth")
"""The sizes that `model.match` chooses, so that networks have equal budgets."""
MACHINE = {"processor": "processor", "cores": "cores", "jobs": "trials trained at once"}
"""What times depend on beside the settings: keys of a run's environment, with their names in reports."""
TIMES = ("seconds", "step_seconds")
MOST = 4
"""The most settings, and the most values of one setting, that a text names."""


def of_sides(records: Records, sides: Sequence[pd.DataFrame], named: Collection[str]) -> tuple[str, ...]:
    """Each setting in which two groups of trials differ, with its value in both: `model.match: params
    against none`. `named` are the dotted keys that the comparison is about. Matched budgets that are not near
    each other are named, too.
    """
    groups = [_different(records, side) for side in sides]
    found = [_against(key, both) for key, both in _differing(records, groups, named)]
    return (*found, *_budgets(records, sides, named))


def _budgets(records: Records, sides: Sequence[pd.DataFrame], named: Collection[str]) -> Iterator[str]:
    """Yield how many times as large the first side's matched budget is as the second's, if they are not near
    each other at some depth.
    """
    if len(sides) != 2 or not set(MATCHED).isdisjoint(named):
        return
    first, second = (list(sized(records, side.to_dict("records"))) for side in sides)
    for budget, name in budgets.NAMES.items():
        if all(network.match == budget for network in (*first, *second)):
            base = [network._replace(plain=True) for network in second]
            own = budgets.by_variant([*base, *(network._replace(plain=False) for network in first)], budget)
            factors = [factor for each in (own or {}).values() for factor in each]
            if not budgets.is_near(factors):
                yield f"{name}: {budgets.times(factors)} as many despite model.match"


def sized(records: Records, trials: Iterable[Mapping[Any, Any]]) -> Iterator[budgets.Sized]:
    """The networks of these trials, with what `model.match` says of them and their budgets."""
    for row in trials:
        sizes = {name: None if words.missing(row.get(name)) else row[name] for name in budgets.NAMES}
        match = str(protocol.setting(records.settings.get(row["id"], {}), "model.match") or "none")
        plain = row["connection"] == "plain"
        yield budgets.Sized(str(row["variant"]), plain, int(row["depth"]), match, sizes)


def of_times(records: Records, sides: Sequence[pd.DataFrame], metric: str) -> tuple[str, ...]:
    """What differs of `MACHINE` between two groups of trials, as in `of_sides`, if the metric is a time."""
    if metric not in TIMES or len(sides) < 2:
        return ()
    ran = {id: run["environment"] for run in records.runs for id in run["trials"]}
    found = []
    for key, name in MACHINE.items():
        both = [
            list(dict.fromkeys(protocol.shown(ran.get(id, {}).get(key)) for id in rows["id"]))
            for rows in sides
        ]
        if len({frozenset(own) for own in both}) > 1:
            found.append(_against(name, both))
    return tuple(found)


def _against(name: str, both: Sequence[Sequence[str]]) -> str:
    return f"{name}: {' against '.join(words.listed(values, MOST) for values in both)}"


def within(records: Records, trials: pd.DataFrame, named: Collection[str]) -> list[str]:
    """The settings in which these trials differ from each other, without those in `named`."""
    groups = [[own] for own in _different(records, trials)]
    return [key for key, _ in _differing(records, groups, named)]


def in_brackets(found: Sequence[str]) -> str:
    """What `of_sides` found, to be put after a claim; "" if it found nothing."""
    return f" (its sides also differ in {'; '.join(found)})" if found else ""


def about(row: Mapping[str, Any]) -> str:
    """What a row of claims or orderings says of its sides beside their names: settings, averages and lost
    trials. Rows of older reports have none of them.
    """
    told = in_brackets(row.get("confounded") or ()) + averaged(row.get("pooled") or ())
    gone = row.get("lost") or 0
    return told + (f" (without {words.counted(gone, 'trial')} that ended without a result)" if gone else "")


def averaged(variants: Sequence[str]) -> str:
    """Over which variants a side of a claim is averaged, to be put after the claim; "" if it has one only."""
    return f" (averaged over {words.listed(variants)})" if variants else ""


def of_variants(records: Records, trials: pd.DataFrame, baseline: str) -> str:
    """A sentence on the variants that `by_variant` finds; "" if there are none."""
    found: dict[tuple[str, ...], list[str]] = {}
    for variant, also in by_variant(records, trials, baseline).items():
        found.setdefault(also, []).append(variant)
    told = [f"{words.joined(variants)} in {'; '.join(also)}" for also, variants in found.items()]
    return f" Some variants also differ from {baseline}: {words.joined(told)}." if told else ""


def by_variant(records: Records, trials: pd.DataFrame, baseline: str) -> dict[str, tuple[str, ...]]:
    """For each variant that differs from the baseline, at equal depths, in settings that are not swept: these
    settings, with the variant's value and the baseline's.
    """
    groups = dict(frames.by_variant(trials))
    found: dict[str, tuple[str, ...]] = {}
    for variant, group in groups.items() if baseline in groups else ():
        shared = set(group["depth"]) & set(groups[baseline]["depth"])
        both = [rows[rows["depth"].isin(shared)] for rows in (group, groups[baseline])]
        if also := of_sides(records, both, swept(records)):
            found[variant] = also
    return found


def swept(records: Records) -> list[str]:
    """The dotted keys of the sweep. The names of variants say how these differ."""
    return [str(column) for column in records.trials if "." in str(column)]


def of_depths(records: Records, trials: pd.DataFrame) -> str:
    """The settings in which the depths of one variant differ, with their values by depth; "" if there are
    none.
    """
    depths = {depth: group for _, depth, group in frames.by_depth(trials)}
    found = []
    groups = [_different(records, group) for group in depths.values()]
    for key, values in _differing(records, groups, ()):
        where: dict[str, list[str]] = {}
        for depth, own in zip(depths, values, strict=True):
            where.setdefault(" or ".join(own), []).append(str(depth))
        places = [f"{value} at depth {words.listed(numbers)}" for value, numbers in where.items()]
        found.append(f"{key} ({words.listed(places, MOST)})")
    return words.listed(found, MOST)


def told(records: Records, trials: pd.DataFrame, verdicts: Iterable[Sentence]) -> Iterator[Sentence]:
    """The sentences on how depth affects one variant. If its depths differ in other settings, they say so."""
    also = of_depths(records, trials)
    for verdict in verdicts:
        text = f"{verdict.text} The depths also differ in {also}, which may be the cause."
        yield replace(verdict, text=text) if also else verdict


def told_of_variants(
    records: Records, trials: pd.DataFrame, baseline: str, verdicts: Iterable[Sentence]
) -> Iterator[Sentence]:
    """The sentences on differences from the baseline in these trials. If a variant differs from it in more
    than what is swept, its sentence says so.
    """
    found = by_variant(records, trials, baseline)
    for verdict in verdicts:
        also = "; ".join(found.get(verdict.subject, ()))
        text = f"{verdict.text} It also differs from {baseline} in {also}, which may be the cause."
        yield replace(verdict, text=text) if also else verdict


def _differing(
    records: Records, groups: Sequence[Sequence[Mapping[str, Any]]], named: Collection[str]
) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each option that differs between groups of settings, with its different values in every group."""
    if len(groups) < 2 or not all(groups):
        return
    every = [own for group in groups for own in group]
    ignored = {*NOT_TRAINED_WITH, *records.tuned, *(key.removesuffix(".kind") for key in named)}
    if all(protocol.setting(own, "model.match") in ("params", "macs") for own in every):
        ignored |= set(MATCHED)
    keys = dict.fromkeys(key for own in every for key, _ in leaves(dict(own)))
    for key in dict.fromkeys(_shared(key, every) for key in keys):
        if key and not any(overlap(key, other) for other in ignored):
            values = [list(dict.fromkeys(shown(own, key) for own in group)) for group in groups]
            if len({frozenset(own) for own in values}) > 1:
                yield key, values


def _different(records: Records, trials: pd.DataFrame) -> list[dict[str, Any]]:
    """The different settings of trials, without their seeds."""
    settings = [{**records.settings.get(id, {}), SEED: None} for id in trials["id"]]
    return list({repr(own): own for own in settings}.values())


def _shared(key: str, settings: Sequence[Mapping[str, Any]]) -> str:
    """The longest beginning of a dotted key that all settings have. The result is "" for an option that only
    one kind of a part has, because the kinds differ then, too.
    """
    while True:
        parent, _, name = key.rpartition(".")
        parts = [protocol.setting(own, parent) if parent else own for own in settings]
        known = [part for part in parts if isinstance(part, Mapping)]
        if len(known) == len(parts) and all(name in part for part in known):
            return key
        if not parent or (len(known) == len(parts) and all("kind" in part for part in known)):
            return ""
        key = parent


def shown(settings: Mapping[str, Any], key: str) -> str:
    """The value of a dotted key as text."""
    return protocol.shown(protocol.setting(settings, key))


def overlap(axis: str, key: str) -> bool:
    """Whether two dotted keys name the same setting, or one names a part and the other an option of it."""
    return axis == key or axis.startswith(f"{key}.") or key.startswith(f"{axis}.")
