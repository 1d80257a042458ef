"""The catalog: what the syntax tree says about parts, and what it refuses."""

import inspect
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from resexp import options
from resexp.catalog import plugins, scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.signature import REQUIRED
from resexp.config.settings import models
from resexp.errors import ConfigError

PART = """
from typing import Literal
from resexp.options import PositiveInt

Mode = Literal["a", "b"]

class Connection: ...

class WideSum(Connection):
    "h' = f + f"

    def __init__(self, site=None, *, width: PositiveInt = 3, mode: Mode = "a",
                 names: tuple[str, ...] | None = None, must: float):
        self.width = width

class _Hidden(Connection): ...
class Helper: ...
"""


def plugin(folder: Path, name: str, text: str) -> tuple[Plugin, ...]:
    path = folder / name
    path.write_text(text)
    return (plugins.read_plugin(path),)


def test_reads_kind_doc_options_and_defaults(tmp_path: Path) -> None:
    part = scan.parts("connection", plugin(tmp_path, "wide.py", PART))["wide_sum"]
    assert (part.class_name, part.doc, part.line) == ("WideSum", "h' = f + f", 9)
    assert {name: o.annotation for name, o in part.options.items()} == {
        "width": options.PositiveInt,
        "mode": Literal["a", "b"],
        "names": tuple[str, ...] | None,
        "must": float,
    }
    assert [o.default for o in part.options.values()] == [3, "a", None, REQUIRED]


def test_leaves_out_private_classes_and_bases(tmp_path: Path) -> None:
    with_plugin = scan.parts("connection", plugin(tmp_path, "wide.py", PART))
    assert with_plugin.keys() - scan.parts("connection").keys() == {"wide_sum"}
    assert list(with_plugin) == sorted(with_plugin)


INHERITS = """
class Bare(ShortcutConnection): ...
class Handing(ShortcutConnection):
    def __init__(self, site, *, rate: float = 0.5, **shortcut: ShortcutKind): ...
class Narrower(ShortcutConnection):
    def __init__(self, site, *, shortcut: PadKind = "pad_end", **rest: str): ...
class Closed(ShortcutConnection):
    def __init__(self, site, *, rate: float = 0.5): ...
class Without(Connection): ...
class Open(Connection):
    def __init__(self, site, *, rate: float = 0.5, **rest: float): ...
"""


def test_a_constructor_that_is_absent_or_takes_two_stars_has_its_bases_options(tmp_path: Path) -> None:
    known = scan.parts("connection", plugin(tmp_path, "inherits.py", INHERITS))
    shortcut = {"shortcut": (options.ShortcutKind, "pad")}
    rate = {"rate": (float, 0.5)}
    expected = {
        "bare": shortcut,
        "handing": rate | shortcut,
        "narrower": {"shortcut": (options.PadKind, "pad_end")},
        "closed": rate,
        "without": {},
        "open": rate,
    }
    for kind, of in expected.items():
        found = {name: (o.annotation, o.default) for name, o in known[kind].options.items()}
        assert list(found.items()) == list(of.items()), kind
    assert "shortcut_connection" not in known


def test_loads_the_class_of_a_file_outside_the_package(tmp_path: Path) -> None:
    text = "from resexp.data.base import Source\nclass Mine(Source):\n    size = 5\n    facts = read = None\n"
    assert scan.part_class(scan.parts("data", plugin(tmp_path, "mine.py", text))["mine"]).size == 5


def test_a_base_that_only_has_the_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wide\.py:9: WideSum: has a base called Connection, but when"):
        scan.part_class(scan.parts("connection", plugin(tmp_path, "wide.py", PART))["wide_sum"])


def test_one_kind_twice_names_both_files(tmp_path: Path) -> None:
    files = plugin(tmp_path, "a.py", PART) + plugin(tmp_path, "b.py", PART)
    with pytest.raises(ConfigError, match=r"b\.py:9: WideSum: is defined in .*a\.py too"):
        scan.parts("connection", files)


