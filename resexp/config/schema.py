"""Says which keys a configuration file may have: as models, as a list of dotted keys and as JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from resexp.catalog.plugins import Plugin
from resexp.config import expectation
from resexp.config.fields import nested_model, role_of
from resexp.config.frozen import Frozen, refusal
from resexp.config.published import Claim, Reference, names
from resexp.config.settings import ROLE_CONFIGS, Settings, models
from resexp.config.yaml_text import Key


class RuleText(Frozen):
    """A rule of `overrides`: it makes the changes `set` at the points of the sweep where each key in `when`
    has the given value, or one of a list of values.
    """

    when: Annotated[dict[str, Any], Field(min_length=1)]
    set: Annotated[dict[str, Any], Field(min_length=1)]


SAFE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"


class TierText(Frozen):
    """Another size of the experiment.

    `set` changes settings of the file. An axis in `sweep` or `tune` replaces the file's axis of the same key,
    or removes it if its value is [] or null. If the sweep of the file or of the tier is a list, the tier's
    sweep replaces all of the file's.
    """

    set: dict[str, Any] = Field({})
    sweep: Any = Field({})
    tune: Any = Field({})


def _understood(text: str) -> str:
    try:
        expectation.parse(text)
    except expectation.NotUnderstoodError as error:
        raise refusal(str(error), error.right) from None
    return text


Check = Annotated[str, AfterValidator(_understood)]


class Header(Frozen):
    """The keys of a configuration file that are not settings of a trial."""

    name: Annotated[str, Field(pattern=SAFE_NAME)] = Field(
        description="name of the results folder: at most 64 letters, digits, _ . -"
    )
    why: str = Field("", description="the question that the experiment asks")
    expect: dict[str, str] = Field(
        {},
        description="a note on each tier (`full` is the file as it stands): its trials, their time, and what "
        "came out",
    )
    sweep: Any = Field(
        {},
        description="a list of values for each dotted key; all combinations are trials. Or a list of such "
        "mappings, each with its own combinations",
    )
    plugins: tuple[str, ...] = Field(
        (), description="files with your own parts, relative to this file; also --plugin"
    )
    tune: Any = Field(
        {}, description="axes as in sweep; the report shows the values with the least validation error"
    )
    overrides: tuple[RuleText, ...] = ()
    tiers: dict[str, TierText] = Field({}, description="other sizes of the experiment, chosen by --tier")
    checks: tuple[Check, ...] = Field(
        (), description="what `resexp check` expects, such as `test_error(residual, 20) < 3 %`"
    )
    references: tuple[Reference, ...] = Field(
        (), description="published numbers, or the name of the paper that they come from"
    )
    claims: tuple[Claim, ...] = Field(
        (),
        description="statements on two groups of trials; the report judges them like those of a paper",
    )

    def conditions(self) -> Iterator[tuple[Key, Mapping[str, Any]]]:
        """Conditions by which published numbers and claims select trials, with their places in the file."""
        for i, reference in enumerate(self.references):
            yield ("references", i, "when"), reference.when
        for i, claim in enumerate(self.claims):
            yield ("claims", i, "lower"), claim.lower
            yield ("claims", i, "higher"), claim.higher


class _File(Header, Settings):
    """A whole configuration file."""


@cache
def known_keys(plugins: tuple[Plugin, ...] = ()) -> tuple[str, ...]:
    """Every dotted key that a sweep, a rule or the command line can name. The options of all parts are among
    them.
    """
    return tuple(dict.fromkeys(_keys(Settings, "", plugins)))


def _keys(model: type[BaseModel], prefix: str, plugins: tuple[Plugin, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        role, nested = role_of(field), nested_model(field)
        for inner in models(role, plugins).values() if role else [nested] if nested else []:
            yield from _keys(inner, f"{prefix}{name}.", plugins)


def json_schema(plugins: tuple[Plugin, ...] = ()) -> dict[str, Any]:
    """The JSON Schema of a configuration file, for editors. It includes the plugins' parts.

    It requires few keys, because a sweep or a rule may supply the others. `load` checks every point.
    """
    schema = _File.model_json_schema()
    _add_plugins(schema, plugins)
    for model in (schema, *schema["$defs"].values()):
        fixed = {"when", "set", "metric", "value", "statistic", "source", "kind", "name"}
        model["required"] = [key for key in model.get("required", ()) if key in fixed]
    keys = {"enum": list(known_keys(plugins))}
    grid = {"type": "object", "propertyNames": keys, "additionalProperties": {"type": "array", "minItems": 1}}
    schema["properties"]["sweep"] |= {"anyOf": [grid, {"type": "array", "items": grid}]}
    schema["properties"]["tune"] |= grid
    listed = schema["properties"]["references"]
    listed["anyOf"] = [{k: listed.pop(k) for k in ("type", "items")}, {"enum": list(names())}]
    for rule in ("RuleText", "Reference", "Claim", "TierText"):
        properties = schema["$defs"][rule]["properties"]
        for name in properties.keys() & {"when", "set", "lower", "higher"}:
            properties[name]["propertyNames"] = keys
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "resexp configuration",
    }


def _add_plugins(schema: dict[str, Any], plugins: tuple[Plugin, ...]) -> None:
    """Add the plugins' parts to the definitions, and to each field that holds a part of their role."""
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
    """For every field that holds a part, the schema of its kinds' names and the union of their schemas."""
    if isinstance(node, dict) and "discriminator" in (node.get("anyOf") or [{}])[-1]:
        kinds, union = node["anyOf"]
        yield kinds, union
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _choices(inner)
