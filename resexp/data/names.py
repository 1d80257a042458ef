"""Names as they are compared."""

from __future__ import annotations

import unicodedata


def same(name: str) -> str:
    """A name in one spelling: Unicode has several of one accented letter, and systems differ in theirs."""
    return unicodedata.normalize("NFC", name)
