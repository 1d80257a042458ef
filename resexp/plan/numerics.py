"""Gives code a version that is raised when a correction changes the numbers it computes. Then only the
trials that use this code are trained again.

A part declares its version in the body of its class, as in `numerics = 2`; subclasses do not inherit it.
Choices that are not parts, such as an initialisation, have their versions in `CHOICES`. `PROGRAM` is the
version of the code that every trial uses; messages call it resexp. A version that is not declared is 1, and
only other versions enter a trial's identity. The versions of a trial's probes enter it too, because their
readings during training can only be taken again by training again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.probe_name import kind_and_network
from resexp.plan.dotted import value_at

PROGRAM = 1
"""Raise this if a change of the code changes the numbers of every trial."""

ROLES_OF = {"probes": "probe", "discriminator": "model"}
"""The role of the parts at a key, if the key has another name than the role."""
TOGETHER = " with "
ABOVE = " > "
CHOICES: dict[str, dict[str, int]] = {
    "model.init": {"dirac": 2},  # version 2 adds noise to the identity
    "model.init with model.activation": dict.fromkeys(  # version 2 uses the activation's gain
        (
            *("he with tanh", "he with sigmoid", "he with gelu"),
            *("fixup with tanh", "fixup with sigmoid", "fixup with gelu"),
            *("orthogonal with tanh", "orthogonal with sigmoid", "orthogonal with gelu"),
            *("delta_orthogonal with relu", "delta_orthogonal with sigmoid", "delta_orthogonal with gelu"),
            *("looks_linear with tanh", "looks_linear with sigmoid"),
        ),
        2,
    ),
    "model.init with model.kind": dict.fromkeys(  # version 2 finds the centre of kernels with even sides
        (
            f"{init} with {kind}"
            for init in ("delta_orthogonal", "looks_linear")
            for kind in ("generator", "discriminator", "vit", "masked_autoencoder")
        ),
        2,
    ),
    "model.zero_outputs with model.span > 1": {"* with *": 2},  # version 2: 0 is a branch's last layer alone
    "task.normalise": {"*": 2},  # version 2 evaluates with the scale that the policy learned with
    "probes with training.clip": {"update_ratio with *": 2},  # version 2 clips, as the run does
    "probes with model.connection": {  # version 2 drops the blocks that the next step drops, or none
        "responses with stochastic_depth": 2,
        "gradient_norms with stochastic_depth": 2,
        "update_ratio with stochastic_depth": 2,
    },
    "probes with discriminator.norm": {  # version 2 judges with the statistics of the batch, as the run does
        "gradient_norms with batch": 2,
        "update_ratio with batch": 2,
        "sharpness with batch": 2,
    },
    "probes with model.pre_activation": {  # version 2 takes h before the steps that its branch shares with S
        "responses with both": 2,
    },
    # Version 2 takes no norm of the next layer, and takes layer norms along tokens. Behind an MLP, these are
    # in the branch with peri, and with post and deep_norm unless the MLP is the last of the branch. MLPs are
    # every second sub-layer, so one that is not the last needs a branch of three.
    "probes with model.order with model.norm with model.kind": {
        **{
            f"responses with pre with {norm} with {kind}": 2
            for norm in ("batch", "layer", "group")
            for kind in (
                *("resnet", "imagenet_resnet", "keyword_resnet", "mlp", "unet", "m_net"),
                *("imagenet_densenet", "generator", "discriminator"),
            )
        },
        **{
            f"responses with peri with layer with {kind}": 2
            for kind in ("transformer", "vit", "masked_autoencoder")
        },
    },
    "probes with model.order with model.norm with model.kind with model.block": {
        f"responses with pre with {norm} with densenet with bottleneck": 2
        for norm in ("batch", "layer", "group")
    },
    "probes with model.order with model.norm with model.kind with model.span > 2": {
        f"responses with {order} with layer with {kind} with *": 2
        for order in ("post", "deep_norm")
        for kind in ("transformer", "vit", "masked_autoencoder")
    },
}
"""For each dotted key of the settings, the values whose version is not 1, with their versions, such as
{"model.init": {"orthogonal": 2}} or, if two settings together decide, {"model.init with model.activation":
{"he with tanh": 2}}. At the keys `probes` and `model.connection`, values are kinds. The key "model.span > 2"
switches something on (see below) if the number at `model.span` is greater than 2.

