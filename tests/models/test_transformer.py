"""Transformers: parity with PyTorch's and torchvision's, every connection, order, span and mask."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torchvision.models
from kinds import KINDS, connection_of, stir, undropped
from torch import Tensor, nn

from resexp.connections.base import Branch
from resexp.connections.core import Plain, Residual, Skip
from resexp.errors import ConfigError
from resexp.models.attention import AlongTokens
from resexp.models.base import Chain, Design, Purpose
from resexp.models.cost import measure_cost
from resexp.models.init import initialise
from resexp.models.transformer import Transformer
from resexp.models.vit import Vit

LENGTH, VOCABULARY = 6, 7


def build(connection: Any = Residual, depth: int = 2, order: str = "pre", **options: Any) -> Chain:
    norm, init = options.pop("norm", "layer"), options.pop("init", "default")
    trunk = Transformer(**{"width": 8, "heads": 2, **options})
    design = Design(depth, (LENGTH,), VOCABULARY, connection, order, norm, "gelu")  # type: ignore[arg-type]
    net = trunk.build(design)
    initialise(net, init, 0)
    return net


def tokens(batch: int = 3) -> Tensor:
    return torch.randint(VOCABULARY, (batch, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("order", ["pre", "post"])
def test_an_encoder_layer_is_pytorchs(order: str) -> None:
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=order == "pre"
    )
    net = build(depth=1, order=order, mask="none")
    ours = dict(net.blocks.named_parameters())
    branches = ("0.branch.norm", "1.branch.norm") if order == "pre" else ("0.after.norm", "1.after.norm")
    names = {
        "0.branch.attention.qkv.weight": "self_attn.in_proj_weight",
        "0.branch.attention.qkv.bias": "self_attn.in_proj_bias",
        "0.branch.attention.out": "self_attn.out_proj",
        "1.branch.expand": "linear1",
        "1.branch.shrink": "linear2",
        branches[0]: "norm1",
        branches[1]: "norm2",
    }
    pairs = {}
    for name, parameter in ours.items():
        stem, _, kind = name.rpartition(".")
        other = theirs.get_parameter(names.get(name) or f"{names[stem]}.{kind}")
        pairs[name] = (parameter, other)
        parameter.data.copy_(other.data)
    assert len(pairs) == len(list(theirs.parameters()))
    x = torch.randn(3, LENGTH, 8)
    h = x.transpose(1, 2)
    for block in net.blocks:
        h = block(h)
    expected = theirs(x)
    torch.testing.assert_close(h.transpose(1, 2), expected)
    h.square().sum().backward()
    expected.square().sum().backward()
    for mine, other in pairs.values():
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_vit_is_torchvisions() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.VisionTransformer(
        image_size=16,
        patch_size=4,
        num_layers=3,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=32,
        num_classes=5,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
    )
    nn.init.normal_(theirs.heads.head.weight)
    nn.init.normal_(theirs.class_token)
    design = Design(3, (3, 16, 16), 5, Residual, "pre", "layer", "gelu")
    ours = Vit(patch=4, width=8, heads=2).build(design)
    # Both hold the same things in the same order but for names and the shapes of tokens.
    copies = list(zip(in_their_order(ours), theirs.parameters(), strict=True))
    for mine, other in copies:
        mine.data.copy_(other.data.reshape(mine.shape))
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for mine, other in copies:
        assert mine.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(mine.grad, other.grad.reshape(mine.shape), rtol=1e-4, atol=1e-4)


def in_their_order(ours: Chain) -> list[nn.Parameter]:
    stem, rest = ours.stem, [*ours.blocks.parameters(), *ours.head.parameters()]
    token = stem.get_parameter("class_token")
    return [token, *stem.get_submodule("patches").parameters(), stem.get_parameter("positions.weight"), *rest]


def test_vit_b_16_has_its_86_567_656_parameters() -> None:
    with torch.device("meta"):
        design = Design(12, (3, 224, 224), 1000, Residual, "pre", "layer", "gelu")
        net = Vit(patch=16, width=768, heads=12).build(design)
    assert sum(p.numel() for p in net.parameters()) == 86_567_656


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_learns(kind: str) -> None:
    # Norms would take out the constants that fixup adds.
    net = build(undropped(kind), tied=False, norm="none")
    stir(net)
    loss = nn.functional.cross_entropy(net(tokens()), tokens().roll(1, 0))
    loss.backward()
    still = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert not still


@pytest.mark.parametrize("kind", KINDS)
def test_no_output_knows_a_later_token(kind: str) -> None:
    net = build(connection_of(kind), tied=False).eval()
    stir(net)  # some coefficients start at 0
    x = tokens()
    changed = x.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = net(x), net(changed)
    torch.testing.assert_close(before[..., :4], after[..., :4])
    assert (before[..., 4:] - after[..., 4:]).abs().max() > 1e-4


class Everywhere(Residual):
    """A plugin's connection whose shortcut is a mean over tokens."""

    mixes_positions = True

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return h.mean(2, keepdim=True) + f(h)


