"""Plugins that nobody meant, or that an attacker did: made by a generator with a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

CONNECTION = '''\
{head}import torch
from resexp.connections.base import Connection
from resexp.options import Real
{before}

{decorator}class {name}({bases}):
    """h' = S h + c f(h)"""

    def __init__(self, site{options}):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)
        {init}

    def forward(self, h, f):
        {forward}


{after}
'''
SOUND = {
    "head": "",
    "before": "",
    "decorator": "",
    "name": "Hostile",
    "bases": "Connection",
    "options": "",
    "init": "pass",
    "forward": "return self.shortcut(h) + f(h)",
    "after": "",
}
SOURCE = '''\
import numpy as np
from resexp.data.base import Chunk, Facts, Source, chunks


class Hostile(Source):
    """Images."""

    def facts(self, image_size):
        return {facts}

    def read(self, split, image_size, progress):
        labels = np.arange(64 if split == "train" else 16) % 2
        images = np.zeros((len(labels), 8, 8, 1), np.uint8)
        {read}
'''
FACTS = 'Facts((1, 8, 8), "labels", ("up", "down"), (32, 32), (8, 8), "hostile")'
READ = "yield from chunks(images, labels, image_size)"

RAISED = (
    *(
        "SystemExit(0)",
        "SystemExit('bye')",
        "GeneratorExit",
        "StopIteration",
        "MemoryError()",
        "RecursionError",
    ),
    *(
        "OSError(2, 'x')",
        "BaseExceptionGroup('g', [SystemExit()])",
        "UnicodeDecodeError('a', b'b', 0, 1, 'c')",
    ),
    *("type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "Warning('w')", "SyntaxError('s')"),
    "type('E\\x1b[31m', (BaseException,), {})('\\x1b]0;title\\x07')",
)
OPTION_NAMES = (
    *("build", "options", "kind", "info", "model_config", "model_dump", "copy", "json", "schema", "_hidden"),
    *("__mangled", "__init__", "model_fields", "validate", "construct", "__class__"),
)
ANNOTATIONS = (
    *("a b", "'''", "[]", "Literal[1.5]", "Literal[[1]]", "Literal[()]", "int | ...", "tuple[int]"),
    *("' int '", "dict[str, int]", "lambda: 0", "A40", "tuple[A40, ...]"),
)
DEFAULTS = ("'text'", "None", "1e999", "-1" * 1, "[1]", "{}", "10 ** 9", "object()", "'x' * 9", "1j", "b'1'")
FORWARDS = (
    *(
        "return None",
        "return h",
        "return f(h)[..., :1]",
        "return f(h).to(torch.int64)",
        "return 'h'",
        "return ()",
    ),
    *(
        "return (f(h), 1)",
        "return f",
        "return f(f(h))",
        "return f(h).double()",
        "return f(h).item()",
        "1 / 0",
    ),
    *(
        "raise SystemExit(0)",
        "return f(h).numpy()",
        "return self.forward(h, f)",
        "del self.shortcut; return f(h)",
    ),
)
INITS = (
    *("self.out = 'wide'", "self.out = None", "self.out = -1", "self.out = 1.5", "self.branch = 10 ** 12"),
    *(
        "self.branch = 0",
        "self.out = 2 ** 80",
        "self.forward = None",
        "raise SystemExit(0)",
        "del self.shortcut",
    ),
    *("self.__class__ = object", "self.w = torch.empty(10 ** 15)", "site.index = 3", "self.parameters = 3"),
)
FACTS_RETURNED = (
    *("None", "{}", "Facts(None, None, None, None, None, None)", FACTS.replace("(1, 8, 8)", "(-1, 8, 8)")),
    *(
        FACTS.replace("(32, 32)", "(32,)"),
        FACTS.replace('"labels"', '"lies"'),
        FACTS.replace('"hostile"', "7"),
    ),
    *(FACTS.replace("(8, 8), ", "('a', 'b'), "), FACTS.replace('"hostile"', '"../../out"'), "1 / 0"),
    *(FACTS.replace('("up", "down")', "()"), FACTS.replace("(1, 8, 8)", "(10 ** 9, 10 ** 9, 10 ** 9)")),
)
READS = (
    *(
        "yield None",
        "return None",
        "return [1, 2]",
        "yield Chunk(None, None)",
        "yield Chunk(images[:0], labels[:0])",
    ),
    *("yield from chunks(images.astype(float), labels, image_size)", "yield Chunk(images, labels - 5)"),
    *(
        "yield Chunk(images, labels + 10 ** 9)",
        "yield Chunk(images[..., 0], labels)",
        "yield Chunk(images, None)",
    ),
    *(
        "yield Chunk(images, labels.astype(str))",
        "yield Chunk(images.tolist(), labels.tolist())",
        "raise SystemExit(0)",
    ),
    *("yield Chunk(images, labels[:3])", "yield Chunk(images.astype(object), labels)"),
)
FILES = {
    "empty": b"",
    "null bytes": b"import torch\0\n",
    "an encoding that is none": b"# coding: nosuch\nx = 1\n",
    "latin-1 undeclared": b"x = '\xe9'\n",
    "utf-16": "x = 1\n".encode("utf-16"),
    "utf-7": b"# coding: utf-7\n+AGk-mport torch\n",
    "brackets without end": b"(" * 5000,
    "nested brackets": b"x = " + b"(" * 150 + b")" * 150,
    "a sum of 90,000": b"x = " + b"+".join([b"1"] * 90_000),
    "attributes 5,000 deep": b"x" + b".a" * 5000,
    "an integer of 5,000 digits": b"x = " + b"1" * 5000,
    "half a class": b"class Hostile(Connection",
    "a return outside": CONNECTION.format(
        **SOUND,
    ).encode()
    + b"return 1\n",
    "too large": b"#" * 2_000_000,
    "tabs and spaces": b"if 1:\n\tx = 1\n        y = 2\n",
    "blocks 120 deep": b"".join(b" " * i + b"if 1:\n" for i in range(120)) + b" " * 120 + b"x = 1\n",
    "imports itself": b"import hostile\n" + CONNECTION.format(**SOUND).encode(),
    "a built-in part's name": CONNECTION.format(**SOUND | {"name": "Residual"}).encode(),
    "the same part twice": CONNECTION.format(**SOUND).encode() * 2,
    "no part": b"import os\n",
}


