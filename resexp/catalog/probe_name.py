"""The names of probes in rows and messages, which tell two networks of one trial apart."""

from __future__ import annotations

OF = " of "


def probe_name(kind: str, network: str = "model") -> str:
    """What rows call a probe of the network whose settings are at `network`: "lesion" for `model`, and
    otherwise such as "lesion of discriminator".
    """
    return kind if network == "model" else f"{kind}{OF}{network}"


def kind_and_network(name: str) -> tuple[str, str]:
    """The inverse of `probe_name`."""
    kind, _, network = name.partition(OF)
    return kind, network or "model"


def as_asked(name: str) -> str:
    """The probe as `resexp probe --probe` takes it."""
    kind, network = kind_and_network(name)
    return kind if network == "model" else f"'{{kind: {kind}, of: {network}}}'"
