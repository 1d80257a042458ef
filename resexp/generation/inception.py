"""The features in which the FID is measured: those of the Inception network of 2015, by torch-fidelity.

The package torch-fidelity (extra `fid`) contains the network. Users provide the file of its weights, which
this project neither contains nor downloads. Features of real images are kept in `inception/` in the folder of
data sets.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resexp import durable
from resexp.errors import DataError
from resexp.generation.distance import Matrix
from resexp.generation.kept import kept
from resexp.machine.folders import data_folder

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""The SHA-256 of the file with the weights. Any other file is refused."""
BATCH = 16
"""The number of images whose features are computed at once. This takes a few seconds on one core."""


def missing() -> str | None:
    """What this machine lacks to measure a FID, and how to get it; None if it lacks nothing."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return "the package torch-fidelity is not installed; install it, or resexp with its extra `fid`"
    if (path := _file()) is None:
        places = " or ".join(str(place.parent) for place in _places())
        return f"there are no weights of Inception; put torch-fidelity's file {WEIGHTS} into {places}"
    try:
        stat = path.stat()
        digest = _sha256(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        return f"{path}: {error.strerror or error}; make it readable"
    if digest != SHA256:
        return f"{path}: not the weights of the FID, by its SHA-256; delete it, and get the file again"
    return None


class Inception:
    """The network with its weights, on one device. Raises DataError if `missing()` names anything."""

    def __init__(self, device: torch.device) -> None:
        if why := missing():
            raise DataError(why)
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = _file()
        data = durable.read_bytes(path) if path else b""
        if hashlib.sha256(data).hexdigest() != SHA256:  # torch-fidelity runs what a file of weights contains
            raise DataError(f"{path}: changed while it was read; try again")
        self.device = device
        self.network: Any = FeatureExtractorInceptionV3(
            "inception", ["2048"], feature_extractor_weights_path=io.BytesIO(data)
        ).to(device)

    @torch.inference_mode()
    def __call__(self, images: Tensor, alive: Callable[[], None] = lambda: None) -> Matrix:
        """The features (n, 2048) float64 of images (n, C, H, W) uint8 with one or three channels.

        Grey images get three equal channels. The network enlarges all images to 299 x 299. `alive` is called
        after every BATCH images.
        """
        parts = []
        for part in torch.split(images, BATCH):
            colours = part.expand(-1, 3, -1, -1) if part.shape[1] == 1 else part
            parts.append(self.network(colours.to(self.device))[0].double().cpu())
            alive()
        return torch.cat(parts).numpy()

    def remembered(self, images: Tensor, alive: Callable[[], None]) -> Matrix:
        """The features of real images, as `__call__` returns them. They are computed once per folder of data
        sets and kind of device, and kept in a file in float32, in which they were computed.

        If several processes ask for the same images at the same time, one of them computes the features.
        Raises DataError if the file is damaged, or cannot be written.
        """
        pixels = images.cpu().contiguous().numpy()
        key = hashlib.sha256(f"{SHA256} {self.device.type} {pixels.shape}".encode() + pixels.tobytes())
        name = f"inception/{key.hexdigest()[:32]}.npy"
        _, contents = kept(name, lambda: _packed(self(images, alive)), "the features computed", alive)
        features: Matrix = np.load(io.BytesIO(contents), allow_pickle=False).astype(np.float64)
        return features


def _places() -> tuple[Path, Path]:
    """Where the file of weights may lie: in the folder of data sets, or where torch-fidelity puts it."""
    return data_folder() / "inception" / WEIGHTS, Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS


def _file() -> Path | None:
    return next((path for path in _places() if path.is_file()), None)


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """The hash of a file's bytes. It is computed anew if the file's size or modification time differs."""
    return hashlib.sha256(durable.read_bytes(path)).hexdigest()


def _packed(features: Matrix) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, features.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()
