"""Configurations that nobody meant, or that an attacker did: made by a generator with a fixed seed."""

from __future__ import annotations

import copy
import random
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from resexp.catalog import scan

SMALL = {
    "name": "x",
    "data": {"kind": "synthetic", "size": 8, "train": 32, "test": 16},
    "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": {"kind": "residual"}},
    "training": {"epochs": 1, "batch_size": 16},
}
FITTING: dict[str, dict[str, Any]] = {
    "transformer": {"data": "python_topics", "task": "language"},
    "masked_autoencoder": {"task": "masked_autoencoding"},
    "unet": {"data": {"kind": "digit_scenes", "train": 16, "test": 8}, "task": "segmentation"},
    "svbm": {"data": {"kind": "table", "name": "iris"}},
}
"""What goes with a model, where it is not the data and the task of SMALL."""

NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, 7, 8, 13, 56, 110, 1202, 4096, 10_000, 65_536, 10**6, 10**9, 2**31, 2**63, 10**30, -1),
    *(0.0, 0.5, 1.0, -0.5, 1e-300, 1e300, float("nan"), float("inf"), 1e999, True, None, "8", "", [8], {}),
)
TEXTS = (
    *(
        "",
        " ",
        ".",
        "..",
        "/",
        "~",
        "~nobody-here",
        "$HOME",
        "$NOT_SET",
        "${",
        "con",
        "-",
        "--help",
        "\\",
        "%s",
    ),
    *("{}", "a/b", "../../x", "/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/1/root", "x" * 5000, "{0}"),
    *("[/x]", "[red]", "[link=x]", "<script>", "\x1b[31m", "\x1b]0;t\x07", "\u202eevil", "\u200b", "\ufeff"),
    *(
        "e\u0301",
        "\u00e9",
        "\ufb01",
        "\u2160",
        "\U0001f600",
        "\u0130",
        "\u0345",
        "\u0661",
        "\uff11",
        "\ue000",
    ),
    *("null", "no", "0x10", "1e3", "1_000", "12:30", ".inf", "2001-01-01", "=", "<<", "*a", "&a", "!x", "?"),
)
PIECES = (
    *(
        "&a [*a]",
        "*nothing",
        "&a &b x",
        "!!python/object/apply:os.system [id]",
        "!!binary aGk=",
        "!!set {a, b}",
    ),
    *(
        "!<tag:yaml.org,2002:int> x",
        "!!float .nan",
        "!!null x",
        "!!str 8",
        "!!int '8'",
        "? [a]\n: b",
        "|\n  x",
    ),
    *(">-\n  y", "'", '"', "\t", "%YAML 9.9", "---", "...", "@x", "`x", "{a: 1, a: 2}", "[1, [2, [3"),
    *('"\\U7fffffff"', '"\\ud800"', '"\\0"', "0o17", "0b1", "+1", "- - - x", "{<<: {a: 1}}", "{? a, ? b}"),
)


@dataclass(frozen=True)
class Case:
    """A file `x.yaml` of these bytes, and what follows it on the command line."""

    what: str
    text: bytes
    arguments: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)


def written(what: str, tree: Any, *arguments: str) -> Case:
    text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=10**6)
    return Case(what, text.encode("utf-8", "surrogatepass"), arguments)


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **parts}


