from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as F

from resexp.config.settings import DataConfig
from resexp.data import cache
from resexp.data.draws import Draws, draws, permutation
from resexp.data.images import ImageSet, mean_image
from resexp.data.opening import open_data


def pixels(n: int, channels: int, height: int = 9, width: int = 7) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, height, width, channels), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % 10, [0.5, 0.4, 0.3][:channels], [0.2, 0.3, 0.1][:channels])


def reference(images: ImageSet, index: torch.Tensor, drawn: Draws) -> torch.Tensor:
    """One sample at a time, by torchvision."""
    out = []
    for i in index.tolist():
        image = F.pad(images.images[i].permute(2, 0, 1), [drawn.crop])
        image = F.crop(image, int(drawn.rows[i]), int(drawn.cols[i]), *images.images.shape[1:3])
        image = F.hflip(image) if drawn.flips[i] else image
        out.append(F.normalize(image / 255, images.mean.tolist(), images.std.tolist()))
    return torch.stack(out)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("crop", "flip"), [(0, True), (2, False), (4, True), (9, True)])
def test_crop_and_flip_agree_with_torchvision(channels: int, crop: int, flip: bool) -> None:
    images = pixels(40, channels)
    drawn = draws(40, seed=1, epoch=2, crop=crop, flip=flip)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(3))[:25]
    x, y = images.augmented(index, drawn)
    expected = reference(images, index, drawn)
    torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-5)
    assert (y == index % 10).all()
    assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("crop", "flip"), [(0, False), (0, True), (2, False), (4, True), (9, True)])
def test_the_mean_of_each_pixel_is_subtracted_before_images_are_cropped_and_flipped(
    crop: int, flip: bool
) -> None:
    plain = pixels(40, 3)
    mean = mean_image(plain.images.numpy(), at_once=7)
    torch.testing.assert_close(mean, plain.images.double().mean(0) / 255)
    images = ImageSet(plain.images, plain.labels, [0.5] * 3, [0.2] * 3, pixel_mean=mean)
    index = torch.randperm(40, generator=torch.Generator().manual_seed(3))[:25]
    centred = (images.images / 255 - mean).float().permute(0, 3, 1, 2)
    torch.testing.assert_close(images.batch(index)[0], centred[index], rtol=0, atol=1e-6)
    drawn = draws(40, seed=1, epoch=2, crop=crop, flip=flip)
    for x, i in zip(images.augmented(index, drawn)[0], index.tolist(), strict=True):
        expected = F.pad(centred[i], [crop])
        expected = F.crop(expected, int(drawn.rows[i]), int(drawn.cols[i]), *images.images.shape[1:3])
        expected = F.hflip(expected) if drawn.flips[i] else expected
        torch.testing.assert_close(x, expected, rtol=0, atol=1e-6)


def test_the_mean_of_each_pixel_is_that_of_all_training_images(configure: Callable[..., DataConfig]) -> None:
    data = open_data(configure("digits", normalise="pixel_mean", train_size=100), "cpu")
    everything = open_data(configure("digits"), "cpu").train
    assert isinstance(data.test, ImageSet)
    mean = (everything.images.double() / 255).mean(0)  # type: ignore[attr-defined]
    rows = data.test.images[:5] if data.test.rows is None else data.test.images[data.test.rows[:5]]
    expected = (rows / 255 - mean).float().permute(0, 3, 1, 2)
    torch.testing.assert_close(data.test.batch(torch.arange(5))[0], expected, rtol=0, atol=1e-6)


def test_no_draw_is_the_plain_batch() -> None:
    images, index = pixels(10, 3), torch.tensor([3, 3, 9])
    x, _ = images.batch(index)
    nothing = draws(10, 0, 0, crop=0, flip=False)
    assert torch.equal(images.augmented(index, nothing)[0], x)
    torch.testing.assert_close(x, reference(images, index, nothing), rtol=1e-5, atol=1e-5)
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_images_need_not_be_altered_by_what_is_drawn_from_them() -> None:
    images = pixels(10, 3)
    before = images.images.clone()
    images.augmented(torch.arange(10), draws(10, 0, 0, 4, True))
    images.batch(torch.arange(10))
    assert torch.equal(images.images, before)


