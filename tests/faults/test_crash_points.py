"""A kill, an error or a power loss at every write, fsync and rename of a small sweep."""

from pathlib import Path
from typing import Any

import inline
import pytest
from disk import How
from tally import Record

from resexp import durable, store
from resexp.store import attempt as attempt_module

WHAT = {
    "crash": "kill at every write, fsync and rename",
    "error": "no space or input/output error at each of them",
    "power": "power loss at each of them, dropping what was not fsynced",
}


@pytest.fixture
def reference(tmp_path: Path) -> list[dict[str, Any]]:
    inline.sweep(tmp_path / "reference", inline.Inline())
    return inline.traces(tmp_path / "reference")


@pytest.fixture(params=[0.0, 10.0], ids=["every checkpoint fsynced", "none"])
def durable_every(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_module, "DURABLE_EVERY", request.param)


@pytest.mark.usefixtures("durable_every")
@pytest.mark.parametrize("how", ["crash", "error", "power"])
def test_nothing_is_lost_at_any_point(
    how: How, tmp_path: Path, reference: list[dict[str, Any]], record: Record
) -> None:
    count = inline.points(tmp_path / "count")
    assert count > 80
    lost = {}
    for number in range(1, count + 1):
        wrong = inline.losses_after(number, how, tmp_path / str(number), reference)
        if wrong:
            lost[number] = wrong
    record(WHAT[how], count, len(lost))
    assert lost == {}


def no_rename(path: Path, data: bytes, *, durable: bool = True) -> None:
    with path.open("wb", buffering=0) as file:
        DURABLE.write_all(file.fileno(), data)
        DURABLE.os.fsync(file.fileno())
    DURABLE.sync(path.parent)


DURABLE = durable


class NoTruncation(durable.RowLog):
    def __init__(self, path: Path, keep: bytes = b"") -> None:
        super().__init__(path, path.read_bytes() if path.exists() else keep)


def finds_a_loss(how: How, place: Path, reference: list[dict[str, Any]], **disk: Any) -> bool:
    """Whether the campaign notices; every other point is enough."""
    place.mkdir()
    return any(inline.losses_after(n, how, place / str(n), reference, **disk) for n in range(2, 130, 2))


def test_the_campaign_notices_a_missing_rename(
    tmp_path: Path, reference: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "write_atomic", no_rename)
    assert finds_a_loss("crash", tmp_path / "mutant", reference)


def test_the_campaign_notices_a_missing_fsync(tmp_path: Path, reference: list[dict[str, Any]]) -> None:
    assert finds_a_loss("power", tmp_path / "mutant", reference, lying=True)


def test_the_campaign_notices_rows_that_are_not_truncated(
    tmp_path: Path, reference: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "RowLog", NoTruncation)
    assert finds_a_loss("crash", tmp_path / "mutant", reference)


def test_the_campaign_notices_unsynced_rows(
    tmp_path: Path, reference: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module.Attempt, "_sync_rows", lambda self: None)
    assert finds_a_loss("power", tmp_path / "mutant", reference)


def test_the_campaign_notices_a_commit_before_its_time(
    tmp_path: Path, reference: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.layout, "_mismatch", lambda *_: None)
    monkeypatch.setattr(attempt_module.Attempt, "_sync_rows", lambda self: None)
    assert finds_a_loss("power", tmp_path / "mutant", reference)
