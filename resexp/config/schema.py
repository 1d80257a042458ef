"""The shape of a configuration file: what stands beside the settings, the known keys, the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, Field

from resexp.catalog.plugins import Plugin
from resexp.config.fields import nested_model, role_of
from resexp.config.published import Reference, names
from resexp.config.settings import ROLE_CONFIGS, Frozen, Settings, models


class RuleText(Frozen):
    """Where every key of `when` has the value given, or one of those listed, `set` is laid over the point."""

    when: Annotated[dict[str, Any], Field(min_length=1)]
    set: Annotated[dict[str, Any], Field(min_length=1)]


SAFE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"


class TierText(Frozen):
    """Another size of the experiment: `set` is laid over the base, `sweep` and `tune` over the file's, axis
    by axis; one set to [] or null is dropped. Where either sweep is a list, the tier's replaces the file's.
    """

    set: dict[str, Any] = Field({})
    sweep: Any = Field({})
    tune: Any = Field({})


class Header(Frozen):
    """What a file says beside the settings of its trials."""

    name: Annotated[str, Field(pattern=SAFE_NAME)] = Field(
        description="the results' folder: letters, digits, _ . -, at most 64"
    )
    why: str = Field("", description="the question that the experiment asks")
    expect: dict[str, str] = Field(
        {}, description="by tier (`full` is the file as it stands): the trials, their time, and what came out"
    )
    sweep: Any = Field(
        {}, description="dotted keys to lists: their product; or a list of such mappings: the union"
    )
    plugins: tuple[str, ...] = Field(
        (), description="files of your own parts, from this file's folder; also --plugin"
    )
    tune: Any = Field(
        {}, description="axes of which the report keeps the value with the least validation error"
    )
    overrides: tuple[RuleText, ...] = ()
    tiers: dict[str, TierText] = Field({}, description="other sizes of the experiment, chosen by --tier")
    references: tuple[Reference, ...] = Field(
        (), description="published numbers, or the name of the paper that they come from"
    )


class _File(Header, Settings):
    """A whole configuration file."""


@cache
def known_keys(plugins: tuple[Plugin, ...] = ()) -> tuple[str, ...]:
    """Every dotted key that a sweep, a rule or the command line can name, whatever the kinds of the parts."""
    return tuple(dict.fromkeys(_keys(Settings, "", plugins)))


def _keys(model: type[BaseModel], prefix: str, plugins: tuple[Plugin, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        role, nested = role_of(field), nested_model(field)
        for inner in models(role, plugins).values() if role else [nested] if nested else []:
            yield from _keys(inner, f"{prefix}{name}.", plugins)


def json_schema(plugins: tuple[Plugin, ...] = ()) -> dict[str, Any]:
    """The JSON Schema of a configuration file, for editors; with the plugins' parts among the package's.

    What a sweep or a rule may supply is not required here; `load` checks every point in full.
    """
    schema = _File.model_json_schema()
    _admit(schema, plugins)
    for model in (schema, *schema["$defs"].values()):
        fixed = {"when", "set", "metric", "value", "statistic", "source", "kind", "name"}
        model["required"] = [key for key in model.get("required", ()) if key in fixed]
    keys = {"enum": list(known_keys(plugins))}
    grid = {"type": "object", "propertyNames": keys, "additionalProperties": {"type": "array", "minItems": 1}}
    schema["properties"]["sweep"] |= {"anyOf": [grid, {"type": "array", "items": grid}]}
    schema["properties"]["tune"] |= grid
    listed = schema["properties"]["references"]
    listed["anyOf"] = [{k: listed.pop(k) for k in ("type", "items")}, {"enum": list(names())}]
    for rule in ("RuleText", "Reference", "TierText"):
        properties = schema["$defs"][rule]["properties"]
        for name in properties.keys() & {"when", "set"}:
            properties[name]["propertyNames"] = keys
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "resexp configuration",
    }


def _admit(schema: dict[str, Any], plugins: tuple[Plugin, ...]) -> None:
    """Add the plugins' parts to the definitions, and to each place that may hold a part of their role."""
    roles = {f"#/$defs/{model.__name__}": role for role in ROLE_CONFIGS for model in models(role).values()}
    further = {r: sorted(models(r, plugins).keys() - models(r).keys()) for r in ROLE_CONFIGS}
    for role, added in further.items():
        for kind in added:
            model = models(role, plugins)[kind]
            described = model.model_json_schema()
            schema["$defs"] |= described.pop("$defs", {})
            schema["$defs"][model.__name__] = described
    for kinds, union in list(_choices(schema)):
        mapping = union["discriminator"]["mapping"]
        role = roles[next(iter(mapping.values()))]
        for kind in further[role]:
            mapping[kind] = f"#/$defs/{models(role, plugins)[kind].__name__}"
            union["oneOf"].append({"$ref": mapping[kind]})
            kinds["enum"].append(kind)


def _choices(node: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every place that holds a part: the list of its kinds, and the union of their descriptions."""
    if isinstance(node, dict) and "discriminator" in (node.get("anyOf") or [{}])[-1]:
        kinds, union = node["anyOf"]
        yield kinds, union
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _choices(inner)
