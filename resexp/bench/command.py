"""`resexp bench` as the command line calls it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resexp.bench.measure import measure
from resexp.bench.render import print_benchmark
from resexp.config.load import load
from resexp.config.packaged import CONFIGS

__all__ = ["bench", "print_benchmark"]

DEFAULT = CONFIGS / "bench.yaml"


def bench(
    config: str | None,
    overrides: Sequence[str],
    device: str,
    quick: bool,
    *,
    tier: str = "full",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Measure the first trial of a configuration in this tier.

    If `config` is None, a packaged configuration is measured. If `config` is no file and contains an equals
    sign, it counts as the first override. `plugins` are files with parts of your own.

    Raises what `measure.measure` raises.
    """
    if config and "=" in config and not Path(config).exists():
        overrides = [config, *overrides]
        config = None
    experiment = load(config or DEFAULT, overrides, tier=tier, plugins=plugins)
    return measure(experiment, device, quick, lambda text: print(f"measuring {text}", file=sys.stderr))