def plugins() -> Iterator[tuple[str, bytes]]:
    """Names of what is wrong, and the plugin that has it: connections first, then data sets."""
    dice = random.Random(0)
    yield from FILES.items()

    def connection(what: str, **changes: str) -> tuple[str, bytes]:
        return what, CONNECTION.format(**SOUND | changes).encode()

    for what in RAISED:
        yield connection(f"raises {what}", **{dice.choice(["before", "after"]): f"raise {what}"})
    for name in OPTION_NAMES:
        yield connection(f"option {name}", options=f", *, {name}: Real = 0.1")
    aliases = "A0 = int\n" + "\n".join(f"A{i + 1} = A{i} | A{i}" for i in range(40))
    for annotation in ANNOTATIONS:
        quoted = repr(annotation)
        yield connection(
            f"type {annotation}",
            head="from __future__ import annotations\n",
            options=f", *, a: {quoted} = 1",
            before=f"if 0:\n    pass\n{aliases}" if "A40" in annotation else "",
        )
    for members in (3000, 25):
        union = " | ".join(dice.choice(["int", "str", "None", "float"]) for _ in range(members))
        yield connection(
            f"a union of {members}",
            head="from __future__ import annotations\n",
            options=f", *, a: {union} = 1",
        )
    yield connection(
        "a Literal of 3,000",
        head="from typing import Literal\n",
        options=f", *, a: Literal[{', '.join(map(str, range(3000)))}] = 1",
    )
    yield connection("1,000 options", options=", *, " + ", ".join(f"a{i}: Real = {i}" for i in range(1000)))
    yield connection("a default of 900,000 letters", options=f", *, a: str = '{'x' * 900_000}'")
    for default in DEFAULTS:
        yield connection(f"default {default}", options=f", *, a: Real = {default}")
    for forward in FORWARDS:
        yield connection(f"forward: {forward}", forward=forward)
    for init in INITS:
        yield connection(f"__init__: {init}", init=init)
    for bases in (
        "Connection, Connection",
        "Connection, int",
        "Connection, metaclass=print",
        "Connection, *[]",
    ):
        yield connection(f"bases {bases}", bases=bases)
    yield connection("a base that only has the name", before="class Connection: pass")
    for decorated in ("None", "3", "lambda *a: a", "type('X', (), {})", "lambda: 1 / 0"):
        yield connection(
            f"decorated: {decorated}", decorator="@decorate\n", before=f"decorate = lambda c: {decorated}"
        )
    for after in (
        "del Hostile",
        "Hostile = 3",
        "Hostile.__init__ = None",
        "import sys; del sys.modules[__name__]",
    ):
        yield connection(f"afterwards: {after}", after=after)
    yield connection("a name of 10,000 letters", name="H" * 10_000)
    yield connection("a name of other letters", name="Ω\u0301ßﬁ")


def sources() -> Iterator[tuple[str, bytes]]:
    """Data sets whose facts or images are not what they should be."""
    for facts in FACTS_RETURNED:
        yield f"facts {facts[:40]}", SOURCE.format(facts=facts, read=READ).encode()
    for read in READS:
        yield f"read: {read}", SOURCE.format(facts=FACTS, read=read).encode()