def test_a_connection_that_mixes_tokens_needs_a_net_without_a_mask() -> None:
    with pytest.raises(ConfigError, match="Everywhere looks at all tokens"):
        build(Everywhere)
    assert build(Everywhere, mask="none")(tokens()).shape == (3, VOCABULARY, LENGTH)


def test_without_a_mask_every_token_is_seen() -> None:
    net = build(mask="none").eval()
    changed = tokens()
    changed[:, -1] = (changed[:, -1] + 1) % VOCABULARY
    with torch.no_grad():
        assert (net(tokens()) - net(changed))[..., 0].abs().min() > 0


@pytest.mark.parametrize(("span", "blocks"), [(1, 8), (2, 4), (4, 2), (0, 8), (8, 1)])
@pytest.mark.parametrize("order", ["pre", "post", "peri", "deep_norm"])
def test_span_and_order_move_shortcuts_but_no_layer(span: int, blocks: int, order: str) -> None:
    net = build(depth=4, span=span, order=order)
    assert len(net.blocks) == blocks
    assert isinstance(net.blocks[0].connection, Plain if span == 0 else Residual)
    layers = [layer.weight.shape for _, layer in net.weight_layers()]
    assert layers == [layer.weight.shape for _, layer in build(depth=4).weight_layers()]
    assert net(tokens()).shape == (3, VOCABULARY, LENGTH)


def test_a_span_over_two_sublayers_is_one_addition() -> None:
    net = build(depth=1, span=2).eval()
    (block,) = net.blocks
    h = torch.randn(2, 8, LENGTH)
    steps = dict(block.branch.named_children())
    x = h.transpose(1, 2)
    f = steps["attention1"](steps["norm1"](x))
    f = steps["shrink2"](nn.functional.gelu(steps["expand2"](steps["norm2"](f))))
    torch.testing.assert_close(block(h), (x + f).transpose(1, 2))


def test_deep_norm_is_a_norm_of_a_h_plus_f() -> None:
    depth = 3
    net = build(depth=depth, order="deep_norm").eval()
    h = torch.randn(2, 8, LENGTH)
    for block in list(net.blocks)[:2]:
        *layers, (name, _) = block.branch.named_children()
        assert name == "scale"
        f = AlongTokens(*(module for _, module in layers))(h)
        a = (2 * depth) ** 0.25
        torch.testing.assert_close(block(h), block.after(a * h + f), rtol=1e-4, atol=1e-4)


def test_deep_norm_draws_all_but_queries_and_keys_smaller() -> None:
    depth = 2
    small, usual = (dict(build(depth=depth, order=o).named_parameters()) for o in ("deep_norm", "post"))
    b = (8 * depth) ** -0.25
    for name in ("attention.out", "expand", "shrink"):
        index = 0 if name == "attention.out" else 1
        key = f"blocks.{index}.branch.{name}.weight"
        torch.testing.assert_close(small[key], b * usual[key])
    q, k, v = small["blocks.0.branch.attention.qkv.weight"].chunk(3)
    q0, k0, v0 = usual["blocks.0.branch.attention.qkv.weight"].chunk(3)
    torch.testing.assert_close(torch.cat([q, k, v]), torch.cat([q0, k0, b * v0]))


def test_peri_norm_normalises_both_ends_of_a_branch() -> None:
    net = build(order="peri")
    out = net.blocks[1].branch(torch.randn(2, 8, LENGTH))
    torch.testing.assert_close(out.mean(1), torch.zeros(2, LENGTH), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(1, unbiased=False), torch.ones(2, LENGTH), atol=1e-2, rtol=0)


