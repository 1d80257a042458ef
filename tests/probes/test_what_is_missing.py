"""What a probe says that the machine lacks, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp import api
from resexp.errors import ConfigError

CONFIG = """\
name: exp
data: {kind: digits}
model: {kind: resnet, depth: 8}
training: {iterations: 1}
probes: [{kind: needing}]
"""
PROBE = """\
from resexp.probes.base import Probe, Reading


class Needing(Probe):
    def missing(self):
        return ANSWER

    def measure(self, snapshot):
        yield Reading("x", "network", 0, 1.0)
"""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ('"there is no clock; build one in"', "there is no clock; build one in"),
        ("5", r"its method missing\(\) returned 5; let it return a text or None"),
        ("None", ""),
        ('""', ""),
    ],
)
def test_what_is_missing_is_told_before_a_run(answer: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_text(CONFIG)
    (tmp_path / "needing.py").write_text(PROBE.replace("ANSWER", answer))
    experiment = api.load(tmp_path / "exp.yaml", plugins=[str(tmp_path / "needing.py")])
    if not told:
        api.trials(experiment, "cpu")
        return
    with pytest.raises(ConfigError, match=rf"probes\.0: needing: {told}"):
        api.trials(experiment, "cpu")
