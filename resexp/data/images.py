"""Splits of images as batches for training. Pixels are kept as uint8, and each batch is normalised when it is
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resexp.data.draws import Draws, draws
from resexp.data.examples import Batches, Examples, placed

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData


class ImageSet(Examples):
    """One split of a data set, as batches on `device`.

    images: (N, H, W, C) uint8, on `device` or in a file that is mapped into memory.
    labels: (N,) int64, or masks (N, H, W) uint8, in the same memory.
    mean, std: (C,), of values divided by 255. A channel whose `std` is 0 is only centred.
    pixel_mean: (H, W, C), of values divided by 255. If it is given, it is subtracted from images before they
        are padded, cropped and flipped, so that the padding is 0. `mean` and `std` are then not used.
    rows: (n,) int64, the positions of the images that belong to the split; None if all do.
    crop: in training, images are padded by this many pixels and cropped at random.
    flip: in training, images are mirrored at random.
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
        pixel_mean: Tensor | None = None,
    ) -> None:
        assert len(labels) == len(images)
        self.crop, self.flip = crop, flip
        self.images, self.labels, self.rows = images, labels, rows
        self.device = images.device if device is None else device
        self.mean, self.std = (torch.tensor(v, dtype=torch.float32, device=self.device) for v in (mean, std))
        self._scale = 1 / (255 * torch.where(self.std > 0, self.std, 1))
        self._shift = -self.mean * 255 * self._scale
        if pixel_mean is not None:
            self._scale = torch.full_like(self.std, 1 / 255)
            self._shift = -pixel_mean.to(self.device, torch.float32)

    def __len__(self) -> int:
        return len(self.images if self.rows is None else self.rows)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (B, C, H, W), channels last in memory, and labels (B,) or masks (B, H, W) int64.

        `index` is (B,) int64.
        """
        rows = self._rows(index)
        return self._normalised(self.images[rows], self._shift), self._target(self.labels[rows])

    def training(self, seed: int, epoch: int) -> Batches:
        if not (self.crop or self.flip):
            return self.batch
        return partial(
            self.augmented, draws=draws(len(self), seed, epoch, self.crop, self.flip).to(self.device)
        )

    def augmented(self, index: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Like `batch`, but an image and its mask are cropped and flipped, both in the same way. The padding
        is black before normalisation (or 0 after it, with `pixel_mean`), and has class 0 in masks.

        `draws` has a draw for every image of the split, so that an image's crop does not depend on its batch.
        """
        # B images, H rows, W columns, C channels
        height, width, channels = self.images.shape[1:]
        device = self.images.device
        top_B, left_B, flip_B = (
            draw[index.to(draw.device)].to(device) for draw in (draws.rows, draws.cols, draws.flips)
        )
        y_BH = torch.arange(height, device=device) + (top_B - draws.crop)[:, None]
        x_BW = torch.arange(width, device=device).expand(len(index), width)
        x_BW = torch.where(flip_B[:, None], width - 1 - x_BW, x_BW) + (left_B - draws.crop)[:, None]
        outside_BHW = ((y_BH < 0) | (y_BH >= height))[:, :, None] | ((x_BW < 0) | (x_BW >= width))[:, None, :]
        rows_B = self._rows(index)
        place_BHW = y_BH.clamp(0, height - 1)[:, :, None] * width + x_BW.clamp(0, width - 1)[:, None, :]
        source_BHW = rows_B[:, None, None] * (height * width) + place_BHW
        pixels_BHWC = self.images.view(-1, channels).index_select(0, source_BHW.flatten())
        pixels_BHWC = pixels_BHWC.view(*source_BHW.shape, channels)
        pixels_BHWC.masked_fill_(outside_BHW[..., None], 0)
        shift = self._shift
        if shift.ndim == 3:
            shift = shift.view(-1, channels)[place_BHW.to(self.device)]
            shift.masked_fill_(outside_BHW[..., None].to(self.device), 0)
        if self.labels.ndim == 1:
            labels = self.labels[rows_B]
        else:
            labels = self.labels.view(-1).index_select(0, source_BHW.flatten()).view(source_BHW.shape)
            labels.masked_fill_(outside_BHW, 0)
        return self._normalised(pixels_BHWC, shift), self._target(labels)

    def unscaled(self, images: Tensor) -> Tensor:
        """The values from 0 to 1 of normalised images (B, C, H, W). Not for sets with `pixel_mean`."""
        assert self._shift.ndim == 1
        scale_C11, shift_C11 = (each.view(-1, 1, 1) for each in (255 * self._scale, self._shift))
        return (images - shift_C11) / scale_C11

    def _rows(self, index: Tensor) -> Tensor:
        index = index.to(self.images.device)
        return index if self.rows is None else self.rows[index]

    def _target(self, labels: Tensor) -> Tensor:
        return labels.to(self.device).long()

    def _normalised(self, pixels: Tensor, shift: Tensor) -> Tensor:
        values = pixels.to(self.device).to(torch.float32)
        return values.mul_(self._scale).add_(shift).permute(0, 3, 1, 2)


def mean_image(images: NDArray[np.uint8], at_once: int = 4096) -> Tensor:
    """The mean (H, W, C) of images (N, H, W, C), of values divided by 255."""
    total = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(images), at_once):
        total += images[start : start + at_once].sum(0, dtype=np.int64)
    return torch.from_numpy(total / (255 * len(images)))


def image_sets(prepared: PreparedData, config: DataConfig, device: torch.device) -> dict[str, ImageSet]:
    """The splits of a prepared set of images, as configured. Raises DataError for an impossible size."""
    means = mean_image(prepared.images["train"]) if config.normalise == "pixel_mean" else None
    return {
        name: ImageSet(
            images,
            targets,
            prepared.mean,
            prepared.std,
            rows=rows,
            device=device,
            crop=config.crop,
            flip=config.flip,
            pixel_mean=means,
        )
        for name, (images, targets, rows) in placed(prepared, config, device).items()
    }
