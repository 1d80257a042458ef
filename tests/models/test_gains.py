"""What a start does to signals and gradients on their way through a deep net without shortcuts."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.connections.core import Plain
from resexp.models.base import Design
from resexp.models.init import GAINS, MIRRORED_GAINS, initialise
from resexp.models.mlp import Mlp
from resexp.models.parts import make_activation
from resexp.models.resnet import Resnet
from resexp.plan import numerics

LAYERS = 40
FOLLOWING = ("he", "orthogonal", "delta_orthogonal", "dirac", "looks_linear")
"""The schemes whose gain follows the activation."""


def without_gradient(channels: int, norm: str, noise: float) -> float:
    """The share of a plain 44-layer net's filters whose gradient is exactly 0 at the start."""
    net = Resnet(width=16).build(Design(44, (channels, 8, 8), 10, Plain, norm=norm))  # type: ignore[arg-type]
    initialise(net, "dirac", 0, noise=noise)
    x = torch.rand(40, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    functional.cross_entropy(net(x), torch.arange(40) % 10).backward()
    silent = [
        ~g.flatten(1).any(1) for _, layer in net.weight_layers() if (g := layer.weight.grad) is not None
    ]
    return torch.cat(silent).float().mean().item()


@pytest.mark.parametrize(("channels", "share"), [(1, 0.967), (3, 0.913)])
def test_without_noise_nearly_all_filters_of_an_identity_start_have_no_gradient(
    channels: int, share: float
) -> None:
    for norm in ("batch", "none"):
        assert without_gradient(channels, norm, noise=0) == pytest.approx(share, abs=0.001)
        assert without_gradient(channels, norm, noise=0.1) < 0.01


def test_the_noise_is_a_share_of_he_s_start_from_the_same_seed() -> None:
    def weights(scheme: str, noise: float = 0.1) -> Tensor:
        net = Resnet(width=4).build(Design(8, (3, 8, 8), 10, Plain, activation="tanh"))
        initialise(net, scheme, 5, activation="tanh", noise=noise)
        return torch.cat([layer.weight.detach().flatten() for _, layer in net.weight_layers()])

    identity, he = weights("dirac", 0), weights("he")
    torch.testing.assert_close(weights("dirac"), identity + 0.1 * he)
    torch.testing.assert_close(weights("dirac", 0.3), identity + 0.3 * he)


def through(scheme: str, activation: str, gain: float | None = None) -> tuple[float, float]:
    """By how much the mean square of a signal grows through 40 layers, and that of the gradient on its way
    back. Geometric means over two seeds.
    """
    logarithms = []
    for seed in range(2):
        net = Mlp(width=64).build(
            Design(LAYERS + 2, (1, 16, 16), 10, Plain, norm="none", activation=activation)  # type: ignore[arg-type]
        )
        initialise(net, scheme, seed, activation=activation)
        if gain is not None:
            for _, layer in net.weight_layers():
                layer.weight.data.mul_(gain / GAINS[activation])
        draws = torch.Generator().manual_seed(seed)
        first = last = net.stem(torch.randn(32, 1, 16, 16, generator=draws)).detach().requires_grad_()
        for block in net.blocks:
            last = block(last)
        direction = torch.randn(last.shape, generator=draws)
        (back,) = torch.autograd.grad((last * direction).sum(), first)
        squares = [each.detach().square().mean() for each in (last, first, back, direction)]
        logarithms.append(torch.stack(squares).log())
    last_, first_, back_, direction_ = torch.stack(logarithms).mean(0)
    return (last_ - first_).exp().item(), (back_ - direction_).exp().item()


@pytest.mark.parametrize("scheme", FOLLOWING)
def test_relu_nets_of_40_layers_keep_signals_and_gradients(scheme: str) -> None:
    for growth in through(scheme, "relu"):
        assert 0.05 < growth < 20


@pytest.mark.parametrize("scheme", FOLLOWING)
def test_tanh_nets_of_40_layers_lose_signals_and_gradients_slowly(scheme: str) -> None:
    """They fall as the reciprocal of the depth, not exponentially."""
    for growth in through(scheme, "tanh"):
        assert 1 / LAYERS / 10 < growth < 1


@pytest.mark.parametrize("scheme", ["he", "orthogonal", "delta_orthogonal"])
def test_the_gain_of_pytorch_for_tanh_lets_gradients_explode(scheme: str) -> None:
    assert through(scheme, "tanh", nn.init.calculate_gain("tanh"))[1] > 100


@pytest.mark.parametrize("scheme", FOLLOWING)
def test_gelu_nets_of_40_layers_are_within_four_orders(scheme: str) -> None:
    """No gain keeps every signal, but with that of ReLU nearly all of it is lost."""
    for growth in through(scheme, "gelu"):
        assert 1e-4 < growth < 1e4
    if scheme in ("he", "orthogonal", "delta_orthogonal"):
        assert through(scheme, "gelu", GAINS["relu"])[0] < 1e-3


@pytest.mark.parametrize("scheme", ["he", "orthogonal", "delta_orthogonal", "looks_linear"])
def test_sigmoid_nets_keep_signals_and_no_gain_keeps_their_gradients(scheme: str) -> None:
    signal, gradient = through(scheme, "sigmoid")
    assert 0.5 < signal < 2
    assert gradient < 0.1
    with_gain_1 = through(scheme, "sigmoid", GAINS["sigmoid"] / 4)[1]
    assert with_gain_1 < 1e-10 * gradient


@pytest.mark.parametrize("activation", GAINS)
def test_xavier_is_one_distribution_whatever_the_activation(activation: str) -> None:
    weights = []
    for given in ("relu", activation):
        net = Mlp(width=8).build(Design(6, (1, 4, 4), 10, Plain, norm="none"))
        initialise(net, "xavier", 0, activation=given)
        weights.append(nn.utils.parameters_to_vector(net.parameters()))
    assert torch.equal(*weights)
    if activation == "relu":
        assert max(through("xavier", "relu")) < 1e-8, "why He's start exists"


def test_the_gains_are_what_their_comments_say() -> None:
    z = torch.linspace(-12, 12, 100_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / torch.exp(-z.square() / 2).sum()
    for kind in ("relu", "gelu", "leaky_relu"):
        kept = (make_activation(kind)(z).square() * density).sum().item()
        assert GAINS[kind] ** 2 * kept == pytest.approx(1, abs=1e-3), "a mean square of 1 stays 1"
    x = torch.tensor(1e-4, dtype=torch.float64)
    for kind, gain in MIRRORED_GAINS.items():
        act = make_activation(kind)
        assert gain * (act(x) - act(-x)).item() == pytest.approx(x.item(), rel=1e-6)
    for kind in ("tanh", "sigmoid"):
        act = make_activation(kind)
        assert GAINS[kind] * (act(x) - act(-x)).item() == pytest.approx(2 * x.item(), rel=1e-6)


OLD_GAINS = {
    "he": dict.fromkeys(GAINS, 2**0.5),
    "fixup": dict.fromkeys(GAINS, 2**0.5),
    "orthogonal": dict.fromkeys(GAINS, 2**0.5),
    "delta_orthogonal": dict.fromkeys(GAINS, 1.0),
    "looks_linear": dict.fromkeys(GAINS, 1.0),
}
"""The gains of version 1, which took no notice of the activation."""


def test_a_start_has_another_version_exactly_where_its_weights_are_others() -> None:
    schemes = ("he", "xavier", "default", "orthogonal", "dirac", "delta_orthogonal", "looks_linear", "fixup")
    since_version_1 = GAINS.keys() - {"leaky_relu"}
    for scheme, activation in itertools.product((*schemes, "gpt2"), sorted(since_version_1)):
        settings = {"model": {"kind": "resnet", "init": scheme, "activation": activation}}
        new = MIRRORED_GAINS if scheme == "looks_linear" else GAINS
        old = OLD_GAINS.get(scheme, new)
        changed = scheme == "dirac" or new[activation] != old[activation]
        assert set(numerics.versions(settings).values()) == ({2} if changed else set()), (scheme, activation)
