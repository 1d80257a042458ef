"""Images that stay uint8 where they lie, and become normalised batches a whole batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resexp.data.draws import Draws, draws
from resexp.data.examples import Batches, Examples
from resexp.data.subset import drawn, pick_classes, renumbered, select

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.base import Split
    from resexp.data.cache import PreparedData


class ImageSet(Examples):
    """One split of a data set, as batches on `device`.

    images: (N, H, W, C) uint8, on `device` or in memory-mapped host memory; labels, beside them: (N,) int64,
    or masks (N, H, W) uint8; rows: (n,) int64, the images that the split has, None: all of them; mean, std:
    of each channel, of values divided by 255. A channel that never varies is only centred. In training,
    images are padded by `crop` pixels and cropped at random, and with `flip` mirrored at random.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        rows: Tensor | None = None,
        device: torch.device | None = None,
        crop: int = 0,
        flip: bool = False,
    ) -> None:
        assert len(labels) == len(images)
        self.crop, self.flip = crop, flip
        self.images, self.labels, self.rows = images, labels, rows
        self.device = images.device if device is None else device
        self.mean, self.std = (torch.tensor(v, dtype=torch.float32, device=self.device) for v in (mean, std))
        self._scale = 1 / (255 * torch.where(self.std > 0, self.std, 1))
        self._shift = -self.mean * 255 * self._scale

    def __len__(self) -> int:
        return len(self.images if self.rows is None else self.rows)

    def batch(self, index: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Normalised images (B, C, H, W), channels last in memory, and labels (B,) or masks (B, H, W) int64.

        `index` is (B,) int64.
        """
        rows = self._rows(index)
        return self._normalised(self.images[rows], dtype), self._target(self.labels[rows])

    def training(self, seed: int, epoch: int) -> Batches:
        if not (self.crop or self.flip):
            return self.batch
        return partial(
            self.augmented, draws=draws(len(self), seed, epoch, self.crop, self.flip).to(self.device)
        )

    def augmented(
        self, index: Tensor, draws: Draws, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """As `batch`, each image and its mask cropped and flipped by one draw; black comes in at the borders,
        and class 0 of the mask.

        `draws` are of the whole set, so that what an image looks like does not depend on its batch.
        """
        height, width, channels = self.images.shape[1:]
        where = self.images.device
        top, left, flip = (d[index.to(d.device)].to(where) for d in (draws.rows, draws.cols, draws.flips))
        y = torch.arange(height, device=where) + (top - draws.crop)[:, None]  # (B, H): source row of each row
        x = torch.arange(width, device=where).expand(len(index), width)
        x = torch.where(flip[:, None], width - 1 - x, x) + (left - draws.crop)[:, None]
        outside = ((y < 0) | (y >= height))[:, :, None] | ((x < 0) | (x >= width))[:, None, :]
        rows = self._rows(index)
        source = (rows[:, None] * height + y.clamp(0, height - 1))[:, :, None] * width
        source = source + x.clamp(0, width - 1)[:, None, :]
        pixels = self.images.view(-1, channels).index_select(0, source.flatten())
        pixels = pixels.view(*source.shape, channels)
        pixels.masked_fill_(outside[..., None], 0)
        if self.labels.ndim == 1:
            labels = self.labels[rows]
        else:
            labels = self.labels.view(-1).index_select(0, source.flatten()).view(source.shape)
            labels.masked_fill_(outside, 0)
        return self._normalised(pixels, dtype), self._target(labels)

    def _rows(self, index: Tensor) -> Tensor:
        index = index.to(self.images.device)
        return index if self.rows is None else self.rows[index]

    def _target(self, labels: Tensor) -> Tensor:
        return labels.to(self.device).long()

    def _normalised(self, pixels: Tensor, dtype: torch.dtype) -> Tensor:
        values = pixels.to(self.device).to(torch.float32)
        return values.mul_(self._scale).add_(self._shift).to(dtype).permute(0, 3, 1, 2)


def image_sets(prepared: PreparedData, config: DataConfig, device: torch.device) -> dict[str, ImageSet]:
    """The splits of a prepared set of images, as configured.

    On the CPU the images stay in the mapped file, which all processes share. On CUDA they move to the
    device if they fit into half of its free memory; otherwise each batch is copied as it comes.
    Raises DataError.
    """
    labelled = prepared.facts.targets == "labels"
    classes = pick_classes(prepared.facts.classes, config.classes if labelled else None)
    labels = {s: renumbered(a, classes) if labelled else a for s, a in prepared.labels.items()}
    strata = {s: a if labelled else np.zeros(len(a), np.int64) for s, a in labels.items()}
    wanted = {s: np.flatnonzero(a >= 0) for s, a in strata.items()}
    test = select(strata["test"][wanted["test"]], config.test_size, config.subset_seed, "data.test_size")
    rows = {"test": wanted["test"][test]}
    for name, chosen in drawn(strata["train"][wanted["train"]], config).items():
        rows[name] = wanted["train"][chosen]
    pixels = sum(map(len, rows.values())) * math.prod(prepared.facts.shape)
    moves = device.type == "cuda" and pixels <= torch.cuda.mem_get_info(device)[0] // 2

    def image_set(name: str) -> ImageSet:
        split: Split = "test" if name == "test" else "train"
        arrays = [torch.from_numpy(array) for array in (prepared.images[split], labels[split])]
        chosen = torch.from_numpy(rows[name]) if len(rows[name]) < len(arrays[0]) else None
        if moves:
            arrays = [(a if chosen is None else a[chosen]).to(device) for a in arrays]
            chosen = None
        images, beside = arrays
        return ImageSet(
            images,
            beside,
            prepared.mean,
            prepared.std,
            rows=chosen,
            device=device,
            crop=config.crop,
            flip=config.flip,
        )

    return {name: image_set(name) for name, chosen in rows.items() if len(chosen)}
