"""Every hostile configuration is planned or refused in a sentence, soon and small, and writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile_configs
import pytest
from hostile_configs import Case
from tally import Record

from resexp.config.load import load

ALL = list(hostile_configs.cases())
SECONDS = 5.0
BYTES = 1 << 30
"""More than a `plan` may take, of processor time and beyond a process that has imported PyTorch."""
PER_LAYER = 0.002
"""Seconds that a plan may take in addition for each layer of its different networks. Each of these is built
and passed to be measured, and the bar that is shown says how many points have been planned.
"""
ON_ANY_MACHINE = 5 * SECONDS
"""What the suite allows instead, which runs on slower and on busy machines."""
EVERY = 25
"""One in so many is tried in the suite."""


def tried(folder: Path, chosen: list[Case]) -> list[dict[str, Any]]:
    """What `plan` made of each, with what it cost."""
    lines = []
    for number, case in enumerate(chosen):
        own = folder / str(number) / "cwd"
        own.mkdir(parents=True)
        (own / "x.yaml").write_bytes(case.text)
        lines.append(json.dumps({"folder": str(own), "arguments": ["plan", "x.yaml", *case.arguments]}))
    (folder / "cases").write_text("\n".join(lines))
    runner = Path(__file__).with_name("hostile_commands.py")
    single = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", str(runner), str(folder / "cases")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=single)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wrong(case: Case, found: dict[str, Any], seconds: float) -> list[str]:
    """What a plan should not have done."""
    broken = [
        found["status"] not in (0, 2),
        "Traceback" in found["errors"],
        bool(found["left"]),
        found["seconds"] > seconds,
        found["bytes"] > BYTES,
        found["status"] == 2 and not found["errors"].strip(),
    ]
    return [f"{case.what}: {found}"] if any(broken) else []


def layers(case: Case, folder: Path) -> int:
    """The layers of all different networks that a plan of this file measures."""
    (folder / "again.yaml").write_bytes(case.text)
    points = [point.settings for point in load(folder / "again.yaml", case.arguments).points]
    return sum({(each.data, each.task, each.model): each.model.depth for each in points}.values())


def lost(folder: Path, chosen: list[Case], seconds: float = SECONDS) -> list[str]:
    results = tried(folder, chosen)
    return [each for case, found in zip(chosen, results, strict=True) for each in wrong(case, found, seconds)]


def test_one_in_twenty_five_is_planned_or_refused(tmp_path: Path, record: Record) -> None:
    chosen = ALL[::EVERY]
    assert not (faults := lost(tmp_path, chosen, ON_ANY_MACHINE)), "\n".join(faults)
    record("hostile configurations: planned or refused, small", len(chosen), 0)


@pytest.mark.faults
def test_all_others_too(tmp_path: Path, record: Record) -> None:
    chosen = [case for number, case in enumerate(ALL) if number % EVERY]
    results = tried(tmp_path, chosen)
    faults = []
    for case, found in zip(chosen, results, strict=True):
        measured = layers(case, tmp_path) if found["seconds"] > SECONDS else 0
        faults += wrong(case, found, SECONDS + PER_LAYER * measured)
        if measured:
            print(f"{case.what}: {found['seconds']:.1f} s for {measured:,} layers")
    assert not faults, "\n".join(faults)
    record("hostile configurations: planned or refused, small and soon", len(chosen), 0)
