"""Says what was trained: data, network, connections, recipe and seeds, and what differs between variants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resexp.plan import budgets
from resexp.plan.dotted import leaves
from resexp.report import confounded, frames, naming, protocol, words
from resexp.report.known_parts import equation, not_default
from resexp.report.tables import tuning
from resexp.text import LETTERS, MEANINGS, called

if TYPE_CHECKING:
    from resexp.report.frames import ReportRecords
    from resexp.store import Records

CONNECTION = "model.connection"
APART = ("seed", "model.depth", f"{CONNECTION}.kind")
"""Settings that are not listed among the differences, because they have rows of their own."""
COMMON = ("order", "norm", "activation", "init", "pre_activation")
"""Options of networks that are shown only where they are not the default."""
DATA = ("train_size", "test_size", "validation_size", "root", "subset_seed")
"""Options of data sets that are shown as numbers of examples, or not at all."""
MOST = 6
"""The most different texts that a row lists."""
RECIPE = ("optimizer", "schedule", "epochs", "iterations", "batch_size", "precision")


@dataclass(frozen=True)
class Setup:
    """What was trained: `rows` of (name, value), and a line that is `brief`. Both are empty if not known."""

    rows: tuple[tuple[str, str], ...] = ()
    brief: str = ""


def setup(records: ReportRecords) -> Setup:
    """The setup of the trials shown; empty for runs that resexp did not train."""
    trials: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()}
        for row in records.trials.to_dict("records")
        if records.settings.get(row["id"])
    ]
    if not trials:
        return Setup()
    different = _different(records, trials)
    settings = [records.settings[row["id"]] for row in different]
    changed = list(map(not_default, settings, (records.plugins.get(row["id"], ()) for row in different)))
    data = _each(_data(row, records.settings[row["id"]]) for row in _one_per_set(records, trials))
    networks, widths = list(map(_network, settings, changed)), list(_width(settings))
    depths = f"depth {_numbers(row['depth'] for row in trials)}"
    sized = list(confounded.sized(records, trials))
    matched = list(budgets.described(sized))
    rough = matched if any(budgets.warnings(sized)) else []
    network = [_each(networks), *widths, depths, *_size(row["params"] for row in trials), *matched]
    recipes = list(dict.fromkeys(map(_recipe, different, settings, changed)))
    seeds, elsewhere = _numbers(row["seed"] for row in trials), list(_other_seeds(records, trials))
    task = _each(_part(own.get("task")) for own in settings)
    rows = [
        ("Data", data),
        ("Task", "" if task == "classification" else task),
        ("Network", ", ".join(filter(None, network))),
        ("Matched sizes", "".join(budgets.other_groups(own.get("model", {}) for own in settings))),
        *_connections(records, trials),
        ("Training", _each(recipes)),
        ("Seeds", f"{seeds}; not all of them everywhere: {_each(elsewhere)}" if elsewhere else seeds),
        *tuning.choices(records),
        ("Differs between depths", _each(_between_depths(records))),
        ("Differs between variants", "; ".join(_differences(records, different, changed))),
    ]
    shown = tuple((words.clean(name), words.clean(value)) for name, value in rows if value)
    recipe = f"{recipes[0]}{', and other recipes' if len(recipes) > 1 else ''}" if recipes[0] else ""
    bare = ", ".join(filter(None, [_each(map(_brief, networks)), *widths, depths, *rough]))
    partly = ", not all everywhere" if elsewhere else ""
    all_seeds = f"{'seed' if seeds.isdigit() else 'seeds'} {seeds}{partly}"
    return Setup(shown, words.clean(_brief("; ".join(filter(None, [bare, data, recipe, all_seeds])))))


def _brief(text: str) -> str:
    """A text without the options of parts."""
    return re.sub(r" \([^()]*\)", _rate, text)


def _rate(options: re.Match[str]) -> str:
    """What replaces the options of a part in a brief text: the learning rate, or nothing."""
    rate = re.search(r"\blr=[^,)]+", options[0])
    return f" {rate[0]}" if rate else ""


def _different(records: Records, trials: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One trial from each group of trials that differ in nothing but their seeds."""
    alike: dict[str, Mapping[str, Any]] = {}
    for row in trials:
        alike.setdefault(repr({**records.settings[row["id"]], "seed": None}), row)
    return list(alike.values())


