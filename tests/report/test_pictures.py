"""The figure of what generators make over training, from the rows that a trial writes to the drawn pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made_up import trial
from matplotlib import rc_context

from resexp.plan.groups import short
from resexp.report import frames, naming, style
from resexp.report.figures import pictures
from resexp.store import Records
from resexp.training.adversarial.pictures import due, picture

Make = Callable[..., Records]


def images(count: int = 16, channels: int = 1, side: int = 3) -> torch.Tensor:
    values = torch.arange(count * channels * side * side) % 256
    return values.view(count, channels, side, side).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_show_every_pixel_of_every_image(channels: int) -> None:
    given = images(6, channels)
    tiled = pictures.tiles(json.loads(json.dumps(picture(given))))
    assert tiled is not None
    assert tiled.shape[:2] == (2 * 3 + 1, 4 * 3 + 3)
    for number, image in enumerate(given.permute(0, 2, 3, 1).numpy()):
        top, left = number // 4 * 4, number % 4 * 4
        part = tiled[top : top + 3, left : left + 3]
        assert np.array_equal(part.reshape(image.shape), image)
    assert (tiled[3] == 255).all(), "a line between the rows"


@pytest.mark.parametrize("change", [{"pixels": "no base64"}, {"pixels": "AAAA"}, {"shape": [16, 3, 3, 3]}])
def test_damaged_pictures_are_left_out(change: dict[str, Any]) -> None:
    assert pictures.tiles(picture(images()) | change) is None


def test_the_figure_has_a_row_for_each_variant_and_depth(make: Make) -> None:
    rows = [trial(v, d, s, "done") for v in ("plain", "residual") for d in (8, 20) for s in (1, 0)]
    records = make(rows)
    shown = [{"id": row["id"], "step": step, **picture(images())} for row in rows for step in (9, 2)]
    with rc_context({rule: value for rule, value in style.RC.items() if "svg" not in rule}):
        assert pictures.figure(frames.prepared(records)) is None
        drawn = pictures.figure(frames.prepared(replace(records, pictures=tuple(shown))))
    assert drawn is not None
    labels = [panel.get_xlabel() for panel in drawn.axes]
    assert labels == ["step 2", "step 9"] * 4
    assert [panel.get_title("left") for panel in drawn.axes][::2] == [
        *("plain, depth 8", "plain, depth 20", "residual, depth 8", "residual, depth 20"),
    ]
    assert all(len(panel.images) == 1 for panel in drawn.axes)


def test_pictures_are_made_at_five_moments_at_most() -> None:
    assert [epoch for epoch in range(1, 21) if due(epoch, 20)] == [1, 2, 5, 10, 20]
    assert [epoch for epoch in range(1, 3) if due(epoch, 2)] == [1, 2]


def test_labels_say_which_network_has_a_connection() -> None:
    assert short("discriminator.connection", "plain") == "discriminator plain"
    assert short("discriminator.width", 32) == "discriminator width=32"
    assert short("model.norm", "none") == "none"


def test_a_shortfall_is_not_called_acting_blindly() -> None:
    measure = naming.named("shortfall")
    assert "blindly" not in measure.said("{blind} {errs} {line} {running} {rarely} {at}")
    assert measure.said("Train {error}") == "Train shortfall"
