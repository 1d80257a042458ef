"""The fields of the rows that a trial writes: metrics, and readings of probes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from resexp.store.fields import Count, Document, MeasuredFields, Number, Text


class Picture(Document):
    """Images as `training/adversarial/pictures.py` writes them: their shape (n, H, W, C), and their bytes,
    compressed by zlib and encoded in base64.
    """

    shape: Annotated[list[Count], Field(min_length=4, max_length=4)]
    pixels: Annotated[str, Field(max_length=2**26)]


class MetricRow(MeasuredFields):
    epoch: Number = None
    step: Number = None
    lr: Number = None
    loss: Number = None
    running_error: Number = None
    picture: Picture | None = None


class ProbeRow(Document):
    probe: Text
    step: Count
    value: Number
    at: Number = None
    name: Text | None = None
    layer: Text | None = None
    index: Count | None = None
    quantity: dict[Text, Text] | None = None


class LaterProbes(Document):
    attempt: Count
    rows: list[ProbeRow]
    asked: dict[Text, dict[Text, Any]] = Field(default_factory=dict)
    numerics: dict[Text, Count] = Field(default_factory=dict)
    code: dict[Text, Text] = Field(default_factory=dict)
