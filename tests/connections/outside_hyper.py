"""Hyper-connections of public implementations, on numbers that anyone can make again.

`outside_hyper.json` holds what they answered. To make it again, install the two packages beside PyTorch (here
hyper-connections 0.4.11 and transformers 5.24.0) and run `python tests/connections/outside_hyper.py`.
"""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FILE = Path(__file__).with_suffix(".json")
STREAMS, SEQUENCES, TOKENS, CHANNELS = 4, 2, 3, 6
ROUND = 8  # digits after the point


def wave(number: int, *shape: int) -> Tensor:
    """Numbers between -1 and 1 without a pattern that a mistake could hide behind."""
    size = torch.Size(shape).numel()
    return torch.sin(torch.arange(size) * (0.7 + 0.13 * number) + number).view(shape)


def streams() -> Tensor:
    """The state, of shape (streams, sequences, tokens, channels)."""
    scale = torch.linspace(1, 4, STREAMS).view(-1, 1, 1, 1)
    return (scale * wave(0, STREAMS, SEQUENCES, TOKENS, CHANNELS)).requires_grad_()


def branch(x: Tensor) -> Tensor:
    """A branch that is the same in every layout of the axes."""
    return torch.sin(2 * x) + 0.5


def dynamic() -> dict[str, Tensor]:
    """The parameters of dynamic hyper-connections, under our names."""
    n = STREAMS
    return {
        "A": torch.eye(n) + 0.3 * wave(1, n, n),
        "a": wave(2, n),
        "b": 1 + 0.5 * wave(3, n),
        "W": wave(4, CHANNELS, n + 2),
        "s": torch.tensor([0.7, 0.9]),
    }


def manifold() -> dict[str, Tensor]:
    """The parameters of manifold-constrained hyper-connections, under our names."""
    n = STREAMS
    return {
        "X": torch.eye(n) + wave(5, n, n),
        "x": wave(6, n),
        "y": wave(7, n),
        "W": wave(8, n * CHANNELS, n * (n + 2)),
        "s": torch.tensor([0.3, 0.5, 0.7]),
    }


def of_hyper_connections() -> dict[str, Any]:
    """One step of the package hyper-connections, in which each sequence is followed by its other streams."""
    p = dynamic()
    theirs: Any = import_module("hyper_connections").HyperConnections(STREAMS, dim=CHANNELS, branch=branch)
    given = {
        "static_alpha": torch.cat([p["a"].unsqueeze(1), p["A"].T], 1),
        "dynamic_alpha_fn": torch.cat([p["W"][:, STREAMS : STREAMS + 1], p["W"][:, :STREAMS]], 1),
        "dynamic_alpha_scale": p["s"][0],
        "static_beta": p["b"],
        "dynamic_beta_fn": p["W"][:, STREAMS + 1],
        "dynamic_beta_scale": p["s"][1],
    }
    missing = theirs.load_state_dict(given, strict=False).missing_keys
    assert missing == ["norm.gamma"], missing  # which is 0 and stands for a factor of 1
    h = streams()
    out = theirs(h.transpose(0, 1).flatten(0, 1))
    return answer("hyper-connections", h, out.unflatten(0, (SEQUENCES, STREAMS)).transpose(0, 1))


def of_transformers() -> dict[str, Any]:
    """One step of DeepSeek-V4 in the package transformers. Its streams stand between tokens and channels."""
    p = manifold()
    n = STREAMS
    models = "transformers.models.deepseek_v4"
    config: Any = import_module(f"{models}.configuration_deepseek_v4").DeepseekV4Config(
        hidden_size=CHANNELS,
        hc_mult=n,
        hc_eps=0.0,  # which it adds to whatever it divides by
    )
    theirs: Any = import_module(f"{models}.modeling_deepseek_v4").DeepseekV4HyperConnection(config)
    # Its rows are sources and its columns targets; ours are the other way round.
    w = p["W"].T
    comb = w[: n * n].view(n, n, -1).transpose(0, 1).flatten(0, 1)
    given = {
        "fn": torch.cat([w[n * n :], comb]),
        "base": torch.cat([p["x"], p["y"], p["X"].T.flatten()]),
        "scale": p["s"][[1, 2, 0]],
    }
    theirs.load_state_dict(given)
    h = streams()
    inside = h.permute(1, 2, 0, 3)
    post, comb, x = theirs(inside.contiguous())
    out = post.unsqueeze(-1) * branch(x).unsqueeze(-2) + comb.transpose(-1, -2) @ inside
    return answer("transformers", h, out.permute(2, 0, 1, 3))


def answer(package: str, h: Tensor, out: Tensor) -> dict[str, Any]:
    """The new state, and the gradient of the mean of its squares with respect to the old one."""
    out.square().mean().backward()
    assert h.grad is not None
    values = {"state": out.detach(), "gradient": h.grad}
    return {
        "package": package,
        "version": version(package),
        **{name: [round(v, ROUND) for v in value.flatten().tolist()] for name, value in values.items()},
    }


if __name__ == "__main__":
    made = {"dynamic_hyper": of_hyper_connections(), "manifold_hyper": of_transformers()}
    FILE.write_text(json.dumps(made, indent=1) + "\n")
