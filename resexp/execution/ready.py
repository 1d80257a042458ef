"""Imported first by the process that workers are forked from: what any of them would else load for itself."""

from __future__ import annotations

from resexp.execution import local, worker  # noqa: F401 (what a request names)
from resexp.store.documents import adapter
from resexp.store.fields import Document

for kind in Document.__subclasses__():
    adapter(kind).rebuild()  # 20 ms, which each worker saves
