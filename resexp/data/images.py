"""Images that stay uint8 where they lie, and become normalised batches a whole batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resexp.data import cache
from resexp.data.base import Facts, Split
from resexp.data.order import Draws
from resexp.data.subset import pick_classes, subset

if TYPE_CHECKING:
    from resexp.settings import DataConfig


class ImageSet:
    """One split of a data set, as batches on `device`.

    images: (N, H, W, C) uint8, on `device` or in memory-mapped host memory; labels: (n,) int64;
    rows: (n,) int64, the image of each label, or None if they correspond one to one;
    mean, std: of each channel, of values divided by 255. A channel that never varies is only centred.
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
    ) -> None:
        assert len(labels) == len(images if rows is None else rows)
        self.images, self.labels, self.rows = images, labels, rows
        self.device = images.device if device is None else device
        self.mean, self.std = (torch.tensor(v, dtype=torch.float32, device=self.device) for v in (mean, std))
        self._scale = 1 / (255 * torch.where(self.std > 0, self.std, 1))
        self._shift = -self.mean * 255 * self._scale

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Normalised images (B, C, H, W), channels last in memory, and labels (B,), of index (B,) int64."""
        index, rows = self._rows(index)
        return self._normalised(self.images[rows], dtype), self.labels[index].to(self.device)

    def augmented(
        self, index: Tensor, draws: Draws, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """As `batch`, each image cropped and flipped by its own draw; black comes in at the borders.

        `draws` are of the whole set, so that what an image looks like does not depend on its batch.
        """
        height, width, channels = self.images.shape[1:]
        where = self.images.device
        top, left, flip = (d[index.to(d.device)].to(where) for d in (draws.rows, draws.cols, draws.flips))
        y = torch.arange(height, device=where) + (top - draws.crop)[:, None]  # (B, H): source row of each row
        x = torch.arange(width, device=where).expand(len(index), width)
        x = torch.where(flip[:, None], width - 1 - x, x) + (left - draws.crop)[:, None]
        outside = ((y < 0) | (y >= height))[:, :, None] | ((x < 0) | (x >= width))[:, None, :]
        index, rows = self._rows(index)
        source = (rows[:, None] * height + y.clamp(0, height - 1))[:, :, None] * width
        source = source + x.clamp(0, width - 1)[:, None, :]
        pixels = self.images.view(-1, channels).index_select(0, source.flatten())
        pixels = pixels.view(*source.shape, channels)
        pixels.masked_fill_(outside[..., None], 0)
        return self._normalised(pixels, dtype), self.labels[index].to(self.device)

    def _rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index.to(self.images.device)
        return index, index if self.rows is None else self.rows[index]

    def _normalised(self, pixels: Tensor, dtype: torch.dtype) -> Tensor:
        values = pixels.to(self.device).to(torch.float32)
        return values.mul_(self._scale).add_(self._shift).to(dtype).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Data:
    """A data set ready for training; `facts` count what is really there, `unreadable` what was left out."""

    train: ImageSet
    test: ImageSet
    facts: Facts
    unreadable: tuple[str, ...]


def open_images(config: DataConfig, device: torch.device | str) -> Data:
    """The configured subset of a prepared set (it is prepared now if it is not).

    On the CPU the images stay in the mapped file, which all processes share. On CUDA they move to the
    device if both splits fit into half of its free memory; otherwise each batch is copied as it comes.
    Raises DataError.
    """
    prepared = cache.load(cache.prepare(config))
    facts = cache.narrowed(prepared.facts, config)
    device = torch.device(device)
    pixels = (facts.train + facts.test) * math.prod(facts.shape)
    moves = device.type == "cuda" and pixels <= torch.cuda.mem_get_info(device)[0] // 2
    classes = pick_classes(prepared.facts.classes, config.classes)

    def image_set(split: Split, size: int | None) -> ImageSet:
        images, old_labels = torch.from_numpy(prepared.images[split]), prepared.labels[split]
        chosen, new_labels = subset(old_labels, classes, size, config.subset_seed, f"data.{split}_size")
        labels = torch.from_numpy(new_labels)
        rows = torch.from_numpy(chosen) if len(chosen) < len(images) else None
        if moves:
            images, labels = (images if rows is None else images[rows]).to(device), labels.to(device)
            rows = None
        return ImageSet(images, labels, prepared.mean, prepared.std, rows=rows, device=device)

    return Data(
        image_set("train", config.train_size),
        image_set("test", config.test_size),
        facts,
        prepared.unreadable,
    )
