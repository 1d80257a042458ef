"""Tables of runs as text, and what is refused of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from resexp.errors import TableError
from resexp.foreign.records import Told, records_of
from resexp.store import Records

GOOD = """variant,depth,seed,train_error,test_error
plain,20,0,1.2,9.7
plain,20,1,1.3,9.9
plain,20,2,1.1,9.8
plain,56,0,5.2,13.1
plain,56,1,5.6,12.9
plain,56,2,5.4,13.0
residual,20,0,1.4,8.6
residual,20,1,1.1,8.8
residual,20,2,0,8.7
residual,56,0,0,7.2
residual,56,1,0,7.1
residual,56,2,0,7.3
"""
"""Errors in percent; the smallest are 0, so none could be taken for a share."""


def written(folder: Path, text: str, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def records(table: Any, named: dict[str, Sequence[str]] | None = None, **told: Any) -> Records:
    return records_of(table, named or {}, Told(**told))


def refusals(table: Any, named: dict[str, Sequence[str]] | None = None, **told: Any) -> list[str]:
    """The problems for which a table is refused, one a line of the message."""
    with pytest.raises(TableError) as refused:
        records(table, named, **told)
    assert refused.value.exit_status == 2
    return [str(problem) for problem in refused.value.problems]
