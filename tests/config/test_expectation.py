"""The language of `resexp check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp.config.expectation import Expectation, NotUnderstoodError, Side, parse
from resexp.config.load import load
from resexp.errors import ConfigError

LEFT = Side("test_error", "residual", 56)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("residual does not degrade", Expectation("", "residual", "does not degrade")),
        ("skip (concatenation) trains", Expectation("", "skip", "trains")),
        ("skip (concatenation, growth=24) trains", Expectation("", "skip (growth=24)", "trains")),
        (
            "test_loss(skip (concatenation), 8) < 2",
            Expectation("", left=Side("test_loss", "skip", 8), bound=2),
        ),
        ("plain  degrades", Expectation("", "plain", "degrades")),
        ("residual (norm=none, 2) trains", Expectation("", "residual (norm=none, 2)", "trains")),
        ("test_error(residual, 56) < 0.03", Expectation("", left=LEFT, bound=0.03)),
        ("test_error( residual ,56 )<3%", Expectation("", left=LEFT, bound=0.03)),
        ("test_error(residual, 56) >= .5", Expectation("", left=LEFT, sign=">=", bound=0.5)),
        ("seconds(skip) < 1e2", Expectation("", left=Side("seconds", "skip", None), bound=100)),
        (
            "test_error(residual, 56) < test_error(plain (lr=0.1, 2), 20) + 1 %",
            Expectation("", left=LEFT, right=Side("test_error", "plain (lr=0.1, 2)", 20), bound=0.01),
        ),
        (
            "test_error(residual, 56) <= test_error(plain) - 0.2",
            Expectation("", left=LEFT, sign="<=", right=Side("test_error", "plain", None), bound=-0.2),
        ),
    ],
)
def test_what_is_understood(text: str, meant: Expectation) -> None:
    found = parse(text)
    assert found == Expectation(
        " ".join(text.split()), **{k: v for k, v in vars(meant).items() if k != "text"}
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "residual", "residual improves", "0.03 > test_error(residual, 56)"),
        *("test_error(residual, 56) = 0.03", "test_error(residual, 56) < 3", "test_error() < 0.1"),
        *("accuracy(residual, 56) > 0.9", "test_error(a, 8) < train_error(a, 8)"),
        *("test_error(a, 8) < 0.1 < 0.2", "test_error(a, 8) < __import__('os')", "test_error(a, 8) < "),
        *("test_error(a, 8) < test_error(b, 8) * 2", "test_error(a, 8) < nan"),
        *("test_error(a, 8) < 1", "test_error(a, 8) < 150 %", "test_error(a, 8) > 0", "test_error(a) > -1"),
        *("test_error(a, 8) < test_error(b, 8) + 1", "params(a, 8) > 3 %", "seconds(a, 8) < 1e999"),
        f"test_error(a, {'9' * 5000}) < 0.5",
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(NotUnderstoodError) as refused:
        parse(text)
    assert refused.value.right


def test_a_configuration_with_a_faulty_check_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    base = "name: e\ndata: digits\nmodel: {kind: resnet, depth: 8}\ntraining: {epochs: 1}\n"
    file.write_text(f"{base}checks:\n  - plain trains\n  - plain shines\n")
    with pytest.raises(ConfigError, match=r"c\.yaml:7.*is neither a comparison nor a claim"):
        load(file)
    file.write_text(f"{base}checks: [plain trains]\n")
    assert load(file).checks == ("plain trains",)
