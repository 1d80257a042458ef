"""Generated images over training."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from resexp.report import frames, style
from resexp.store import Records
from resexp.text import called

ORDER = 15.5
TITLE = "Generated images over training"
CAPTION = (
    "Images that the average of the generator makes of the same noise at several moments of training, from "
    "the first seed of each variant that finished, at each depth."
)
BESIDE = "generation"
ACROSS = 4
"""The number of images in a row of a picture."""
MOST = 16
"""The most rows of pictures."""


def figure(records: Records) -> Figure | None:
    """A row of pictures for each variant and depth, at most MOST rows; None if no trial has a picture."""
    done = frames.done(records.trials)
    rows = []
    for place in frames.by_depth(done) if len(done) else ():
        first = place.rows.sort_values("seed").iloc[0]["id"]
        found = {int(p["step"]): tiles(p) for p in records.pictures if p["id"] == first}
        shown = {step: image for step, image in found.items() if image is not None}
        if shown:
            rows.append((f"{called(place.variant)}, depth {place.depth}", shown))
    if not rows:
        return None
    columns = max(len(shown) for _, shown in rows[:MOST])
    drawn, axes = style.panels(len(rows[:MOST]), columns, height=style.WIDTH / columns + 0.25)
    for panels, (name, shown) in zip(axes, rows[:MOST], strict=True):
        for panel in panels:
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        for panel, (step, image) in zip(panels, sorted(shown.items()), strict=False):
            panel.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
            panel.set_xlabel(f"step {step}")
        panels[0].set_title(name, fontsize=9)
    return drawn


def tiles(picture: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """A picture's images in one array, ACROSS of them per row. None if it has no images, if its bytes are
    damaged, or if it is too large.
    """
    count, height, width, channels = picture["shape"]
    size = count * height * width * channels
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(picture["pixels"]), size + 1)
    except (ValueError, zlib.error):
        return None
    if not size or len(data) != size or size > 2**26:
        return None
    images = np.frombuffer(data, np.uint8).reshape(count, height, width, channels)
    images = images if channels == 3 else images[..., :1]
    rows = -(-count // ACROSS)
    shape = (rows * (height + 1) - 1, ACROSS * (width + 1) - 1, images.shape[-1])
    canvas = np.full(shape, 255, np.uint8)
    for number, image in enumerate(images):
        top, left = (number // ACROSS) * (height + 1), (number % ACROSS) * (width + 1)
        canvas[top : top + height, left : left + width] = image
    return canvas if canvas.shape[-1] == 3 else canvas[..., 0]
