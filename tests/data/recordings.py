"""Recordings that tests make up."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray


def file_of(values: object, rate: int = 8000, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """The bytes of a file with these values, of which 1 is full scale: (samples,) or (samples, channels)."""
    content = io.BytesIO()
    soundfile.write(content, np.asarray(values), rate, format=kind, subtype=subtype)
    return content.getvalue()


def tone(pitch: float, samples: int = 2000, rate: int = 8000) -> NDArray[np.float64]:
    """A pure tone at a quarter of full scale."""
    return 0.25 * np.sin(2 * np.pi * pitch * np.arange(samples) / rate)
