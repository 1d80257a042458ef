"""Every probe that a transformer's plan allows measures it: tokens, patches, and half-hidden images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from resexp.catalog import scan
from resexp.config.settings import Settings
from resexp.data.cache import facts_of
from resexp.data.opening import open_data
from resexp.errors import ConfigError
from resexp.plan import compatible
from resexp.training.probing import measured
from resexp.training.run import Run

TOKENS: dict[str, Any] = {
    "data": {"kind": "python_topics", "context": 8, "train_size": 16, "test_size": 8},
    "task": "language",
    "model": {"kind": "transformer", "tied": False},
}
IMAGES: dict[str, Any] = {
    "data": {"kind": "synthetic", "train": 16, "test": 8},
    "model": {"kind": "vit", "patch": 4},
}
HIDDEN: dict[str, Any] = {
    "data": {"kind": "synthetic", "train": 16, "test": 8},
    "task": "masked_autoencoding",
    "model": {"kind": "masked_autoencoder", "patch": 4, "decoder_width": 8, "links": True},
}
COMMON = {"depth": 1, "width": 8, "heads": 2, "order": "pre", "norm": "layer", "init": "xavier"}


@pytest.mark.parametrize("what", [TOKENS, IMAGES, HIDDEN], ids=["tokens", "images", "hidden"])
@pytest.mark.parametrize("kind", scan.parts("probe"))
def test_a_probe_measures_or_is_refused_before_training(
    kind: str, what: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path))
    document = {
        **what,
        "model": {**COMMON, **what["model"], "connection": "residual"},
        "training": {"epochs": 1, "batch_size": 8},
        "probes": ({"kind": kind, "batch_size": 8, "at": (0.5,)},),
    }
    settings = Settings.model_validate(document)
    probe = scan.part_class(settings.probes[0].info)
    facts = facts_of(settings.data)
    trunk = scan.part_class(settings.model.info)
    wanted = scan.part_class(settings.task.info).targets
    unmeasured = probe.for_generators or not issubclass(trunk.network, probe.network)
    if unmeasured or wanted not in (probe.targets or (wanted,)):
        with pytest.raises(ConfigError, match=kind):
            compatible.check_fit(settings, facts)
        return
    compatible.check_fit(settings, facts)
    device = torch.device("cpu")
    run = Run(settings, open_data(settings.data, device), device)
    run.train_step()
    rows = list(measured(run, settings.probes[0], 0.5))
    assert rows
    assert all(math.isfinite(row["value"]) for row in rows)
