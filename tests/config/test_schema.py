"""The JSON Schema of a configuration file with parts of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resexp.config.load import read_plugins
from resexp.config.schema import json_schema, known_keys

CONNECTION = '''\
from resexp.connections.base import Connection
from resexp.options import Real


class Damped(Connection):
    """h' = S h + tanh(a) f(h)"""

    def __init__(self, site, *, strength: Real = 0.1):
        super().__init__(site)
'''
TRUNK = '''\
from resexp.models.base import Trunk


class Tower(Trunk):
    """A trunk."""

    def __init__(self, *, floors: int = 3):
        self.floors = floors
'''


@pytest.fixture
def schema(tmp_path: Path) -> dict[str, Any]:
    files = [tmp_path / "damped.py", tmp_path / "tower.py"]
    for file, text in zip(files, (CONNECTION, TRUNK), strict=True):
        file.write_text(text)
    return json_schema(read_plugins(files))


def resolved(schema: dict[str, Any], place: dict[str, Any], kind: str) -> dict[str, Any]:
    """What an editor finds under a kind, at a place that holds a part."""
    names, union = place["anyOf"]
    assert kind in names["enum"]
    reference = union["discriminator"]["mapping"][kind]
    assert {"$ref": reference} in union["oneOf"]
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    assert found["properties"]["kind"]["const"] == kind
    return found


def test_a_plugins_parts_stand_wherever_their_role_does(schema: dict[str, Any]) -> None:
    resnet = resolved(schema, schema["properties"]["model"], "resnet")
    tower = resolved(schema, schema["properties"]["model"], "tower")
    assert tower["properties"]["floors"]["default"] == 3
    for trunk in (resnet, tower):  # a plugin's trunk takes a plugin's connection, and the package's
        damped = resolved(schema, trunk["properties"]["connection"], "damped")
        assert damped["properties"]["strength"]["default"] == 0.1
        resolved(schema, trunk["properties"]["connection"], "residual")


def test_a_plugins_options_can_be_swept(schema: dict[str, Any]) -> None:
    keys = schema["properties"]["sweep"]["anyOf"][0]["propertyNames"]["enum"]
    assert {"model.connection.strength", "model.floors", "model.depth"} <= set(keys)


def test_what_a_sweep_may_supply_is_not_required_of_a_plugin_either(schema: dict[str, Any]) -> None:
    assert "depth" not in resolved(schema, schema["properties"]["model"], "tower")["required"]


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(node: Any) -> set[str]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        own = {node["$ref"]} if isinstance(node, dict) and isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, inner))

    assert references(schema) <= {f"#/$defs/{name}" for name in schema["$defs"]}


def test_the_packages_own_schema_is_as_before(schema: dict[str, Any]) -> None:
    assert "model.connection.strength" not in known_keys()
    own = json_schema()
    assert "damped" not in str(own)
    assert schema["$defs"].keys() - own["$defs"].keys() == {"DampedConnectionConfig", "TowerModelConfig"}
    for kind in ("ResidualConnectionConfig", "SyntheticDataConfig"):
        assert schema["$defs"][kind] == own["$defs"][kind]
