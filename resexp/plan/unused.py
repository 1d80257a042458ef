"""Refuses options that change a trial's id, but nothing in what is trained or measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from resexp.errors import Problem

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.base import Facts

TOKENS = ("transformer", "vit", "masked_autoencoder")
"""The trunks whose blocks are those of `models/encoder.py`."""
NO_SHORTCUT = ("plain", "skip_input")
"""The connections that build no S."""

Rule = tuple[str, tuple[str, ...], str, Callable[[Any], bool], str]
RULES: Final[tuple[Rule, ...]] = (
    ("model", TOKENS, "span", lambda m: not m.span and m.connection.kind == "plain", "connection: plain"),
    ("model", TOKENS, "order", lambda m: m.norm == "none" and m.order != "deep_norm", "norm: none"),
    ("model", (), "order", lambda m: m.norm == "none" and m.order == "bn_after_add", "norm: none"),
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
    ("model", ("resnet",), "pre_activation", lambda m: m.connection.kind == "plain", "connection: plain"),
    ("model", ("unet",), "long_skip", lambda m: m.levels == 1, "levels: 1"),
    ("model", ("svbm",), "beta", lambda m: m.connection.kind == "plain", "connection: plain"),
    ("model", ("svbm",), "rule", lambda m: m.connection.kind == "plain", "connection: plain"),
    ("task", ("adversarial",), "penalty_weight", lambda t: t.loss != "wgan_gp", "a loss other than wgan_gp"),
    ("training.optimizer", ("adamw",), "decay_on", lambda o: not o.weight_decay, "weight_decay: 0"),
    ("training.optimizer", ("sgd",), "nesterov", lambda o: not o.momentum, "momentum: 0"),
    ("training.schedule", ("cosine",), "after_warmup", lambda s: not s.warmup, "warmup: 0"),
)
"""The settings of a part, its kinds (if there are none: all of the package's), one of its options, whether
the part's other settings leave that option without effect, and which of them do so.
"""


def unused(settings: Settings, facts: Facts) -> Iterator[Problem]:
    """A problem for each option that is not at its default, though other settings leave it without effect."""
    for place, kinds, name, idle, cause in RULES:
        for key in (place, "discriminator") if place == "model" else (place,):
            part: Any = reduce(getattr, key.split("."), settings)
            if part is None or part.info.plugin or part.kind not in (kinds or (part.kind,)) or not idle(part):
                continue
            default = type(part).model_fields[name].default
            if getattr(part, name) != default:
                right = f"leave it at {str(default).lower() if isinstance(default, bool) else default}"
                yield Problem("", f"{key}.{name}", f"has no effect with {cause}", right)
    for key in ("model", "discriminator"):
        model: Any = getattr(settings, key)
        if model is None or model.kind not in TOKENS or model.span:
            continue
        if model.connection.kind not in ("plain", "residual"):
            wrong = f"{model.connection.kind} has no effect with span: 0, which removes all shortcuts"
            right = "residual, of which span: 0 leaves the branches, or a span of at least 1"
            yield Problem("", f"{key}.connection", wrong, right)
    yield from _unwarmed(settings, facts)


def _unwarmed(settings: Settings, facts: Facts) -> Iterator[Problem]:
    """A problem if the warm-up is too short to lower the rate of any step. In its last step the rate is that
    of the schedule.
    """
    training, task = settings.training, settings.task.build()
    schedule = training.schedule
    examples, passes = facts.train, 1
    if task.targets == "actions":
        examples, passes = task.games * task.rollout, task.passes
    per_epoch = passes * (examples // max(1, min(training.batch_size, examples)))
    total = training.iterations or (training.epochs or 0) * per_epoch
    steps, least = round(schedule.warmup * total), 1 if getattr(schedule, "after_warmup", False) else 2
    if schedule.warmup and steps < least:
        wrong = f"{schedule.warmup} has no effect: it is {steps} of {total} steps"
        right = f"leave it out, or give a warm-up of at least {least} steps"
        yield Problem("", "training.schedule.warmup", wrong, right)
