"""Refuses options that change a trial's id, but nothing in what is trained or measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING, Any, Final, cast

from resexp.errors import Problem

if TYPE_CHECKING:
    from resexp.config.load import Experiment, Point

TOKENS = ("transformer", "vit", "masked_autoencoder")
"""The trunks whose blocks are those of `models/encoder.py`."""
NO_SHORTCUT = ("plain", "skip_input")
"""The connections that build no S."""

Rule = tuple[str, tuple[str, ...], str, Callable[[Any], bool], str]
RULES: Final[tuple[Rule, ...]] = (
    ("model", ("transformer",), "mlp_ratio", lambda m: not m.mlp, "mlp: false"),
    ("model", ("transformer",), "dropout_at", lambda m: not m.dropout, "dropout: 0"),
    (
        *("model", ("transformer",), "dropout"),
        lambda m: m.dropout_at == "mlp" and not m.mlp,
        "dropout_at: mlp and mlp: false",
    ),
    (
        *("model", ("transformer",), "dropout"),
        lambda m: m.dropout_at == "skip" and (not m.span or m.connection.kind in NO_SHORTCUT),
        "dropout_at: skip and no shortcut",
    ),
    ("model", ("unet",), "long_skip", lambda m: m.levels == 1, "levels: 1"),
    ("task", ("adversarial",), "penalty_weight", lambda t: t.loss != "wgan_gp", "a loss other than wgan_gp"),
    ("training.optimizer", ("adamw",), "decay_on", lambda o: not o.weight_decay, "weight_decay: 0"),
    ("training.optimizer", ("sgd",), "nesterov", lambda o: not o.momentum, "momentum: 0"),
    ("training.schedule", ("cosine",), "after_warmup", lambda s: not s.warmup, "warmup: 0"),
)
"""The settings of a part, its kinds, one of its options, whether the part's other settings leave that option
without effect, and which of them do so.

Options that do nothing in plain nets, or without norms, are not listed, because both are usually swept beside
others.
"""


def unused(experiment: Experiment) -> Iterator[Problem]:
    """A problem for each option that is not at its default, though other settings leave it without effect.

    An option that has one value in the whole sweep, and acts at some of its points, is accepted. So a sweep
    over dropout may begin at 0. If the plan is only a part of the file's sweep, nothing is refused, because
    the option may act in the rest.
    """
    if experiment.partial:
        return
    for rule in RULES:
        for key in (rule[0], "discriminator") if rule[0] == "model" else (rule[0],):
            yield from _idle(experiment.points, key, rule)
    for key, point in product(("model", "discriminator"), experiment.points):
        model: Any = getattr(point.settings, key)
        if model is None or model.kind not in TOKENS or model.span:
            continue
        if model.connection.kind not in ("plain", "residual"):
            name = f"{key}.connection"
            wrong = f"{model.connection.kind} has no effect with span: 0, which removes all shortcuts"
            right = "residual, of which span: 0 leaves the branches, or a span of at least 1"
            yield Problem(point.where(name), name, wrong, right)


def _idle(points: Sequence[Point], key: str, rule: Rule) -> Iterator[Problem]:
    """A problem for each point at which the option of the rule has no effect."""
    _, kinds, name, idle, cause = rule
    parts = [(point, reduce(getattr, key.split("."), cast("Any", point.settings))) for point in points]
    having = [
        (point, part)
        for point, part in parts
        if part is not None and not part.info.plugin and part.kind in kinds
    ]
    if len({getattr(part, name) for _, part in having}) == 1 and not all(idle(part) for _, part in having):
        return
    for point, part in having:
        default = type(part).model_fields[name].default
        if idle(part) and getattr(part, name) != default:
            value = str(default).lower() if isinstance(default, bool) else default
            right = f"leave it at {value}, or set it by overrides where it acts"
            yield Problem(point.where(f"{key}.{name}"), f"{key}.{name}", f"has no effect with {cause}", right)
