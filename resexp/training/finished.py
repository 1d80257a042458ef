"""Probes of finished trials, on the weights of their last checkpoint."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from resexp import yaml_text
from resexp.catalog.plugins import Plugin
from resexp.catalog.scan import suggest
from resexp.config import ProbeConfig, Settings
from resexp.data.cache import Checked
from resexp.data.opening import open_data
from resexp.errors import ConfigError
from resexp.fit import check
from resexp.settings import expand, models
from resexp.training.probing import measured
from resexp.training.run import Run
from resexp.wording import COMMAND_LINE, Draft, refuse


def parse_probes(texts: Sequence[str], plugins: tuple[Plugin, ...] = ()) -> list[ProbeConfig]:
    """Probes from what is written for them: a kind, or a mapping in YAML. Raises ConfigError."""
    draft = Draft(COMMAND_LINE, {}, plugins=plugins)
    kinds = models("probe", plugins)
    found = []
    for text in texts:
        try:
            document = yaml_text.parse(text, COMMAND_LINE)
        except ConfigError as error:
            draft.problems += error.problems
            continue
        draft.problems += document.problems
        part = expand(document.value)
        kind = part.get("kind") if isinstance(part, Mapping) else None
        if not isinstance(kind, str) or kind not in kinds:
            draft.wrong(None, "--probe", f"there is no {text!r}", suggest(str(kind or ""), kinds))
        elif "at" in part:
            draft.wrong(None, "--probe", "has `at`", "a finished trial is measured at its end: remove it")
        else:
            found.append(draft.validate(kinds[kind], {**part, "at": (1.0,)}, lambda key: None))
    if not texts:
        draft.wrong(None, "--probe", "is missing", f"one of {', '.join(kinds)}")
    if draft.problems:
        raise refuse(draft.problems, COMMAND_LINE)
    return [config for config in found if isinstance(config, ProbeConfig)]


def measure(
    settings: Settings,
    checkpoint: bytes,
    probes: Sequence[ProbeConfig],
    device: str,
    threads: int,
    *,
    checked: Checked | None = None,
) -> list[dict[str, Any]]:
    """The rows of the probes on a trial of these settings, given the bytes of its last checkpoint."""
    torch.set_num_threads(threads)
    place = torch.device(device)
    data = open_data(settings.data, place, settings.seed, checked)
    check(settings.model_copy(update={"probes": tuple(probes)}), data.facts)
    run = Run(settings, data, place)
    run.restore(torch.load(io.BytesIO(checkpoint), map_location=place, weights_only=True)["run"])
    return [row for config in probes for row in measured(run, config, 1.0)]
