"""Makes a launcher, which starts trials on this machine or elsewhere, from its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.execution.launcher import Launcher


def make_launcher(kind: str, options: Sequence[str] = (), plugins: Sequence[Plugin] = ()) -> Launcher | None:
    """The launcher of this kind, with options such as "partition=gpu". `resexp show launchers` lists all.

    `plugins` are those of an experiment, `Experiment.plugins`. Returns None for "local", which is what `run`
    uses by default.

    Raises:
        ConfigError: there is no such launcher or option, or what the launcher needs is not installed.
    """
    from resexp.config.parse import parse_launcher

    config = parse_launcher(kind, options, tuple(plugins))
    return None if config.kind == "local" else cast("Launcher", config.build())
