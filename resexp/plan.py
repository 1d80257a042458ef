"""Experiment -> trials: what will be trained, under which name, and with which identity. Pure.

A trial's id is the hash of everything that determines its numbers, so a changed option is another
trial, and a trial already done stays done whatever else the file says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from resexp import numerics, translation
from resexp.catalog.plugins import blamed
from resexp.config.fields import plugins_of
from resexp.config.grid import CONNECTION, DEPTH, SEED
from resexp.config.problems import refuse
from resexp.errors import ConfigError, Problem, ResexpError
from resexp.groups import labelled, name_of, short

if TYPE_CHECKING:
    from resexp.config.load import Experiment, Point
    from resexp.config.settings import Settings

MOST_LAYERS = 50_000
"""Of all different networks of a plan together. Measuring takes about a millisecond a layer."""


@dataclass(frozen=True)
class Cost:
    """What one image costs: trainable parameters, multiply-accumulates, and bytes kept for backward. Where it
    is evaluated, the operation that holds most holds `evaluation_bytes` of it, and of `evaluated_at_once`
    images together; 0 is unknown.
    """

    params: int
    macs: int
    activation_bytes: int
    evaluation_bytes: int = 0
    evaluated_at_once: int = 0


@dataclass(frozen=True)
class Trial:
    """One training run. `settings` is plain JSON data: `config.parse.parse_settings` gives it types.

    `name` says what varies in its experiment (safe as a folder's name); `id` is its identity;
    `variant` is the label of its line, as `groups` has it; `axes` maps each swept dotted key to this
    trial's value, and `tuned` those that are chosen by validation error. `plugins` maps the SHA-256 of each
    plugin whose parts it uses to its file's name, `numerics` what it uses to the versions that are not 1,
    and `data` is its data's fingerprint, "" where an older version planned it.
    """

    id: str
    name: str
    connection: str
    variant: str
    depth: int
    seed: int
    settings: Mapping[str, Any]
    axes: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    tuned: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    numerics: Mapping[str, int] = field(default_factory=dict)
    data: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, which shares its mappings with the trial: to be written, not to be changed."""
        return {**vars(self), "cost": asdict(self.cost) if self.cost else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        """From what `to_json` gave, in this version or an older one."""
        cost = data.get("cost")
        told = {name: translation.keys(data[name]) for name in ("axes", "tuned") if name in data}
        told["settings"] = translation.translated(data["settings"])
        return cls(**{**data, **told, "cost": Cost(**cost) if cost else None})


def identity(settings: Settings, data_fingerprint: str) -> str:
    """Twelve hex digits of the hash of all that determines a trial's numbers.

    A value that equals its default is left out, so that an option added later leaves the trials done before
    it theirs; the kind of a part has no default and is never left out. `data.root` says where the data lie
    and not what they are, which is what their fingerprint says. Versions of numbers are in it where they are
    not 1.
    """
    told = translation.as_hashed(settings.model_dump(mode="json", exclude_defaults=True))
    told["data"].pop("root", None)
    plugins = plugins_of(settings)
    code = sorted(plugin.sha256 for plugin in plugins)
    versions = numerics.versions(settings.model_dump(mode="json"), plugins)
    hashed = [numerics.PROGRAM, told, data_fingerprint, *code, *([versions] if versions else [])]
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Measures(Protocol):
    """What a plan must ask of the code that knows data sets and networks."""

    def resolve(self, settings: Settings) -> Settings:
        """The settings with `precision: auto` decided and matched sizes filled in."""

    def data_fingerprint(self, settings: Settings) -> str:
        """A hash of all that determines the images and labels."""

    def cost(self, settings: Settings) -> Cost | None:
        """What one image costs in this network; None where there is none."""


def make_plan(experiment: Experiment, measures: Measures) -> list[Trial]:
    """Every trial of an experiment, in the order of its grid, each once.

    Raises:
        ConfigError: some trial cannot be built; every such problem at once.
        DataError: a data set is missing.
        MixedError: two trials would be averaged as one, which is an error of the program.
    """
    refuse_too_many(experiment)
    trials: dict[str, Trial] = {}
    problems: list[Problem] = []
    labels = variant_labels(experiment)
    for point, variant in zip(experiment.points, labels, strict=True):
        try:
            settings = measures.resolve(point.settings)
            cost = measures.cost(settings)
        except ConfigError as error:
            problems += [p if p.where else replace(p, where=point.where(p.key)) for p in error.problems]
            continue
        except ResexpError:
            raise
        except (Exception, SystemExit) as error:  # a plugin's part that leaves must not end the command well
            fault = blamed(error, plugins_of(point.settings))
            if fault is None:
                raise
            problems.append(fault)
            continue
        data = measures.data_fingerprint(settings)
        id = identity(settings, data)
        model = settings.model
        plugins = plugins_of(settings)
        trial = Trial(
            id=id,
            name="",
            connection=model.connection.kind,
            variant=variant,
            depth=model.depth,
            seed=settings.seed,
            settings=(told := settings.model_dump(mode="json")),
            axes=dict(point.axes),
            cost=cost,
            tuned={key: point.axes[key] for key in experiment.tuned},
            plugins={plugin.sha256: plugin.file.name for plugin in plugins},
            numerics=numerics.versions(told, plugins),
            data=data,
        )
        trials[id] = replace(trial, name=name_of(trial))
    if problems:
        raise refuse(problems, str(experiment.path))
    return labelled(list(trials.values()))


def refuse_too_many(experiment: Experiment) -> None:
    """Raises ConfigError where the sweep has more different networks than can be measured for a plan."""
    told = [point.settings for point in experiment.points]
    networks = {(each.data, each.task, each.model): each.model.depth for each in told}
    if (layers := sum(networks.values())) > MOST_LAYERS:
        wrong = f"has {len(networks):,} different networks of {layers:,} layers together"
        right = f"at most {MOST_LAYERS:,} can be measured for one plan: split the sweep"
        raise ConfigError([Problem(str(experiment.path), "sweep", wrong, right)])


def variant_labels(experiment: Experiment) -> list[str]:
    """For each point the label of its variant: the connection's kind, and in brackets whatever else the
    sweep varies among points of that kind; depth, seed and what is tuned aside.
    """
    options = [swept_options(point, experiment.tuned) for point in experiment.points]
    kinds = [point.settings.model.connection.kind for point in experiment.points]
    first: dict[str, dict[str, Any]] = {}
    telling: dict[str, set[str]] = {}
    for kind, own in zip(kinds, options, strict=True):
        one = first.setdefault(kind, own)
        differing = {key for key in own.keys() | one.keys() if own.get(key, own) != one.get(key, one)}
        telling.setdefault(kind, set()).update(differing)
    labels = []
    for kind, own in zip(kinds, options, strict=True):
        details = ", ".join(short(key, value) for key, value in own.items() if key in telling[kind])
        labels.append(f"{kind} ({details})" if details else kind)
    return labels


def swept_options(point: Point, tuned: Collection[str]) -> dict[str, Any]:
    """What the sweep sets at this point, with the options of parts spelled out; without depth, seed and what
    is tuned.
    """
    options: dict[str, Any] = {}
    for key, value in point.axes.items():
        if key in (DEPTH, SEED, *tuned):
            continue
        if key == CONNECTION:
            full = point.settings.model.connection.options()
            options |= {f"{key}.{name}": option for name, option in full.items()}
        else:
            options[key] = value
    return {key: value for key, value in options.items() if key not in tuned}
