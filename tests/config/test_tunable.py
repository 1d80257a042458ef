"""What cannot be tuned."""

from pathlib import Path

import pytest

from resexp.config.load import load
from resexp.errors import ConfigError

TEXT = """
name: t
data: {kind: python_topics, validation_size: 20}
task: masked_language
model: {kind: transformer, depth: 2, mask: none, norm: layer}
training: {epochs: 1}
tune: {task.rate: [0.15, 0.5]}
"""
IMAGES = """
name: t
data: {kind: digits, validation_size: 200}
task: masked_autoencoding
model: {kind: masked_autoencoder, depth: 2, norm: layer}
training: {epochs: 1}
tune: {model.mask_ratio: [0.5, 0.75]}
"""


@pytest.mark.parametrize(
    ("key", "tunable"), [("data.noise", False), ("data.image_size", False), ("data.train_size", True)]
)
def test_what_may_change_the_validation_examples_cannot_be_tuned(
    key: str, tunable: bool, tmp_path: Path
) -> None:
    """Networks would err less on examples with less noise, and `noise` is an option of one kind of data."""
    text = "name: t\ndata: {kind: synthetic, validation_size: 20}\nmodel: {kind: mlp, depth: 4}\n"
    text += f"training: {{epochs: 1, batch_size: 8}}\ntune: {{{key}: [16, 32]}}\n"
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    if tunable:
        assert len(load(tmp_path / "t.yaml").points) == 2
        return
    with pytest.raises(ConfigError, match="cannot be tuned: the validation errors of its values"):
        load(tmp_path / "t.yaml")


@pytest.mark.parametrize("text", [TEXT, IMAGES])
def test_how_much_is_hidden_cannot_be_tuned(text: str, tmp_path: Path) -> None:
    """Where less is hidden, validation errors are lower, whatever the network has learned."""
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be tuned: the validation errors of its values"):
        load(tmp_path / "t.yaml")
    (tmp_path / "t.yaml").write_text(text.replace("tune:", "sweep:"), encoding="utf-8")
    assert len(load(tmp_path / "t.yaml").points) == 2
