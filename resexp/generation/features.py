"""The features in which generated images are compared with real ones: those of a small classifier that was
trained on the same data set.

The classifier is trained once for each data set, on the whole training split, even if a trial uses only a
part of it. Its file lies in `classifiers/` in the folder of data sets. The file's name contains a hash of the
decoded arrays and VERSION, so all trials on the same data have the same features. A Fréchet distance in these
features is not the FID.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from resexp import durable
from resexp.data import cache
from resexp.data.base import fingerprint
from resexp.data.checked import META
from resexp.errors import DataError
from resexp.generation.distance import Matrix
from resexp.generation.kept import kept
from resexp.machine.threads import computing_with
from resexp.random import key_of, keyed_generator

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData

VERSION = 1
"""Raise it if anything below changes the classifier that is trained."""
WIDTHS = (32, 64, 128, 64)
"""The channels of the convolutions. The last one is also the number of features."""
BATCH = 128
RATE = 3e-3
EPOCHS = 20
PIXELS = 150_000_000
"""Training ends after EPOCHS epochs, or once this many pixels were seen, but never in the first epoch."""


@dataclass(frozen=True)
class Features:
    """A function from images to the features of a trained classifier.

    error: the classifier's test error, as a fraction.
    sha256: the hash of its weights and its error. Results record this hash, because weights that were trained
        on another kind of processor may differ.
    """

    network: nn.Sequential
    error: float
    sha256: str

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Matrix:
        """The features (n, F) float64 of images (n, C, H, W) uint8, computed on the CPU in float32."""
        if images.dtype != torch.uint8:
            raise TypeError(f"images of {images.dtype}; pass them through `pixels`, as the real ones were")
        parts = [self.network[:-1](_scaled(part.cpu())) for part in torch.split(images, BATCH)]
        return torch.cat(parts).double().numpy()


def pixels(images: Tensor) -> Tensor:
    """Images with values from -1 to 1 (the range of tanh, in which generators end), converted to uint8.

    Real images have the same 256 values.
    """
    return ((images.detach() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def features_of(config: DataConfig) -> Features:
    """The features for a data set of labelled images. Trains the classifier unless its file exists.

    If several processes of a machine ask at the same time, one of them trains it. Raises DataError if the set
    does not have labelled images of at least two classes, or if the file is damaged or cannot be written.
    """
    checked = cache.prepare(config)
    prepared = cache.load_prepared(checked)
    facts = prepared.facts
    if facts.form != "images" or facts.targets != "labels" or sum(n > 0 for n in facts.train_counts) < 2:
        raise DataError(
            f"data.{config.kind}: generated images are compared in the features of a classifier, which needs "
            "images of at least two classes to learn"
        )
    hashes: dict[str, str] = durable.read_document(checked.folder / META)["sha256"]
    name = f"classifiers/{config.kind}-{fingerprint(VERSION, hashes)}.pt"
    digest, contents = kept(name, lambda: _trained(prepared), "the classifier trained")
    saved = torch.load(io.BytesIO(contents), map_location="cpu", weights_only=True)
    with torch.device("meta"):  # so that no initial weights are drawn from the trial's random numbers
        network = _network(prepared)
    network.load_state_dict(saved["weights"], assign=True)
    return Features(network.eval().requires_grad_(False), saved["error"], digest)


def _trained(prepared: PreparedData) -> bytes:
    """Train a classifier. Returns the contents of its file."""
    with _own_draws():
        network = _network(prepared)
        _train(network, prepared)
        buffer = io.BytesIO()
        torch.save({"weights": network.state_dict(), "error": _test_error(network, prepared)}, buffer)
    return buffer.getvalue()


@contextmanager
def _own_draws() -> Iterator[None]:
    """Seed torch and use one thread, so that the weights do not depend on the trial that asks first.

    Afterwards torch's random state and number of threads are as before.
    """
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
        computing_with(1),
    ):
        torch.manual_seed(key_of("classifier", VERSION))
        yield


def _network(prepared: PreparedData) -> nn.Sequential:
    """The classifier of images (B, C, H, W) with values 0..1. Its last layer's inputs are the features."""
    layers: list[nn.Module] = []
    channels = prepared.facts.shape[0]
    for number, width in enumerate(WIDTHS):
        convolution = nn.Conv2d(channels, width, 3, 1 if number == 0 else 2, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, len(prepared.facts.classes))]
    return nn.Sequential(*layers)


def _train(network: nn.Sequential, prepared: PreparedData) -> None:
    images, labels = prepared.images["train"], prepared.labels["train"]
    batch = min(BATCH, len(images))
    per_epoch = len(images) // batch
    affordable = PIXELS // (batch * math.prod(images.shape[1:3]))
    total = max(per_epoch, min(EPOCHS * per_epoch, affordable))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    network.train()
    for step in range(total):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            order = torch.randperm(len(images), generator=keyed_generator("classifier", epoch)).numpy()
        rows = np.sort(order[place * batch : (place + 1) * batch])
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * step / total)) / 2
        inputs, target = _taken(images[rows]), torch.from_numpy(labels[rows])
        loss = nn.functional.cross_entropy(network(inputs), target, label_smoothing=0.1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


@torch.no_grad()
def _test_error(network: nn.Sequential, prepared: PreparedData) -> float:
    images, labels = prepared.images["test"], prepared.labels["test"]
    network.eval()
    wrong = 0
    for start in range(0, len(images), BATCH):
        answers = network(_taken(images[start : start + BATCH])).argmax(1)
        wrong += int((answers != torch.from_numpy(labels[start : start + BATCH])).sum())
    return wrong / len(images)


def _taken(images: Any) -> Tensor:
    """Decoded images (B, H, W, C) uint8 in the form that the network takes."""
    return _scaled(torch.from_numpy(images).permute(0, 3, 1, 2))


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 255