The value "*" stands for any value but null, false, 0 and an empty text. Use it for settings that switch
something on, such as clipping, a crop, or a low starting rate.
"""

Settings = Mapping[str, Any]
"""A trial's settings as plain JSON data."""


def versions(settings: Settings, plugins: tuple[Plugin, ...] = ()) -> dict[str, int]:
    """The versions other than 1 of everything that the settings name. A key is a dotted key with the kind or
    value at its end, such as "model.connection.residual".

    Parts of plugins have no versions, because the hash of their code is in the identity.
    """
    by_path = {f"{path}.{kind}": _revised(role).get(kind, 1) for path, role, kind in named_parts(settings)}
    plugin_kinds = {kind for role in scan.ROLES for kind in _own(role, plugins)}
    by_path = {path: n for path, n in by_path.items() if path.rpartition(".")[2] not in plugin_kinds}
    by_path["resexp"] = PROGRAM
    choices = dict(CHOICES)
    if settings.get("discriminator"):
        choices |= {key.replace("model.", "discriminator."): values for key, values in CHOICES.items()}
    for key, values in choices.items():
        chosen = (_names(_at(settings, each)) for each in key.split(TOGETHER))
        for name in map(TOGETHER.join, product(*chosen)):
            by_path[f"{key}.{name}"] = values.get(name, values.get("*", 1))
    return {path: version for path, version in by_path.items() if version != 1}


def named_parts(value: Any, role: str = "", path: str = "") -> Iterator[tuple[str, str, str]]:
    """The dotted key, role and kind of every part in the settings. The key of every probe is `probes`."""
    if isinstance(value, dict):
        if role and isinstance(value.get("kind"), str):
            yield path, role, value["kind"]
        for key, item in value.items():
            if isinstance(item, dict | list | tuple):  # most values are of other types, and hold no parts
                inner = ROLES_OF.get(key, key if key in scan.ROLES else "")
                yield from named_parts(item, inner, f"{path}.{key}" if path else key)
    else:
        for item in value:
            if isinstance(item, dict | list | tuple):
                yield from named_parts(item, role, path)


def probe_version(name: str, settings: Settings) -> int:
    """Today's version of a probe of the package on a trial with these settings. `name` is what its rows say,
    as `probe_name` makes it.
    """
    found = versions({**settings, "probes": [{"kind": kind_and_network(name)[0]}]})
    return 1 + sum(version - 1 for path, version in found.items() if path.startswith("probes"))


def changed_parts(old: Mapping[str, int], new: Mapping[str, int]) -> list[str]:
    """The names of everything whose version differs between the two mappings."""
    paths = dict.fromkeys([*new, *old])
    return [part_name(path) for path in paths if old.get(path, 1) != new.get(path, 1)]


def part_name(path: str) -> str:
    """What messages call the thing that has a version: a kind, a choice, or the last word of a setting.
    `path` is its key, as `versions` makes it.
    """
    key, _, name = path.rpartition(".")
    pairs = zip(key.split(TOGETHER), name.split(TOGETHER), strict=True)
    return TOGETHER.join(at.rpartition(".")[2] if each == "*" else each for at, each in pairs)


@cache
def _revised(role: str) -> Mapping[str, int]:
    """The package's parts of a role whose version is not 1, as kind -> version."""
    return {kind: part.numerics for kind, part in scan.parts(role).items() if part.numerics != 1}


def _own(role: str, plugins: tuple[Plugin, ...]) -> list[str]:
    """The kinds of a role that the plugins define."""
    if not plugins:
        return []
    return [kind for kind, part in scan.parts(role, plugins).items() if part.plugin is not None]


def _names(value: Any) -> list[str]:
    """The names of what is chosen by a value of the settings: the kinds of parts, a text itself, and "*" for
    anything else that switches something on.
    """
    if isinstance(value, list | tuple):
        return [part["kind"] for part in value]
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
        return [str(value["kind"])]
    if isinstance(value, str):
        return [value] if value else []
    return [] if value in (None, False) else ["*"]


def _at(settings: Settings, key: str) -> Any:
    """The value at a dotted key, or whether it is a number above the one that the key names."""
    path, _, bound = key.partition(ABOVE)
    value = value_at(settings, path)
    return isinstance(value, int) and value > int(bound) if bound else value
