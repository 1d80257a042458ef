"""Tests of the tests: the code without one of its safeguards must make a test fail."""

import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_durable
import test_store
import test_store_trust

from resexp import durable, store
from resexp.store import attempt, documents, layout

Test = Callable[[Path, pytest.MonkeyPatch], None]


def without_checksum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(zlib, "crc32", lambda data, start=0: 0)


def without_attempt_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.Attempt, "_check_current", lambda self: None)


def without_hash(patch: pytest.MonkeyPatch) -> None:
    class Same:
        def __init__(self, _data: bytes) -> None:
            pass

        def hexdigest(self) -> str:
            return "same"

    patch.setattr(attempt, "hashlib", types.SimpleNamespace(sha256=Same))


def without_row_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(layout, "_mismatch", lambda *_: None)


def without_fingerprint(patch: pytest.MonkeyPatch) -> None:
    intact_bytes = store.Attempt._intact

    def lenient(self: store.Attempt, sidecar: Path, record: Any, rows: Any) -> bytes | None:
        return intact_bytes(self, sidecar, {**record, "fingerprint": self._fingerprint}, rows)

    patch.setattr(store.Attempt, "_intact", lenient)


def without_new_file(patch: pytest.MonkeyPatch) -> None:
    def in_place(path: Path, data: bytes, *, durable: bool = True) -> None:
        path.write_bytes(data)

    patch.setattr(durable, "write_atomic", in_place)


def without_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fcntl.flock", lambda *_: None)


def without_contents_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(documents, "_wrong", lambda *_: "")


@pytest.mark.parametrize(
    ("mutate", "test"),
    [
        (
            without_contents_check,
            lambda path, patch: (
                test_store_trust.test_rows_with_wrong_contents_are_shown_as_far_as_they_are_right(
                    test_store_trust.two_finished(path)
                )
            ),
        ),
        (
            without_checksum,
            lambda path, patch: test_durable.test_every_flipped_bit_and_every_cut_is_noticed(None),
        ),
        (
            without_attempt_check,
            lambda path, patch: test_store.test_a_stale_attempt_can_neither_save_nor_commit(path),
        ),
        (
            without_hash,
            lambda path, patch: test_store.test_a_damaged_checkpoint_gives_way_to_the_one_before(path),
        ),
        (without_row_check, test_store.test_a_commit_that_slips_past_the_check_is_noticed),
        (
            without_fingerprint,
            lambda path, patch: test_store.test_another_machine_starts_again_unless_a_change_is_allowed(path),
        ),
        (
            without_new_file,
            lambda path, patch: test_durable.test_a_writer_that_comes_back_appends_to_nothing(path),
        ),
        (
            without_lock,
            lambda path, patch: test_store.test_a_second_run_is_refused_with_the_first_ones_name(path),
        ),
    ],
)
def test_a_missing_safeguard_fails_a_test(
    mutate: Callable[[pytest.MonkeyPatch], None], test: Test, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sound").mkdir()
    (tmp_path / "mutant").mkdir()
    test(tmp_path / "sound", monkeypatch)
    with monkeypatch.context() as patch:
        mutate(patch)
        with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
            test(tmp_path / "mutant", patch)