def test_constant_channel_is_only_centred() -> None:
    images = ImageSet(torch.full((2, 3, 3, 1), 51, dtype=torch.uint8), torch.zeros(2).long(), [0.2], [0.0])
    x, _ = images.batch(torch.tensor([0, 1]))
    assert x.abs().max() < 1e-6


def test_opened_without_a_copy(configure: Callable[..., DataConfig]) -> None:
    config = configure("digits")
    data = open_data(config, "cpu")
    again = cache.load_prepared(cache.prepare(config)).images["train"]
    assert isinstance(again, np.memmap)
    assert np.shares_memory(again, torch.from_numpy(again).numpy())
    # two of our mappings lie at two addresses; that they are one file's pages the kernel says
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "train_images.npy" in line]
    addresses = [int(line.split("-")[0], 16) for line in maps]
    starts = [data.train.images.data_ptr() - 128, again.ctypes.data - 128]
    assert set(starts) <= set(addresses)
    assert data.train.rows is None
    assert (len(data.train), len(data.test), data.facts.train) == (1437, 360, 1437)


def test_subset_holds_the_right_images(configure: Callable[..., DataConfig]) -> None:
    data = open_data(configure("digits", classes=("8", "3"), train_size=50, test_size=20), "cpu")
    whole = open_data(configure("digits"), "cpu")
    assert data.facts.classes == ("8", "3")
    assert data.train.rows is not None
    assert len(data.train) == 50 == data.facts.train
    assert len(data.test) == 20 == data.facts.test
    x, y = data.train.batch(torch.arange(50))
    old_x, old_y = whole.train.batch(data.train.rows)
    assert torch.equal(x, old_x)
    assert torch.equal(torch.tensor([8, 3])[y], old_y)
    assert torch.bincount(y).tolist() == list(data.facts.train_counts)
    drawn = draws(50, 0, 0, 1, True)
    index = torch.tensor([7, 49])
    image_set = ImageSet(
        whole.train.images[data.train.rows], y, whole.train.mean.tolist(), whole.train.std.tolist()
    )
    assert torch.equal(data.train.augmented(index, drawn)[0], image_set.augmented(index, drawn)[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("fits", [True, False])
def test_cuda_gives_the_same_batches(
    fits: bool, configure: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    config = configure("digits", train_size=500)
    host, device = open_data(config, "cpu").train, open_data(config, "cuda").train
    assert (device.images.device.type == "cuda") == fits
    index, drawn = torch.arange(100), draws(500, 0, 0, 2, True)
    for x, y in ((device.batch(index)), device.augmented(index.cuda(), drawn.to("cuda"))):
        assert x.is_cuda
        assert y.is_cuda
    torch.testing.assert_close(device.batch(index)[0].cpu(), host.batch(index)[0])
    torch.testing.assert_close(
        device.augmented(index.cuda(), drawn)[0].cpu(), host.augmented(index, drawn)[0]
    )


def test_order_depends_on_seed_and_epoch_alone() -> None:
    torch.manual_seed(1)
    first, drawn = permutation(100, 0, 3), draws(100, 0, 3, 4, True)
    torch.manual_seed(2)
    assert torch.equal(permutation(100, 0, 3), first)
    assert torch.equal(draws(100, 0, 3, 4, True).rows, drawn.rows)
    assert first.sort().values.tolist() == list(range(100))
    assert not torch.equal(permutation(100, 1, 3), first)
    assert not torch.equal(permutation(100, 0, 4), first)
    assert not torch.equal(draws(100, 0, 4, 4, True).rows, drawn.rows)
    assert not torch.equal(drawn.rows, drawn.cols)
    assert torch.equal(draws(100, 0, 3, 0, True).flips, drawn.flips)


def test_draws_are_uniform() -> None:
    drawn = draws(9000, 0, 0, 4, True)
    for offsets in (drawn.rows, drawn.cols):
        assert torch.bincount(offsets, minlength=9).min() > 880
        assert offsets.max() == 8
    assert abs(drawn.flips.float().mean() - 0.5) < 0.03
    assert not draws(100, 0, 0, 4, False).flips.any()
