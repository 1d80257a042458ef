"""What must hold of any probe, on any device there is: it leaves the run alone and gives plain numbers."""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from resexp.catalog import scan
from resexp.config.settings import Settings, models
from resexp.data.opening import open_data
from resexp.training.probing import measured
from resexp.training.run import Run

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("connection", ["plain", "residual", "momentum", "hyper", "stochastic_depth"])
@pytest.mark.parametrize("kind", sorted(set(scan.parts("probe")) - {"fid"}))  # test_fid.py has a generator
def test_a_probe_measures_and_leaves_no_trace(
    kind: str, connection: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    settings = Settings.model_validate(
        {
            "data": {"kind": "synthetic", "train": 32, "test": 16},
            "model": {"kind": "resnet", "depth": 8, "width": 4, "connection": connection},
            "training": {"epochs": 2, "batch_size": 16},
        }
    )
    place = torch.device(device)
    run = Run(settings, open_data(settings.data, place), place)
    run.train_step()
    before, draws = copy.deepcopy(run.state()), torch.get_rng_state()
    own = random.getstate(), np.random.get_state()[1:3]
    rows = list(measured(run, models("probe")[kind].model_validate({"kind": kind, "batch_size": 16}), 0.5))  # type: ignore[arg-type]
    assert rows
    assert all(math.isfinite(row["value"]) for row in rows)
    assert len({(row["name"], row["index"]) for row in rows}) == len(rows)
    assert {(row["probe"], row["step"], row["at"]) for row in rows} == {(kind, 1, 0.5)}
    assert torch.equal(torch.get_rng_state(), draws)
    assert own[0] == random.getstate()
    assert str(own[1]) == str(np.random.get_state()[1:3])
    after = run.state()
    for name, value in before["network"].items():
        assert torch.equal(after["network"][name], value)
    assert str(after["optimizer"]) == str(before["optimizer"])
