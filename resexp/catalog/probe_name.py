"""The names of probes in rows and messages. They tell apart the probes of two networks of one trial."""

from __future__ import annotations

OF = " of "


def probe_name(kind: str, network: str = "model") -> str:
    """The name that rows give to a probe of one network, whose settings have the key `network`: for example,
    "lesion" if the key is "model", and "lesion of discriminator" if the key is "discriminator".
    """
    return kind if network == "model" else f"{kind}{OF}{network}"


def kind_and_network(name: str) -> tuple[str, str]:
    """The inverse of `probe_name`."""
    kind, _, network = name.partition(OF)
    return kind, network or "model"


def as_asked(name: str) -> str:
    """The argument of `resexp probe --probe` that asks for the probe with this name."""
    kind, network = kind_and_network(name)
    return kind if network == "model" else f"'{{kind: {kind}, of: {network}}}'"
