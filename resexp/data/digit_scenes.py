"""The data set `digit_scenes`: handwritten digits on a textured background, with exact masks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Chunk, Facts, Images, Masks, Progress, Source, Split, fingerprint
from resexp.data.digits import handwritten
from resexp.errors import DataError
from resexp.options import Fraction, MadeUp, NaturalInt, Repeats

Values = NDArray[np.float64]

DEFAULT_SIZE = 32
SMALLEST = 16
SIDES = (0.35, 0.6)
"""Smallest and largest side of a digit, as fractions of the scene's side."""
INK = 0.47
"""A pixel of an enlarged digit (0: paper, 1: black) is ink if it is above this value. No pixel is so close to
this value that the errors of floating-point numbers could decide.
"""
CELLS = (16, 8, 4, 2)
"""About the side, in pixels, of the cells of each octave of noise in the background, coarsest first."""
GROUND, OCTAVE = 100.0, 45.0
"""Mean grey value of the background, and the amplitude of one octave."""
PENS = (160.0, 230.0)
"""Lowest and highest grey value of a digit."""
CHUNK = 200


class DigitScenes(Source):
    """Grey scenes with `digits` handwritten digits at random places and scales, and their masks.

    `texture`, from 0 to 1, is the complexity of the background. At 0 it is flat. Each quarter adds smooth
    noise of a finer scale, with cells of about 16, 8, 4 and 2 pixels. The peaks of the finest noise are as
    thin as strokes of the pen, and those of all octaves together as bright. A scene is `image_size` pixels
    wide and high (default 32). The digits are scikit-learn's (see `digits`). No digit of a test scene occurs
    in a training scene. The mask is 1 where there is ink. With the same options, a scene depends only on its
    split and its number. A change of `texture` changes only the background.
    """

    def __init__(
        self,
        *,
        texture: Fraction = 0.5,
        digits: Repeats = 2,
        train: MadeUp = 1000,
        test: MadeUp = 500,
        seed: NaturalInt = 0,
    ) -> None:
        self.texture, self.digits, self.train, self.test, self.seed = texture, digits, train, test, seed

    def facts(self, image_size: int | None) -> Facts:
        size = image_size or DEFAULT_SIZE
        if size < SMALLEST:
            raise DataError(
                f"data.image_size: {size} pixels are too few for digits; give at least {SMALLEST}"
            )
        key = fingerprint("digit_scenes", 1, size, vars(self))
        return Facts((1, size, size), "masks", ("ground", "digit"), (self.train,), (self.test,), key)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        size, glyphs = image_size or DEFAULT_SIZE, handwritten(split)[0] / 16
        count = self.train if split == "train" else self.test
        for start in range(0, count, CHUNK):
            numbers = range(start, min(start + CHUNK, count))
            scenes = [self._scene(split, number, size, glyphs) for number in numbers]
            yield Chunk(np.stack([scene for scene, _ in scenes]), np.stack([mask for _, mask in scenes]))

    def _scene(self, split: Split, number: int, size: int, glyphs: Values) -> tuple[Images, Masks]:
        """One scene (size, size, 1) and its mask (size, size)."""
        stream = (self.seed, int(split == "test"), number)
        scene = GROUND + OCTAVE * ground(uniform(*stream, 1, count=size * size), size, self.texture)
        mask = np.zeros((size, size), np.uint8)
        for which, scale, top, left, pen in uniform(*stream, 0, count=5 * self.digits).reshape(-1, 5):
            side = round(size * (SIDES[0] + (SIDES[1] - SIDES[0]) * scale))
            rows, columns = (
                slice(first, first + side) for first in (int(at * (size - side + 1)) for at in (top, left))
            )
            ink = stretched(glyphs[int(which * len(glyphs))], side) > INK
            scene[rows, columns][ink] = PENS[0] + (PENS[1] - PENS[0]) * pen
            mask[rows, columns][ink] = 1
        return scene.round().clip(0, 255).astype(np.uint8)[..., None], mask


def ground(draws: Values, size: int, texture: float) -> Values:
    """Noise (size, size) about 0: a sum of octaves, each interpolated between values in [-1, 1].

    draws: (n,) uniform values in [0, 1), enough for all octaves. texture: from 0 (no octave) to 1 (all).
    """
    total = np.zeros((size, size))
    for number, cell in enumerate(CELLS):
        knots = size // cell + 1
        octave, draws = draws[: knots**2].reshape(knots, knots), draws[knots**2 :]
        total += min(max(len(CELLS) * texture - number, 0.0), 1.0) * stretched(2 * octave - 1, size)
    return total


def stretched(grid: Values, size: int) -> Values:
    """A grid (n, n) enlarged to (size, size) by linear interpolation. The corners keep their values."""
    at = np.linspace(0, len(grid) - 1, size)
    low = np.minimum(at.astype(int), len(grid) - 2)
    part = at - low
    rows = grid[low] * (1 - part[:, None]) + grid[low + 1] * part[:, None]
    return np.asarray(rows[:, low] * (1 - part) + rows[:, low + 1] * part)


def uniform(*stream: int, count: int) -> Values:
    """`count` values in [0, 1) that depend only on `stream`, because PCG64's raw output never changes."""
    raw = np.random.PCG64(list(stream)).random_raw(count)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
