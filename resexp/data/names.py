"""Makes names comparable."""

from __future__ import annotations

import unicodedata


def composed(name: str) -> str:
    """A name in Unicode's form NFC, because systems write accented letters in different forms."""
    return unicodedata.normalize("NFC", name)
