"""Documents with right checksums and wrong contents: a sentence or a note, and nothing finished is lost."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import sealed
from tally import Record

from resexp import store
from resexp.cli.trials import show_status
from resexp.errors import ResexpError, StoreError
from resexp.report.build import build
from resexp.report.render import csv, html, json, latex, markdown


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    sealed.fill(tmp_path / "results", sealed.trials(tmp_path))
    assert store.read(tmp_path / "results/exp").notes == []
    return tmp_path / "results"


def look(results: Path, *, reported: bool) -> None:
    """What status, report, plan and probe read."""
    records = store.read(results / "exp")
    show_status(records, None, {})
    if reported:
        report = build(records)
        for form in (markdown, json, csv, html, latex):
            form.render(report)
    for one in store.finished(results / "exp"):
        with suppress(StoreError):
            one.checkpoint()


def campaign(results: Path, count: int, seed: int, reports: int) -> None:
    planned = sealed.trials(results.parent)
    for number, (path, data) in enumerate(sealed.mutants(results, count, seed)):
        before = path.read_bytes()
        path.write_bytes(data)
        try:
            look(results, reported=number % (count // reports) == 0)
            store.states(results / "exp", planned)
            if path.name not in ("result.json", "metrics.jsonl", "probes.jsonl"):
                look_again(results)
        except ResexpError:
            pass
        except Exception as error:
            raise AssertionError(f"{path.name}: {data[:300]!r}: {error!r}") from error
        path.write_bytes(before)


def look_again(results: Path) -> None:
    """What is done is done still: a result needs none of the other documents."""
    planned = sealed.trials(results.parent)
    found = store.states(results / "exp", planned)
    assert [found[trial.id].status for trial in planned][:3] == ["done", "done", "diverged"]


def test_wrong_contents_are_told(results: Path, record: Record) -> None:
    campaign(results, 120, seed=0, reports=6)
    record("documents with wrong contents and right checksums", 120, 0)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 6))
def test_wrong_contents_are_told_again_and_again(results: Path, record: Record, seed: int) -> None:
    campaign(results, 600, seed, reports=60)
    record("documents with wrong contents and right checksums", 600, 0)


def test_a_run_over_wrong_contents_trains_nothing_that_is_done(results: Path) -> None:
    planned = sealed.trials(results.parent)
    for number, (path, data) in enumerate(sealed.mutants(results, 60, seed=9)):
        if path.name in ("result.json", "metrics.jsonl", "probes.jsonl"):
            continue
        place = results.parent / f"copy{number}"
        shutil.copytree(results, place)
        (place / path.relative_to(results)).write_bytes(data)
        with store.create(place, "exp", config_text="", trials=planned, environment={}) as experiment:
            assert [trial.id for trial in experiment.pending()] == [planned[3].id], path
            folder, attempt = experiment.claim(planned[3])
            store.Attempt(folder, attempt).begin({})