def spots(tree: Any, key: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        yield (*key, name)
        yield from spots(value, (*key, name))


def structures(dice: random.Random) -> Iterator[Case]:
    """Places of a sound file that hold something else, are gone, are renamed or hold the file itself."""
    rich = changed(
        probes=["gradient_norms", {"kind": "responses", "at": [0, 1]}],
        sweep={"model.depth": [8, 14], "model.connection": ["plain", {"kind": "gated", "bias": -1}]},
        overrides=[{"when": {"model.depth": 8}, "set": {"training.optimizer.lr": 0.01}}],
        tiers={"quick": {"set": {"training.epochs": 1}, "sweep": {"model.depth": [8]}}},
        references=[
            {
                "when": {"model.depth": 8},
                "metric": "test_error",
                "value": 0.1,
                "statistic": "mean",
                "source": "x",
            }
        ],
    )
    for number in range(220):
        tree = copy.deepcopy(rich)
        for _ in range(dice.randint(1, 2)):
            *above, last = dice.choice(list(spots(tree)))
            parent: Any = tree
            for key in above:
                parent = parent[key]
            match dice.choice(["other", "gone", "renamed", "listed", "itself"]):
                case "other":
                    parent[last] = dice.choice([*NUMBERS, *TEXTS])
                case "gone":
                    del parent[last]
                case "renamed" if isinstance(parent, dict):
                    parent[dice.choice([*TEXTS, 8, None, 1.5, True])] = parent.pop(last)
                case "listed":
                    parent[last] = [parent[last]] * dice.choice([1, 2, 300])
                case _:
                    parent[last] = copy.deepcopy(rich)
        yield written(f"structure {number}", tree)


def texts(dice: random.Random) -> Iterator[Case]:
    """Bytes inserted, removed, doubled or turned round, and tricks of YAML in the place of a value."""
    sound = yaml.safe_dump(changed(sweep={"seed": [0, 1]}), sort_keys=False).encode()
    junk = (b"\0", b"\xff", b"\t", b"\r", b"\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"[" * 9999, b"{" * 500)
    junk += (b"- " * 3000, b"a: " * 500, b"\xef\xbb\xbf", b"#" * 2_000_000, b"x" * 900_000, b"9" * 9000)
    for number in range(120):
        at = dice.randrange(len(sound))
        cut = dice.randrange(len(sound))
        kinds: list[Callable[[], bytes]] = [
            lambda at=at: sound[:at] + dice.choice(junk) + sound[at:],  # type: ignore[misc]
            lambda at=at: sound[:at],  # type: ignore[misc]
            lambda at=at, cut=cut: sound[:at] + sound[cut:],  # type: ignore[misc]
            lambda at=at: sound[:at] + bytes([sound[at] ^ 1 << dice.randrange(8)]) + sound[at + 1 :],  # type: ignore[misc]
        ]
        yield Case(f"text {number}", dice.choice(kinds)())
    lines = sound.decode().splitlines()
    for number, piece in enumerate(PIECES * 3):
        line = dice.randrange(len(lines))
        key = lines[line].partition(":")[0]
        told = [*lines[:line], f"{key}: {piece}", *lines[line + 1 :]]
        yield Case(f"YAML {number}: {piece}", "\n".join(told).encode())
    for width in (2, 9, 100):
        bomb = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, 40))
        yield Case(f"a bomb of {width} a level", f"a0: &a0 x\n{bomb}\n".encode() + sound)
    for codec in ("utf-16", "utf-32", "utf-7", "cp037"):
        yield Case(f"in {codec}", sound.decode().encode(codec))
    yield Case("90,000 keys", sound + "".join(f"k{i}: {i}\n" for i in range(90_000)).encode())
    yield Case("a list of 99,000", sound.replace(b"- 1\n", b"- 1\n" * 99_000))
    yield Case(
        "a list of 60,000 different ones", sound + "".join(f"  - {i + 2}\n" for i in range(60_000)).encode()
    )


def limits(annotation: Any) -> list[Any]:
    """The largest and smallest values that an option's type allows, and their neighbours."""
    found: list[Any] = (
        list(typing.get_args(annotation)) if typing.get_origin(annotation) is typing.Literal else []
    )
    for inner in typing.get_args(annotation):
        for bound in getattr(inner, "metadata", ()):
            for name in ("gt", "ge", "lt", "le"):
                edge = getattr(bound, name, None)
                found += [] if edge is None else [edge, edge + 1, edge - 1, edge / 2 if edge else 0.5]
    return found + [int(x) for x in found if isinstance(x, float) and x == int(x)]


def sizes(dice: random.Random) -> Iterator[Case]:
    """Every trunk with every connection at sizes that types allow and machines do not."""
    trunks, connections = scan.parts("model"), scan.parts("connection")
    for number in range(330):
        kind = dice.choice(list(trunks))
        connection: dict[str, Any] = {"kind": dice.choice(list(connections))}
        model: dict[str, Any] = {"kind": kind, "depth": dice.choice([*NUMBERS[:12], 14, 18, 20, 29, 50, 101])}
        for part, info in ((model, trunks[kind]), (connection, connections[connection["kind"]])):
            for name, option in info.options.items():
                if dice.random() < 0.4:
                    part[name] = dice.choice([*limits(option.annotation), *NUMBERS[:12]])
        model["connection"] = connection
        for name, values in (("match", ["params", "macs"]), ("norm", ["none", "layer", "group"])):
            if dice.random() < 0.25:
                model[name] = dice.choice(values)
        tree = changed(model=model, **copy.deepcopy(FITTING.get(kind, {})))
        if isinstance(tree["data"], dict) and tree["data"]["kind"] == "synthetic" and dice.random() < 0.5:
            for name in ("size", "channels", "groups", "train", "test", "image_size", "crop", "classes"):
                if dice.random() < 0.2:
                    tree["data"][name] = dice.choice(NUMBERS[:14])
        if dice.random() < 0.2:
            tree["training"]["batch_size"] = dice.choice(NUMBERS[:16])
        yield written(f"sizes {number}: {kind} with {connection['kind']}", tree)


def kinds(dice: random.Random) -> Iterator[Case]:
    """Parts in the place of others, and options of every part at their limits."""
    places = {"connection": ("model", "connection"), "optimizer": ("training", "optimizer")}
    places |= {
        "schedule": ("training", "schedule"),
        "data": ("data",),
        "task": ("task",),
        "model": ("model",),
    }
    for number in range(150):
        role, other = dice.choice(list(places)), dice.choice(list(scan.ROLES))
        own = dice.choice(list(scan.parts(role if dice.random() < 0.7 else other).values()))
        part = {"kind": own.kind, **({"depth": 8} if role == "model" else {})}
        for name, option in own.options.items():
            if dice.random() < 0.5:
                part[name] = dice.choice([*limits(option.annotation), *NUMBERS, *TEXTS])
        tree: dict[str, Any] = changed(probes=[{"kind": dice.choice(list(scan.parts("probe")))}])
        *above, last = places[role]
        inner = tree
        for key in above:
            inner = inner[key]
        inner[last] = part
        yield written(f"kinds {number}: {own.kind} as {role}", tree)


def names(dice: random.Random) -> Iterator[Case]:
    """Unicode, escapes, markup and paths wherever text may stand, and as files that are no files."""
    for text in TEXTS:
        yield written(f"name {text[:20]!r}", changed(name=text))
        yield written(
            f"root {text[:20]!r}",
            changed(data={"kind": dice.choice(["image_folder", "text_file", "cifar10"]), "root": text}),
        )
        yield written(f"plugin {text[:20]!r}", changed(plugins=[text]))
        yield written(
            f"swept {text[:20]!r}", changed(sweep={"data.classes": [[text], [0, text]], "seed": [0]})
        )
        yield written(f"key {text[:20]!r}", changed(**{text: 1}) | {"tiers": {text: {}}})
        yield written(
            "overrides of the command line", SMALL, f"data.root={text}".replace("\0", ""), f"{text or 'x'}=1"
        )


def overridden(dice: random.Random) -> Iterator[Case]:
    """Overrides, tiers and options of the command line."""
    keys = (
        "model.depth",
        "model",
        "data",
        "training",
        "seed",
        "probes",
        "model.connection.kind",
        "name",
        "sweep",
    )
    keys += (
        "training.optimizer.lr",
        "training.iterations",
        "data.classes",
        "model.match",
        "tiers",
        "",
        "a.b.c",
    )
    for number in range(120):
        values = [str(dice.choice([*NUMBERS, *TEXTS, *PIECES])) for _ in range(dice.choice([1, 1, 2, 5]))]
        yield written(f"overrides {number}", SMALL, f"{dice.choice(keys)}={','.join(values)}", "seed=0,1")
    yield written("20,000 seeds", SMALL, "seed=" + ",".join(map(str, range(20_000))))
    for tier in TEXTS[:12]:
        yield written(f"tier {tier!r}", SMALL, "--tier", tier)
    for option in (
        "--jobs=0",
        "--jobs=999999",
        "--device=cuda:99",
        "--device=[/x]",
        "--results=/proc/x",
        "--format=x",
    ):
        yield written(option, SMALL, option)


def sweeps(dice: random.Random) -> Iterator[Case]:
    """Grids that are huge, deep or empty, with tuning, tiers, rules and references beside them."""
    many = [*range(10_000)]
    axes: dict[str, list[Any]] = {
        "seed": many,
        "model.depth": [8, 14, 20, 26, 32, 38, 44, 50, 56, 1202],
        "model.width": [*range(1, 400)],
        "model.connection": [*scan.parts("connection")],
        "training.optimizer.lr": [x / 997 for x in range(1, 997)],
        "training.batch_size": [*range(1, 500)],
        "data.size": [*range(1, 300)],
        "data.seed": many,
        "model.match": ["none", "params", "macs"],
    }
    for number in range(110):
        own = {
            key: axes[key][: dice.choice([1, 2, 10, 10_000])]
            for key in dice.sample(list(axes), dice.choice([1, 2, 3]))
        }
        tree = changed(sweep=own)
        if dice.random() < 0.3:
            tree["tune"] = {dice.choice(list(axes)): [1, 2]}
            tree["data"]["validation_size"] = dice.choice([None, 8, 10**9])
        if dice.random() < 0.3:
            tree["overrides"] = [
                {"when": {"seed": i}, "set": {"training.epochs": i + 1}} for i in range(dice.choice([1, 50]))
            ]
        if dice.random() < 0.3:
            tree["tiers"] = {f"t{i}": {"sweep": {"seed": many[:100]}} for i in range(dice.choice([1, 40]))}
        if dice.random() < 0.3:
            tree["references"] = dice.choice(
                ["he2015", "nobody", 3, [{"when": {"seed": 0}, "metric": "test_iou", "value": 2}] * 500]
            )
        yield written(f"sweep {number}: {' x '.join(f'{len(v)} {k}' for k, v in own.items())}", tree)


def cases() -> Iterator[Case]:
    """All of them, always the same."""
    for number, made in enumerate((structures, texts, sizes, kinds, names, overridden, sweeps)):
        yield from made(random.Random(number))