def _one_per_set(records: Records, trials: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """One trial per data set, if possible one whose numbers of examples are known because it was trained."""
    known: dict[str, Mapping[str, Any]] = {}
    for row in sorted(trials, key=lambda row: words.missing(row.get("train_examples"))):
        known.setdefault(repr(records.settings[row["id"]].get("data")), row)
    return known.values()


def _each(texts: Iterable[str]) -> str:
    """The different texts in order of occurrence. If they are more than MOST, only the first are given."""
    found = list(dict.fromkeys(filter(None, texts)))
    return "; ".join(found if len(found) <= MOST else [*found[:MOST], f"and {len(found) - MOST} more"])


def _numbers(found: Iterable[Any]) -> str:
    """The different whole numbers: `0, 1 and 2`, or `0 to 11` if they are more than three without a gap."""
    numbers = sorted({int(number) for number in found if not words.missing(number)})
    if len(numbers) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return words.listed(list(map(str, numbers)), most=12)


def _other_seeds(records: Records, trials: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the seeds of each variant and depth, such as `0, 1 and 2 for plain at depth 56`, if they are not
    the same everywhere.
    """
    places: dict[str, list[Any]] = {}
    for row in trials:
        place = f"{naming.label(records, str(row['variant']))} at depth {row['depth']:g}"
        places.setdefault(place, []).append(row["seed"])
    by_seeds: dict[str, list[str]] = {}
    for place, own in places.items():
        by_seeds.setdefault(_numbers(own), []).append(place)
    if len(by_seeds) > 1:
        for seeds, where in by_seeds.items():
            yield f"{seeds} for {words.listed(where)}"


def _size(found: Iterable[Any]) -> Iterator[str]:
    """Yield `853 k to 1.7 M parameters`, or nothing if the numbers are not known."""
    sizes = {number for number in found if not words.missing(number)}
    if sizes:
        ends = [words.scaled(size).replace(" ", "\u00a0") for size in (min(sizes), max(sizes))]
        yield f"{' to '.join(dict.fromkeys(ends))} parameters"


def _part(part: Any, hidden: Sequence[str] = ()) -> str:
    """A part's kind with its options, without those that are `hidden`, not set, off or 0."""
    if not isinstance(part, Mapping):
        return ""
    off = (None, False, 0)
    return protocol.shown({k: v for k, v in part.items() if k not in hidden and v not in off})


def _data(trial: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The data set, and how many examples train, validate and test a network, as far as this is known."""
    data = settings.get("data")
    data = data if isinstance(data, Mapping) else {}
    sizes = {}
    for split in ("train", "test"):
        measured = trial.get(f"{split}_examples")
        sizes[split] = data.get(f"{split}_size") if words.missing(measured) else measured
    sizes = {"train": sizes["train"], "validate": data.get("validation_size"), "test": sizes["test"]}
    told = [f"{int(size):,} to {use}" for use, size in sizes.items() if size and not words.missing(size)]
    examples = [f"examples: {', '.join(told)}"] if told else []
    return ", ".join([*([_part(data, DATA)] if data else []), *examples])


def _network(settings: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    """The network without its connections: its kind with the options that are shown."""
    model = settings.get("model")
    hidden = [key for key in COMMON if key not in changed.get("model", {})]
    if not isinstance(model, Mapping) or model.get("init") != "dirac":
        hidden.append("init_noise")  # no other initialisation uses this option
    return _part(model, ["depth", "connection", "width", "match", *hidden])


def _width(settings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield `width 16 and 24`, or nothing if no network has a width."""
    widths = [w for own in settings if isinstance(w := own.get("model", {}).get("width"), int)]
    if widths:
        several = len(set(widths)) > MOST
        yield f"width {min(widths)} to {max(widths)}" if several else f"width {_numbers(widths)}"


def _connections(records: Records, trials: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield a row for each connection whose equation is known. The first row also explains the letters."""
    first = {str(row["connection"]): str(row["id"]) for row in reversed(trials)}
    found = {kind: equation(kind, records.plugins.get(id, ())) for kind, id in first.items()}
    order = [kind for kind in dict.fromkeys(str(row["connection"]) for row in trials) if found[kind]]
    for place, kind in enumerate(kind for kind in order if not (records.foreign and kind in MEANINGS)):
        yield f"Connection {called(kind)}", found[kind] + (f"  ({LETTERS})" if not place else "")


def _recipe(trial: Mapping[str, Any], settings: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    """Optimiser, schedule, length, batch size and precision, and other settings that are not the default."""
    training = settings.get("training", {})
    if protocol.setting(settings, "model.kind") in protocol.WHOLE:
        return "each round on all training examples"
    length = next((key for key in ("epochs", "iterations") if training.get(key)), None)
    others = {k: v for k, v in changed.get("training", {}).items() if k not in RECIPE}
    batch = protocol.batch_size(settings, trial.get("train_examples"))
    parts = [
        _part(training.get("optimizer")),
        _part(training.get("schedule")),
        words.counted(training[length], length.removesuffix("s")) if length else "",
        f"batches of {batch}" if batch else "",
        str(training.get("precision", "")),
        *(f"{key} {protocol.shown(value)}" for key, value in others.items()),
    ]
    return ", ".join(filter(None, parts))


def _between_depths(records: Records) -> Iterator[str]:
    """Yield what differs between the depths of variants, with their names if it does not in all of them."""
    found: dict[str, list[str]] = {}
    for variant, trials in frames.by_variant(records.trials):
        found.setdefault(confounded.of_depths(records, trials), []).append(naming.label(records, variant))
    for also, variants in found.items():
        named = f"{words.listed(variants)}: " if len(found) > 1 else ""
        yield f"{named}{also}" if also else ""


def _differences(
    records: Records, trials: Sequence[Mapping[str, Any]], changed: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield each setting whose value differs between variants, with its value for every variant.

    A setting that only some variants have is left out if all of them have its default.
    """
    said = {key for own in changed for key, _ in leaves(own)}
    values: dict[str, dict[str, list[Any]]] = {}
    for row in trials:
        for key, value in leaves({k: v for k, v in records.settings[row["id"]].items() if k != "probes"}):
            if key not in (*APART, *records.tuned):
                values.setdefault(key, {}).setdefault(str(row["variant"]), []).append(value)
    variants = {str(row["variant"]) for row in trials}
    for key, by_variant in values.items():
        texts = {variant: _range(found) for variant, found in by_variant.items()}
        if len(set(texts.values())) > 1 or (len(texts) < len(variants) and key in said):
            yield f"{key}: {_by_value(records, texts)}"


def _range(values: Sequence[Any]) -> str:
    """A variant's value as text. If it differs over depth, the smallest and largest number, or all values."""
    different = {repr(value): value for value in values}
    if len(different) == 1:
        return protocol.shown(values[0])
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{min(values):g} to {max(values):g}, by depth"
    return " or ".join(protocol.shown(value) for value in different.values())


def _by_value(records: Records, texts: Mapping[str, str]) -> str:
    """The value of every variant, such as `0.1 for plain and residual, 0.01 for skip`."""
    groups: dict[str, list[str]] = {}
    for variant, text in texts.items():
        groups.setdefault(text, []).append(naming.label(records, variant))
    return ", ".join(f"{text} for {words.listed(variants)}" for text, variants in groups.items())
