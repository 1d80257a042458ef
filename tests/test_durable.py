import errno
import json
import math
import os
import stat
import zlib
from pathlib import Path

import pytest

from resexp import durable

ROW = {"epoch": 1, "loss": 0.1, "lr": 1e-3, "test_error": None, "layer": "stages.0.é", "crc32": "00000000"}


def refuse(constant: str) -> None:
    raise ValueError(constant)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_sealed_value_comes_back(indent: int | None) -> None:
    assert durable.unseal(durable.seal(ROW, indent)) == ROW


def test_a_sealed_value_is_strict_json_on_one_line() -> None:
    data = durable.seal({"loss": math.nan, "high": math.inf, "low": [-math.inf, {"x": math.nan}]})
    assert data.count(b"\n") == 1
    text = json.loads(data, parse_constant=refuse)
    assert [text["loss"], text["high"], text["low"][0]] == ["NaN", "Infinity", "-Infinity"]
    value = durable.unseal(data)
    assert math.isnan(value["loss"])
    assert value["low"][0] == -math.inf
    assert math.isnan(value["low"][1]["x"])


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    texts = ["NaN", "Infinity", "-Infinity", "=NaN", "==-Infinity", "=", "=x", "nan", "a NaN"]
    for value in ({"layer": text, "nested": [{"layer": text}], "loss": 1.5} for text in texts):
        assert durable.unseal(durable.seal(value)) == value
        found = durable.unseal(durable.seal({**value, "loss": math.inf}))
        assert found == {**value, "loss": math.inf}
    rows = [{"name": text} for text in texts]
    assert durable.read_rows(b"".join(map(durable.seal, rows)))[0] == rows


@pytest.mark.parametrize("indent", [None, 1])
def test_every_flipped_bit_and_every_cut_is_noticed(indent: int | None) -> None:
    data = durable.seal(ROW, indent)
    for position in range(len(data)):
        with pytest.raises(durable.Damaged):
            durable.unseal(data[:position])
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(durable.Damaged):
                durable.unseal(bytes(flipped))


def test_a_document_without_a_seal_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format": 1}\n')
    with pytest.raises(durable.Damaged, match="not written by resexp"):
        durable.read_document(tmp_path / "plan.json")


def test_a_failed_write_leaves_the_old_bytes_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    durable.write_atomic(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("write", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                durable.write_atomic(path, b"new")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["result.json"]


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, bytes(data[:3])))
    durable.write_atomic(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_log_describes_its_bytes_and_starts_from_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = durable.RowLog(path)
    log.append([{"step": 1}, {"step": 2}])
    data = path.read_bytes()
    assert log.extent() == {"bytes": len(data), "crc": zlib.crc32(data)}
    log.append([])
    assert path.read_bytes() == data
    log.close()
    again = durable.RowLog(path, keep=data)
    again.append([{"step": 3}])
    again.close()
    assert [row["step"] for row in durable.read_rows(path.read_bytes())[0]] == [1, 2, 3]
    assert durable.fits(log.extent(), path.read_bytes())
    assert not durable.fits(again.extent(), data)


def test_a_writer_that_comes_back_appends_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    stale = durable.RowLog(path)
    stale.append([{"step": 1}])
    current = durable.RowLog(path, keep=path.read_bytes())
    stale.append([{"step": 2, "stale": True}])
    current.append([{"step": 2}])
    assert durable.read_rows(path.read_bytes())[0] == [{"step": 1}, {"step": 2}]
    stale.close()
    current.close()


def test_sweeping_removes_temporary_files_only(tmp_path: Path) -> None:
    for name in (".result.json.12-ab.tmp", "result.json", "log.txt"):
        (tmp_path / name).write_text("x")
    durable.sweep_temporaries(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["log.txt", "result.json"]


def test_new_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a/b/c")
    durable.make_folder(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()


def test_a_file_system_that_cannot_sync_folders_takes_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(fd: int) -> None:
        if refused == errno.EIO or stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(os, "fsync", fsync)
    refused = errno.EINVAL
    durable.write_atomic(tmp_path / "file", b"whole")
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "file").read_bytes() == b"whole"
    refused = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        durable.sync(tmp_path)
