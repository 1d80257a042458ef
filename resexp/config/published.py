"""Reads what papers report: `references/<name>.yaml` holds one paper's claims, recipe and numbers.

`metrics.py` says what a number or a claim may be about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from resexp.catalog.scan import suggest
from resexp.config import problems, yaml_text
from resexp.config.frozen import Frozen, refusal
from resexp.config.margins import Relation, default_margin
from resexp.config.metrics import MORE_IS_BETTER, Metric, curve
from resexp.errors import ConfigError
from resexp.options import NaturalInt, NonNegativeFloat, PositiveFloat, PositiveInt, Real

FOLDER = Path(__file__).parents[1] / "references"

DEPTH_WORDS = ("deepest", "shallowest", "best_shallower")
"""Words for `model.depth` in a claim. Each means one of the depths that both sides of the claim have."""


def _fraction(metric: str, *values: float) -> None:
    for value in values:
        if metric.endswith("_error") and not 0 <= value <= 1:
            raise refusal(f"gives {value:g} as an error", "give a fraction, 0 to 1")


Keys = Annotated[dict[str, Any], AfterValidator(problems.plain)]
"""Values of dotted keys of the settings, as plain JSON data."""
When = Annotated[Keys, Field(min_length=1)]
Text = Annotated[str, Field(min_length=1)]
Verified = Literal["text", "secondary", "memory"]
"""Where a number was checked: in the paper's text, in a secondary source, or nowhere (from memory)."""


class Reference(Frozen):
    """A published number for the trials that have the settings `when`. Errors are fractions, losses are nats.

    `tier` says what a run should reproduce: the value (`exact`), its rank (`ordering`), or the trend.
    `protocol` has the settings in which the recipe of this number differs from the paper's.
    """

    when: Keys
    protocol: Keys = Field(default_factory=dict)
    metric: Metric
    value: Real
    statistic: Literal["single", "best", "mean", "median"]
    sd: NonNegativeFloat | None = None
    runs: PositiveInt | None = None
    source: Text
    verified: Verified = "memory"
    tier: Literal["exact", "ordering", "trend"] = "ordering"
    tolerance: PositiveFloat | None = Field(
        default=None, description="largest half-width of a prediction interval that can confirm the number"
    )
    note: str | None = None

    @model_validator(mode="after")
    def _error_is_a_fraction(self) -> Self:
        _fraction(self.metric, self.value)
        if curve(self.metric):
            raise refusal("is a value on a training curve, which only claims may be about", "make it a claim")
        return self


class Claim(Frozen):
    """What a paper states about two groups of trials, its sides: `metric` is lower in `lower` than in
    `higher`.

    In a side's settings, `model.depth` may be `deepest`, `shallowest` or `best_shallower`. The last is the
    depth with the least metric among all but the deepest, as in the definition of degradation. `relation` may
    claim something else (see `margins.Relation`). If `within` is given and `relation` is not, the relation is
    `equivalent`. `within` is the margin, as a fraction for numbers of steps; None: the metric's default. With
    `pair_seeds`, the verdict rests on the differences within the seeds that both sides have.
    """

    say: Text
    lower: When
    higher: When
    metric: Metric
    within: PositiveFloat | None = None
    relation: Relation | None = Field(
        default=None,
        description="what is claimed: lower, or, with a margin, equivalent or no_worse",
    )
    pair_seeds: bool = Field(default=False, description="whether the two sides are compared within seeds")
    published: tuple[Real, Real] | None = Field(
        default=None, description="the value of lower, then of higher"
    )
    source: Text
    verified: Verified = "memory"
    tier: Literal["ordering", "trend"] = "ordering"

    @property
    def states(self) -> Relation:
        """The relation that is claimed."""
        return self.relation or ("equivalent" if self.within else "lower")

    @property
    def margin(self) -> float | None:
        """By how much the sides may differ. None if the claim is that one side is lower."""
        return None if self.states == "lower" else self.within or default_margin(self.metric)

    @model_validator(mode="after")
    def _relation_can_be_judged(self) -> Self:
        if self.lower == self.higher:
            raise refusal("compares trials with themselves", "let lower and higher differ")
        if self.states == "lower" and self.within:
            raise refusal("has a margin, but the relation lower needs none", "leave out within or relation")
        if self.states == "no_worse" and self.metric.endswith(MORE_IS_BETTER):
            what = f"says that lower is no worse, and of {self.metric} more is better"
            raise refusal(what, "give an error or a loss as the metric, or the relation equivalent")
        if self.states != "lower" and self.margin is None:
            raise refusal(f"has no margin, and {self.metric} has no default", "give the margin as within")
        return self

    @model_validator(mode="after")
    def _published_numbers_agree(self) -> Self:
        if self.published is None:
            return self
        _fraction(self.metric, *self.published)
        gap = self.published[1] - self.published[0]
        if self.metric.startswith("steps_to@"):
            if min(self.published) <= 0:
                raise refusal("gives 0 or fewer steps as published", "give steps, or their ratio to 1")
            low, high = sorted(self.published)
            gap = (high / low - 1) * (1 if gap > 0 else -1)
        margin = (self.margin or 0) + 1e-12 * max(1, *map(abs, self.published))  # 0.07 - 0.06 > 0.01
        wrong = {"lower": gap <= 0, "equivalent": abs(gap) > margin, "no_worse": gap < -margin}
        if wrong[self.states]:
            raise refusal("is not what its published numbers say", "give the value of lower first")
        return self


class Published(Frozen):
    """What one paper reports: its claim, its recipe and its numbers.

    paper, claim: the paper, and its claim in a sentence; None for references that a configuration lists.
    protocol: for each dotted key of the settings, the paper's value or a list of acceptable values.
    references: its numbers. claims: its statements on pairs of groups. own: how many of these, the last ones,
    are no statements of the paper, because the configuration has added them.
    """

    paper: str | None = None
    claim: str | None = None
    protocol: Keys = Field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    claims: tuple[Claim, ...] = ()
    own: NaturalInt = 0
    note: str | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Published:
        """The inverse of `model_dump(mode="json")`. Raises ValueError."""
        return cls.model_validate_json(json.dumps(data))


def names() -> tuple[str, ...]:
    """The names of the papers that come with the package, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def read_published(name: str) -> Published:
    """The paper in `references/<name>.yaml`.

    Raises ConfigError if there is no such paper, or with every problem of its file.
    """
    if name not in names():
        raise ConfigError.of("", "references", f"there is no paper {name!r}", suggest(name, names()))
    path = FOLDER / f"{name}.yaml"
    document = yaml_text.parse(yaml_text.read_text(path), str(path))
    draft = problems.Draft(str(path), document.lines, list(document.problems))
    paper = draft.validate(Published, document.value, lambda key: key)
    for key in ("paper", "claim"):
        if paper and not getattr(paper, key):
            draft.wrong((), key, "is missing", "say it in a sentence")
    if draft.problems or paper is None:
        raise problems.refuse(draft.problems, str(path))
    return paper