@pytest.mark.parametrize(
    ("argument", "fragment"),
    [
        ("x", "a missing annotation is not a type that an option may have"),
        ("x: object = 1", "object is not a type that an option may have"),
        ("x: list[int] = ()", "list"),
        ("x: int = int('3')", "x: has a default that is known only when the file is run; write a value"),
        ("x: float = 2**0.5", "has a default that is known only when the file is run"),
    ],
)
def test_an_option_not_understood_names_its_line(tmp_path: Path, argument: str, fragment: str) -> None:
    text = f"class Odd(Connection):\n    def __init__(self, *, {argument}): ...\n"
    with pytest.raises(ConfigError) as caught:
        scan.parts("connection", plugin(tmp_path, "odd.py", text))
    assert "odd.py:2: Odd.x: " in str(caught.value)
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["('rank',)", "(Quantity(3),)", "(Quantity('rank', scale='cubic'),)", "(Quantity(name),)", "{'rank': 1}"],
)
def test_a_quantity_not_understood_names_its_line(tmp_path: Path, value: str) -> None:
    text = f"class Odd(Probe):\n    quantities = {value}\n"
    with pytest.raises(ConfigError, match=r"odd\.py:2: Odd\.quantities: is not a tuple .*; write it like"):
        scan.parts("probe", plugin(tmp_path, "odd.py", text))


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bad\.py:2: cannot be read"):
        scan.parts("connection", plugin(tmp_path, "bad.py", "x = 1\nclass (:\n"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("FashionMnist", "fashion_mnist"),
        ("Cifar10", "cifar10"),
        ("OneCycle", "one_cycle"),
        ("ImagenetResnet", "imagenet_resnet"),
        ("Mlp", "mlp"),
    ],
)
def test_snake_case(name: str, kind: str) -> None:
    assert scan.snake_case(name) == kind


REAL = [(role, kind) for role in scan.ROLES for kind in scan.parts(role)]


def constructors(loaded: type) -> Iterator[Callable[..., None]]:
    """Those that a keyword of the class's call reaches: the first, and the next while one takes `**`."""
    for owner in loaded.__mro__:
        if init := vars(owner).get("__init__"):
            yield init
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(init).parameters.values()):
                return


@pytest.mark.parametrize(("role", "kind"), REAL)
def test_the_syntax_tree_says_what_the_class_says(role: str, kind: str) -> None:
    loaded = scan.part_class(scan.parts(role)[kind])
    keywords: dict[str, object] = {}
    hints: dict[str, object] = {}
    for init in constructors(loaded):
        types = typing.get_type_hints(init, include_extras=True)
        for name, p in inspect.signature(init).parameters.items():
            if p.kind is p.KEYWORD_ONLY and name not in keywords:
                keywords[name] = p.default if p.default is not p.empty else REQUIRED
                hints[name] = types[name]
    part = scan.parts(role)[kind]
    assert {name: o.default for name, o in part.options.items()} == keywords
    assert {name: o.annotation for name, o in part.options.items()} == hints
    assert part.doc == inspect.getdoc(loaded)
    assert part.quantities == getattr(loaded, "quantities", ())


@pytest.mark.parametrize(("role", "kind"), REAL)
def test_defaults_fit_their_own_types(role: str, kind: str) -> None:
    given = {n: o.default for n, o in scan.parts(role)[kind].options.items() if o.default is not REQUIRED}
    common = {"kind": kind} | ({"depth": 8} if role == "model" else {})
    missing = {  # of a choice the first
        n: (*typing.get_args(o.annotation), "x")[0]
        for n, o in scan.parts(role)[kind].options.items()
        if o.default is REQUIRED
    }
    part = models(role)[kind].model_validate(common | missing | given)
    assert part.options() == missing | given
    types_kept = [type(v) for v in (missing | given).values()]
    assert [type(v) for v in part.options().values()] == types_kept, (
        "1 for 1.0 would change a trial's identity"
    )


def test_listing_and_validating_import_no_torch() -> None:
    code = (
        "import sys; from resexp.catalog import scan; from resexp.config.schema import json_schema;"
        "[scan.parts(r) for r in scan.ROLES]; json_schema();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_part_builds_itself_from_its_options() -> None:
    sgd = models("optimizer")["sgd"].model_validate({"kind": "sgd", "lr": 0.5})
    assert sgd.info == scan.parts("optimizer")["sgd"]
    assert sgd.build().lr == 0.5
    assert sgd.build(lr=0.25).lr == 0.25
