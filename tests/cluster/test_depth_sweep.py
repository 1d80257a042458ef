"""A sweep over depth, with the real trainer, that each launcher runs. Half of the trials are trained by two
processes together.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from leavings import left
from tally import Record

from resexp import api, store
from resexp.execution.display import Display

CONFIG = """
name: exp
data: {kind: synthetic, size: 8, groups: 4, train: 32, test: 16, noise: 0.3}
model: {kind: resnet, depth: 8, width: 2, connection: residual}
training: {epochs: 2, batch_size: 8, optimizer: {kind: sgd, lr: 0.05}, precision: float32}
probes: [{kind: gradient_norms, at: [0, 0.5, 1], batch_size: 8}]
sweep: {model.depth: [8, 14], training.processes: [1, 2]}
overrides: [{when: {training.processes: 2}, set: {training.sync_norm: true}}]
"""


def swept(folder: Path, launcher: str, *options: str) -> Path:
    """Run the sweep as `--launcher` with these options does. Returns the experiment's folder."""
    config = folder / "exp.yaml"
    config.write_text(CONFIG)
    made = api.make_launcher(launcher, options)
    said: list[str] = []
    options_of_run = {"device": "cpu", "jobs": 1, "results": folder, "display": Display}
    summary = api.run(api.load(config), launcher=made, tell=said.append, **options_of_run)
    assert summary.exit_status == 0, said
    return folder / "exp"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep as this machine runs it without a cluster."""
    return swept(tmp_path_factory.mktemp("local"), "local")


@pytest.mark.parametrize("launcher", ["slurm", "ray"])
def test_a_depth_sweep_gives_the_same_ids_and_bytes_with_each_launcher(
    launcher: str, request: pytest.FixtureRequest, tmp_path: Path, record: Record
) -> None:
    """Results are the same except for `leavings.TIMING`. What has no times in it is the same file."""
    cluster = request.getfixturevalue("cluster" if launcher == "slurm" else "ray_cluster")
    options = {"slurm": ["poll=0.2", "trials_per_job=4", "mem=3000M"]}.get(launcher)
    options = options or [f"address={cluster.address}"]
    here = request.getfixturevalue("here")
    there = swept(tmp_path, launcher, *options)
    names = sorted(path.name for path in (here / "trials").iterdir())
    assert sorted(path.name for path in (there / "trials").iterdir()) == names, "names end with ids"
    assert len(names) == 4
    differ = 0
    for name in names:
        one, other = (store.TrialFolder(folder / "trials" / name) for folder in (here, there))
        assert one.probes.read_bytes().count(b"\n") > 10
        files = [[place.path / "trial.json", place.probes] for place in (one, other)]
        same = [[file.read_bytes() for file in each] for each in files]
        differ += left(other) != left(one) or same[0] != same[1]
    record(f"a depth sweep of real trials by --launcher {launcher}, as here", len(names), differ)
