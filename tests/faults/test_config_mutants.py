"""Thousands of damaged configurations: each loads, or is refused in at most 24 lines that say where.

`derandomize` fixes the mutants. Nothing but ConfigError may escape, and nothing may be written.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resexp.config.load import load
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError

EXAMPLES = [
    """\
name: sweep
data: {kind: synthetic, train_size: 64, classes: [0, 1]}
model: {kind: resnet, depth: 8, connection: {kind: residual, shortcut: pad}}
training:
  epochs: 2
  optimizer: {kind: sgd, lr: 0.1}
  schedule: {kind: step, milestones: [0.5], low_rate: {factor: 0.1}}
probes: [gradient_norms, {kind: responses, at: [0, 1]}]
seed: 1
sweep:
  model.depth: [8, 14]
  model.connection: [plain, {kind: residual, shortcut: projection}]
overrides:
  - when: {model.depth: [8, 14]}
    set: {training.optimizer.lr: 0.01}
references:
  - {when: {model.depth: 8}, metric: test_error, value: 0.1, statistic: mean, source: nobody}
""",
    """\
name: union
data: digits
model: {kind: mlp, depth: 3}
training: {iterations: 10, clip: null, compile: false, precision: auto}
sweep:
  - {seed: [0, 1, 2], training.optimizer: [sgd, adamw]}
  - {model.norm: [none, layer], training.batch_size: [32]}
""",
]
CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES += [path.read_text() for path in sorted(CONFIGS.glob("*.yaml"))]


def up_to_a_thousand(number: int) -> pytest.MarkDecorator:
    """So many mutants in every run of the tests, and a thousand in the long campaigns."""
    return pytest.mark.parametrize("number", [number, pytest.param(1000, marks=pytest.mark.faults)])


def mutants(number: int, check_one: Callable[[st.DataObject], None]) -> None:
    """Check so many mutants. `check_one` draws each of them."""
    chosen = settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    chosen(given(data=st.data())(check_one))()


def check(path: Path) -> str:
    """Load the file: what became of it, with the promises about refusals kept."""
    before = sorted(path.parent.iterdir())
    try:
        experiment = load(path)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert len(lines) <= 24
        assert all(line.isprintable() and line.startswith(str(path)) for line in lines)
        outcome = "refused"
    else:
        assert experiment.points
        first = experiment.points[0].settings
        assert parse_settings(first.model_dump(mode="json")) == first
        outcome = "loaded"
    assert sorted(path.parent.iterdir()) == before
    return outcome


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**18, max_value=10**30),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(
        ["plain", "residual", "sgd", "no", "../x", "model.depth", "x" * 300, "\x1b[31m", "<script>"]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(tree: Any, key: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [key, *(place for k, v in items for place in places(v, (*key, k)))]


CHANGES = ("replace", "remove", "rename", "wrap", "copy")


def mutate(draw: Callable[[Any], Any], tree: Any, change: str) -> Any:
    """Make one of the CHANGES at one place of the tree."""
    *above, last = draw(st.sampled_from(places(tree)[1:]))
    parent = tree
    for key in above:
        parent = parent[key]
    match change:
        case "replace":
            parent[last] = draw(VALUES)
        case "remove":
            del parent[last]
        case "rename" if isinstance(parent, dict):
            name = (
                draw(st.text(max_size=5) | st.integers() | st.none()) if draw(st.booleans()) else f"{last}x"
            )
            parent[name] = parent.pop(last)
        case "wrap":
            parent[last] = [parent[last]] if draw(st.booleans()) else {"kind": parent[last]}
        case "copy":
            parent[last] = copy.deepcopy(draw(st.sampled_from([tree, *tree.values()])))
    return tree


@up_to_a_thousand(250)
def test_mutants_of_the_structure(tmp_path: Path, number: int) -> None:
    made = set()

    def check_one(data: st.DataObject) -> None:
        tree = yaml.safe_load(data.draw(st.sampled_from(EXAMPLES)))
        for _ in range(data.draw(st.integers(1, 3))):
            if isinstance(tree, dict) and len(places(tree)) > 1:
                change = data.draw(st.sampled_from(CHANGES))
                made.add(change)
                tree = mutate(data.draw, tree, change)
        path = tmp_path / "x.yaml"
        path.write_text(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), encoding="utf-8")
        check(path)

    mutants(number, check_one)
    assert made == set(CHANGES)


def insert(piece: bytes) -> Callable[[bytes, int], bytes]:
    return lambda text, at: text[:at] + piece + text[at:]


PIECES = [
    *(b"\0", b"\t", b"\xff", b"&a ", b"*a ", b"<<: ", b"!!python/object:x ", b"%", b"? ", b"- ", b": ", b"["),
    *(b"}", b"'", b'"', b"| ", b"@", b"\\", b"\n", b"#", b"1e999", b".nan", b"[" * 30),
    *(b"\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80"),  # line ends of Unicode, half a character
]
DAMAGES: list[Callable[[bytes, int], bytes]] = [
    lambda text, at: text[:at],
    lambda text, at: text[at:],
    lambda text, at: text[:at] + text[at + 1 :],
    lambda text, at: (
        text[:at] + bytes([text[at] ^ (1 << at % 8)]) + text[at + 1 :] if at < len(text) else text
    ),
    lambda text, at: text[:at] + text[at:].replace(b"  ", b"\t", 1),
    lambda text, at: text[:at] + text[at:].replace(b"\n", b"\r", 1),
    lambda text, at: text.replace(b"\n", b"\r\n"),
    lambda text, at: text.decode("utf-8", "replace").encode("utf-16"),
    lambda text, at: b"\xef\xbb\xbf" + text,
    lambda text, at: text + b"\n---\n" + text[:at],
    lambda text, at: text + b"\n<<: {seed: 3}\n",
    lambda text, at: text + b"\n" + text[: at // 2],
    lambda text, at: b"",
    *map(insert, PIECES),
]


@up_to_a_thousand(500)
def test_mutants_of_the_text(tmp_path: Path, number: int) -> None:
    made = set()

    def check_one(data: st.DataObject) -> None:
        text = data.draw(st.sampled_from(EXAMPLES)).encode()
        for _ in range(data.draw(st.integers(1, 3))):
            damage = data.draw(st.sampled_from(DAMAGES))
            made.add(damage)
            text = damage(text, data.draw(st.integers(0, max(len(text), 1))))
        path = tmp_path / "x.yaml"
        path.write_bytes(text)
        check(path)

    mutants(number, check_one)
    assert made == set(DAMAGES)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_undamaged_examples_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert check(path) == "loaded"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert check(tmp_path) == "refused"
