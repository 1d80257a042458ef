"""Records failed attempts. Workers use it, and so does the process that started them."""

from __future__ import annotations

from resexp import durable
from resexp.errors import StaleAttempt
from resexp.plan.status import Status
from resexp.store.documents import read_or_empty
from resexp.store.layout import TrialFolder


def check_current(folder: TrialFolder, number: int) -> None:
    """Raises StaleAttempt if attempt `number` is no longer the trial's latest."""
    if not folder.path.is_dir():
        raise StaleAttempt(f"{folder.path}: was deleted while attempt {number} was under way")
    current = read_or_empty(folder.attempt).get("attempt")
    if current != number:
        raise StaleAttempt(f"{folder.path}: attempt {number} was taken over by attempt {current}")


def fail(folder: TrialFolder, number: int, kind: str, cause: str) -> None:
    """Record that attempt `number` ended without a result: the kind of failure, and its cause in words.

    This works without an Attempt, in case the worker could not make one. Raises StaleAttempt.
    """
    check_current(folder, number)
    write_failure(folder, number, kind, cause)


def write_failure(folder: TrialFolder, attempt: int, kind: str, cause: str) -> None:
    """Record a failed attempt with the end of its log. There is no fsync: if the record is lost, the trial is
    run again.
    """
    tail = folder.log_tail()
    failure = {"status": Status.FAILED, "kind": kind, "cause": cause, "log_tail": tail, "attempt": attempt}
    durable.write_document(folder.failure, failure, durable=False)
