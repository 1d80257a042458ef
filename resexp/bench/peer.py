"""The training loop that one would write without resexp, for comparison: the DataLoader loop.

It uses PIL images, torchvision's transforms in a DataLoader, float32, the default memory layout, and as many
threads as PyTorch uses by default.

    python -m resexp.bench.peer SETTINGS_JSON WORKERS STEPS DEVICE [PLUGIN]...

prints the images per second of STEPS steps, with the network, images and batch size of a trial.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from resexp.config.fields import plugins_of
from resexp.config.load import read_plugins
from resexp.config.parse import parse_settings
from resexp.config.settings import Settings
from resexp.data.images import ImageSet
from resexp.data.opening import open_data
from resexp.errors import TrialError
from resexp.machine.clock import synchronise
from resexp.models.base import Purpose
from resexp.models.build import started_network

WARM_UP = 3
"""Steps that are not timed."""


def applies(purpose: Purpose) -> bool:
    """Whether this loop can train a network for this purpose. It needs images with labels."""
    return purpose.targets == "labels" and len(purpose.shape) == 3


class PilImages(Dataset[tuple[Tensor, int]]):
    """Passes one PIL image at a time through the transforms, as torchvision's own CIFAR-10 does."""

    def __init__(self, images: ImageSet, crop: int, flip: bool) -> None:
        from torchvision import transforms

        rows = slice(None) if images.rows is None else images.rows
        self.pixels = images.images[rows].cpu().numpy()
        self.labels = images.labels[rows].tolist()
        steps = [transforms.RandomCrop(self.pixels.shape[1:3], padding=crop)] if crop else []
        steps += [transforms.RandomHorizontalFlip()] if flip else []
        normalize = transforms.Normalize(images.mean.tolist(), images.std.clamp(min=1e-6).tolist())
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), normalize])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self.pixels[index]
        image = Image.fromarray(np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels)
        return self.transform(image), self.labels[index]


def peer_images_per_second(settings: Settings, workers: int, steps: int, device: str) -> float:
    """Images per second of the loop, run in a new process so that PyTorch's number of threads is the default.

    Raises:
        TrialError: the loop failed.
    """
    text = json.dumps(settings.model_dump(mode="json"))
    files = [str(plugin.file) for plugin in plugins_of(settings)]
    command = [sys.executable, "-m", __name__, text, str(workers), str(steps), device, *files]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise TrialError(f"the DataLoader loop failed: {ended.stderr.strip().rpartition(chr(10))[2]}")
    return float(ended.stdout)


def batches(loader: DataLoader[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end, epoch after epoch."""
    while True:
        yield from loader


def train(settings: Settings, workers: int, steps: int, device: torch.device) -> float:
    """The loop itself. Returns images per second after the warm-up."""
    data = open_data(settings.data, "cpu")
    assert isinstance(data.train, ImageSet)
    images = PilImages(data.train, settings.data.crop, settings.data.flip)
    size = min(settings.training.batch_size, len(images))
    loader = DataLoader(
        images,
        size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    purpose = Purpose(data.facts.shape, len(data.facts.classes))
    network = started_network(settings.model, purpose, settings.seed)
    network.to(device).train()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    start = 0.0
    for step, (x, y) in zip(range(WARM_UP + steps), batches(loader), strict=False):
        if step == WARM_UP:
            synchronise(device)
            start = time.perf_counter()
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)  # noqa: PLW2901
        optimizer.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        optimizer.step()
    synchronise(device)
    return steps * size / (time.perf_counter() - start)


if __name__ == "__main__":
    text, workers, steps, device, *files = sys.argv[1:]
    settings = parse_settings(json.loads(text), read_plugins(files))
    print(train(settings, int(workers), int(steps), torch.device(device)))
