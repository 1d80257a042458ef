"""A cluster starts a job again if it loses its node. The first process may still run and see the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stub

from resexp import store
from resexp.errors import StaleAttempt
from resexp.store.failure import note_restart

TRIAL = stub.trial("t", steps=10)


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[store.StoredExperiment]:
    with store.create(tmp_path, "exp", config_text="", trials=[TRIAL], environment={}) as made:
        yield made


def test_the_first_process_of_a_restarted_attempt_can_neither_save_nor_commit(
    experiment: store.StoredExperiment,
) -> None:
    path, number = experiment.claim(TRIAL)
    first = store.Attempt(path, number)
    first.begin(stub.FINGERPRINT)
    first.save_checkpoint(b"first", 5)
    note_restart(store.TrialFolder(path), number, 1)
    again = store.Attempt(path, number, restart=1)
    assert again.begin(stub.FINGERPRINT) == b"first"
    for act in (
        lambda: first.save_checkpoint(b"late", 6),
        lambda: first.commit({"status": "done"}),
        lambda: first.fail("error", "late"),
        lambda: first.begin({}),
        lambda: note_restart(store.TrialFolder(path), number, 0),
    ):
        with pytest.raises(StaleAttempt, match="started again on another machine"):
            act()
    again.commit({"status": "done", "cause": None})
    assert experiment.state(TRIAL).status == "done"


def test_what_the_first_process_writes_in_between_is_not_read(experiment: store.StoredExperiment) -> None:
    """It has passed its check, and writes rows and a checkpoint of the same step a moment later."""
    path, number = experiment.claim(TRIAL)
    first = store.Attempt(path, number)
    first.begin(stub.FINGERPRINT)
    note_restart(store.TrialFolder(path), number, 1)
    again = store.Attempt(path, number, restart=1)
    again.begin(stub.FINGERPRINT)
    for attempt in (first, again):
        attempt._check_current = lambda: None  # type: ignore[method-assign]
        attempt.metric({"epoch": 1, "step": 5, "loss": 1.0, "seconds": float(id(attempt))})
        attempt.save_checkpoint(b"first" if attempt is first else b"again", 5)
    assert len(store.TrialFolder(path).checkpoints()) == 2
    note_restart(store.TrialFolder(path), number, 2)
    assert store.Attempt(path, number, restart=2).begin(stub.FINGERPRINT) == b"again"


def test_a_run_that_adopts_a_restarted_job_lets_no_earlier_process_in(
    experiment: store.StoredExperiment, tmp_path: Path
) -> None:
    path, number = experiment.claim(TRIAL)
    first = store.Attempt(path, number)
    first.begin({})
    note_restart(store.TrialFolder(path), number, 1)
    experiment.close()
    with store.create(tmp_path, "exp", config_text="", trials=[TRIAL], environment={}) as later:
        assert later.adopt(path, number) == TRIAL
        with pytest.raises(StaleAttempt):
            first.save_checkpoint(b"late", 5)
        assert later.claim(TRIAL) == (path, number + 1)
        store.Attempt(path, number + 1).begin({})


def test_at_one_step_the_checkpoint_of_the_last_restart_is_the_newest(tmp_path: Path) -> None:
    folder = store.TrialFolder(tmp_path)
    written = [
        folder.checkpoint(step, attempt, restart)
        for step, attempt, restart in ((9, 1, 3), (10, 1, 0), (10, 1, 1), (10, 1, 12), (10, 2, 0), (11, 1, 0))
    ]
    for path in reversed(written):
        path.touch()
    assert folder.checkpoints() == written