def test_gpt2s_init() -> None:
    net = build(depth=8, width=64, init="gpt2")
    weights = dict(net.named_parameters())
    assert weights["blocks.0.branch.attention.qkv.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert weights["stem.positions.weight"].std().item() == pytest.approx(0.02, rel=0.15)
    last = torch.stack([weights[f"blocks.{i}.branch.attention.out.weight"] for i in range(0, 16, 2)])
    assert last.std().item() == pytest.approx(0.02 / 4, rel=0.05)


@pytest.mark.parametrize("order", ["pre", "post", "peri", "deep_norm"])
def test_without_biases_there_are_none_and_the_net_is_the_same_as_with_biases_of_0(order: str) -> None:
    with_biases, without = (build(order=order, bias=bias, init="he") for bias in (True, False))
    assert not [name for name, _ in without.named_parameters() if name.endswith("bias")]
    rest = {name: p for name, p in with_biases.named_parameters() if not name.endswith("bias")}
    assert {name: p.shape for name, p in without.named_parameters()} == {n: p.shape for n, p in rest.items()}
    torch.testing.assert_close(without(tokens()), with_biases(tokens()), rtol=0, atol=0)
    without(tokens()).square().mean().backward()
    assert all(p.grad is not None for p in without.parameters())


def test_nanogpts_decoder_for_a_cpu_has_its_number_of_parameters() -> None:
    trunk = Transformer(width=128, heads=4, bias=False)
    with torch.device("meta"):
        net = trunk.build(Design(4, (64,), 65, Residual, "pre", "layer", "gelu"))
    assert sum(p.numel() for p in net.parameters()) == 4 * (12 * 128**2 + 2 * 128) + 128 * (65 + 64 + 1)


def test_berts_init_makes_every_weight_alike() -> None:
    weights = [p for p in build(depth=2, width=64, init="bert").parameters() if p.ndim == 2]
    assert [w.std().item() for w in weights] == pytest.approx([0.02] * len(weights), rel=0.1)


def test_tied_logits_come_from_the_embedding() -> None:
    tied, free = build(), build(tied=False)
    extra = VOCABULARY * 8
    assert sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in tied.parameters()) == extra
    assert tied.get_submodule("head.fc.embedding") is tied.get_submodule("stem.tokens")


@pytest.mark.parametrize("site", ["attention", "mlp", "both", "branch", "skip"])
def test_dropout_acts_at_its_site_while_training(site: str) -> None:
    net = build(dropout=0.5, dropout_at=site)
    still = build()
    torch.manual_seed(0)
    assert not torch.allclose(net.train()(tokens()), still(tokens()))
    torch.testing.assert_close(net.eval()(tokens()), still.eval()(tokens()))
    if site == "skip":
        h = torch.randn(2, 8, LENGTH)
        shortcut = net.train().blocks[0].connection.get_submodule("shortcut")(h)
        assert set((shortcut / h).round(decimals=4).unique().tolist()) == {0.0, 2.0}


def test_attention_alone() -> None:
    net = build(mlp=False)
    assert [name for name, _ in net.weight_layers()] == [
        f"blocks.{i}.branch.attention.{layer}" for i in range(2) for layer in ("qkv", "out")
    ]


def test_an_mlp_has_at_least_one_hidden_unit() -> None:
    """Without one, the plan was accepted, and every trial ended with an IndexError."""
    net = build(mlp_ratio=0.01)
    assert net.get_parameter("blocks.1.branch.expand.weight").shape == (1, 8)
    assert net(tokens()).isfinite().all()


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"norm": "batch"}, "model.norm"),
        ({"order": "relu_only_pre"}, "model.order"),
        ({"order": "deep_norm", "norm": "none"}, "model.norm: deep_norm divides"),
        ({"span": 3}, "model.span"),
        ({"heads": 9}, "model.heads"),
        ({"connection": partial(Skip, growth=4)}, "model.tied"),
        ({"init": "fixup"}, "model.init"),
    ],
)
def test_what_a_transformer_refuses(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        build(**wrong)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="reads tokens"):
        Transformer().build(Design(2, (3, 8, 8), 5, Residual, "pre", "layer"))
    with pytest.raises(ConfigError, match="patches are of images"):
        Vit().build(Design(2, (8,), 5, Residual, "pre", "layer"))
    with pytest.raises(ConfigError, match="does not divide"):
        Vit(patch=3).build(Design(2, (3, 8, 8), 5, Residual, "pre", "layer"))
    with pytest.raises(ConfigError, match=r"model\.mask"):
        Transformer(mask="none").build(Design(2, (8,), 5, Residual, "pre", "layer", causal=True))


def test_cost_counts_maps_attention_and_logits() -> None:
    """A token costs 12 C^2 a layer, 2 T C for the two products of attention, and its logits."""
    with torch.device("meta"):
        design = Design(4, (64,), 65, Residual, "pre", "layer", "gelu", causal=True)
        net = Transformer(width=128, heads=4).build(design)
    cost = measure_cost(net, Purpose((64,), 65, "tokens", causal=True))
    per_token = 4 * (12 * 128**2 + 2 * 64 * 128) + 65 * 128
    assert cost.macs == 64 * per_token
    assert cost.params == 4 * (12 * 128**2 + 13 * 128) + (65 + 64) * 128 + 2 * 128
