"""Parses YAML text into plain values, and notes the line of each value.

It is stricter than PyYAML. Numbers, booleans and null are those of YAML 1.2's core schema: `1e-3` is a
number, and `no`, `on` and `12:30` are text. A repeated key is an error. Text must not be too long, too deeply
nested, or have too many values; an alias counts as a copy of what it names. Sequences become tuples, because
these cannot be changed by accident.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from resexp import durable
from resexp.errors import ConfigError, Problem

MAX_BYTES = 2**20
MAX_DEPTH = 20
MAX_NODES = 100_000

UNREAD: Any = object()
"""Stands for a value that could not be read. The document's `problems` say why."""

Key = tuple[str | int, ...]
"""The position of a value in its document: mapping keys and list indices from the top."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "null": r"null|Null|NULL|~|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_VALUES: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": lambda text: _int64(int(text, 0) if text[:2] in {"0o", "0x"} else int(text)),
    "float": lambda text: float(re.sub(r"\.(?=[inIN])", "", text)),
}


@dataclass(frozen=True)
class YamlDocument:
    """One YAML document: its value, the line of every value in it, and the problems found in it."""

    value: Any
    lines: Mapping[Key, int]
    problems: tuple[Problem, ...]


class _Limit(Exception):
    """A bound is exceeded. The arguments are the line and what is wrong."""


class _Loader(yaml.SafeLoader):
    """Makes nodes with the scalars of the core schema, and checks how many and how deeply nested they are."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  (none of PyYAML's own)
    depth = count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.count += 1
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
        _check_limits(self.depth, self.count, event.start_mark.line + 1)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _name, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)


def read_text(path: Path) -> str:
    """The text of a configuration file. Raises ConfigError if it cannot be read or is not UTF-8."""
    try:
        data = durable.read_bytes(path, MAX_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        missing = isinstance(error, FileNotFoundError)
        right = "give the path of a YAML file" if missing else "give a YAML file of a few kilobytes"
        wrong = (
            "does not exist" if missing else f"cannot be read: {getattr(error, 'strerror', None) or error}"
        )
        raise ConfigError.of(str(path), "", wrong, right) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{path}:{data.count(10, 0, error.start) + 1}"
        raise ConfigError.of(where, "", "is not UTF-8 text", "save the file as UTF-8") from None


def parse(text: str, name: str) -> YamlDocument:
    """The document in `text`. `name` is the file that messages name. Raises ConfigError if it is not YAML."""
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        wrong = f"holds the control character {bad.group()!r}"
        raise ConfigError.of(f"{name}:{line}", "", wrong, "remove it")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        builder = _Builder(name)
        value = builder.build(node, ()) if node else None
    except _Limit as limit:
        line, wrong = limit.args
        raise ConfigError.of(f"{name}:{line}", "", wrong, "make the configuration smaller") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        words = ", ".join(filter(None, (error.context, error.problem)))
        right = "check the indentation, quotes and brackets here"
        raise ConfigError.of(where, "", f"is not valid YAML: {words}", right) from None
    except (ValueError, OverflowError):  # PyYAML raises these for escapes beyond Unicode
        raise ConfigError.of(name, "", "has an escape for no known character", "remove it") from None
    return YamlDocument(value, builder.lines, tuple(builder.problems))


def _int64(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _check_limits(depth: int, count: int, line: int) -> None:
    if depth > MAX_DEPTH + 1:  # scalars in the deepest allowed list are one level deeper
        raise _Limit(line, f"is nested more than {MAX_DEPTH} deep")
    if count > MAX_NODES:
        raise _Limit(line, f"holds more than {MAX_NODES:,} values")


@dataclass
class _Builder:
    """Turns nodes into values. An alias becomes a copy, and its values count towards MAX_NODES."""

    name: str
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def build(self, node: yaml.Node, key: Key) -> Any:
        line = node.start_mark.line + 1
        self.lines[key] = min(line, self.lines.get(key, line))
        _check_limits(len(key) + 1, len(self.lines), line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.build(item, (*key, i)) for i, item in enumerate(node.value))
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first: dict[str, int] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            name = name_node.value
            if isinstance(name, str):  # Unicode can encode one name in several ways
                name = unicodedata.normalize("NFKC", name)
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != _TAG + "str":
                self._wrong(line, key, "has a key that is not text", "quote it, or write a name")
            elif name == "<<":
                self._wrong(line, (*key, name), "merge keys are not supported", "write the keys out")
            elif name in first:
                wrong = (
                    f"is given twice, first in line {first[name]}" if first[name] < line else "is given twice"
                )
                self._wrong(line, (*key, name), wrong, "keep one of them")
            else:
                first[name] = self.lines[*key, name] = line
                result[name] = self.build(value_node, (*key, name))
        return result

    def _scalar(self, node: yaml.ScalarNode, key: Key) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if any("\ud800" <= c <= "\udfff" for c in text):
            self._wrong(node.start_mark.line + 1, key, "holds half a character", "remove the \\u escape")
            return UNREAD
        if kind == "str":
            return text
        if kind not in _SCALARS or not re.fullmatch(_SCALARS[kind], text):
            self._wrong(node.start_mark.line + 1, key, f"has a tag that does not fit: {node.tag}", "drop it")
            return UNREAD
        try:
            return _VALUES[kind](text)
        except ValueError:
            self._wrong(node.start_mark.line + 1, key, "is too large a number", "use one of 64 bits at most")
            return UNREAD

    def _wrong(self, line: int, key: Key, wrong: str, right: str) -> None:
        self.problems.append(Problem(f"{self.name}:{line}", ".".join(map(str, key)), wrong, right))
