"""A results folder with every kind of document, and mutants of these whose checksums are right."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import stub

from resexp import api, durable, store
from resexp.plan.trial import Trial

CONFIG = """\
name: exp
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4}
training: {epochs: 2, batch_size: 32}
probes: [gradient_norms]
sweep: {model.connection: [plain, residual], seed: [0, 1]}
references:
  - {when: {model.depth: 8}, metric: test_error, value: 0.1, statistic: mean, source: nobody}
"""
NUMBERS = ("train_error", "train_loss", "test_error", "test_loss")
ODD: list[Any] = [
    *(None, True, False, -1, 0, 2**70, 10**400, float("nan"), float("inf"), -1e308, 0.5, "", "x", "7", "NaN"),
    *("../../../out", "a/b", "..", "\udc80", "\x1b[2J", "x" * 100_000, [], {}, [None], {"kind": 3}, [[[]]]),
    *({"a": {"b": [1, "2", None]}}, ["plain", 8], {"crc": "00000000"}, {"": None}, [{"kind": "x"}] * 3),
]


def trials(folder: Path) -> list[Trial]:
    (folder / "exp.yaml").write_text(CONFIG)
    return api.trials(api.load(folder / "exp.yaml"), "cpu")


def fill(results: Path, planned: list[Trial]) -> None:
    """Run the experiment without training it: made-up rows and results, one trial diverged, one failed."""
    published = api.load(results.parent / "exp.yaml").published.model_dump(mode="json")
    environment = {"processor": "a test's", "cores": 2, "versions": {"python": "3"}, "memory_bytes": 2**30}
    with store.create(
        results, "exp", config_text=CONFIG, trials=planned, environment=environment, published=published
    ) as experiment:
        for number, trial in enumerate(planned):
            folder, attempt = experiment.claim(trial)
            hold = store.Attempt(folder, attempt)
            hold.begin(stub.FINGERPRINT)
            measured = dict.fromkeys(NUMBERS, 0.1 * (number + 1))
            for step in (0, 4):
                hold.probe([reading(step, layer) for layer in range(3)])
            hold.metric({"epoch": 2, "step": 4, "seconds": 1.0, "lr": 0.1, "loss": 0.5, **measured})
            hold.progress(epoch=2, epochs=2, step=4, steps=4, error=0.1, loss=0.5)
            hold.save_checkpoint(b"weights", 4)
            if number == 3:
                hold.fail("error", "error: made up")
                continue
            status = "diverged" if number == 2 else "done"
            hold.commit(
                {"status": status, "cause": None, **measured, "seconds": 1.0, "steps": 4, "epochs": 2}
            )
    for one in store.finished(results / "exp"):
        one.add([reading(4, 0)])


def reading(step: int, layer: int) -> dict[str, Any]:
    what = {"probe": "gradient_norms", "name": "weight_rms", "layer": f"block{layer}", "index": layer}
    return {**what, "step": step, "at": step / 4, "value": 0.1 + layer}


def mutants(results: Path, count: int, seed: int) -> Iterator[tuple[Path, bytes]]:
    """A file and what to write into it instead: its documents, or rows, changed and sealed again."""
    dice = random.Random(seed)
    files = sorted(path for path in (results / "exp").rglob("*") if path.is_file() and sealed(path))
    for number in range(count):
        path = files[number % len(files)]
        if path.suffix == ".jsonl":
            rows, _ = durable.read_rows(path.read_bytes())
            rows[-1] = mutated(rows[-1], dice)
            yield path, b"".join(map(durable.seal, rows))
        else:
            yield path, durable.seal(mutated(durable.read_document(path), dice))


def sealed(path: Path) -> bool:
    return path.read_bytes()[:10].lstrip().startswith((b'{"crc"', b'{\n "crc"'))


def mutated(document: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """The document with one to three of its values, at any depth, exchanged, removed or added."""
    changed = copy.deepcopy(document)
    for _ in range(dice.randint(1, 3)):
        place: Any = changed
        while True:
            keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = dice.choice(keys)
            inner = place[key]
            if isinstance(inner, dict | list) and inner and dice.random() < 0.8:
                place = inner
                continue
            match dice.randrange(8):
                case 0:
                    del place[key]
                case 1 if isinstance(place, dict):
                    place["further"] = copy.deepcopy(dice.choice(ODD))
                case _:
                    place[key] = copy.deepcopy(dice.choice(ODD))
            break
    return changed
