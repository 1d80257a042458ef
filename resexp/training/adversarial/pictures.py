"""Pictures of what a generator makes, as they are kept with the rows of metrics."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from torch import Tensor

SHOWN = 16
"""The number of images in a picture."""
MOMENTS = (0.0, 0.1, 0.25, 0.5, 1.0)
"""The shares of training after which a picture is made; 0 stands for the first epoch."""


def due(epoch: int, epochs: int) -> bool:
    """Whether a picture is made after this epoch (1-based)."""
    return epoch in {max(1, round(share * epochs)) for share in MOMENTS}


def picture(images: Tensor) -> dict[str, Any]:
    """Images (n, C, H, W) uint8 as JSON data: shape (n, H, W, C), and the bytes, compressed, in base64."""
    rows = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return {"shape": list(rows.shape), "pixels": base64.b64encode(zlib.compress(rows.tobytes(), 9)).decode()}
