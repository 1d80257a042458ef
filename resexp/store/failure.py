"""Records failed attempts, for workers and for the process that started them."""

from __future__ import annotations

from contextlib import suppress

from resexp import durable
from resexp.catalog.plugins import place_in
from resexp.errors import StaleAttempt
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store.copies import copied_plugins
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import TrialFolder


def check_current(folder: TrialFolder, number: int, restart: int, token: str | None = None) -> None:
    """Raises StaleAttempt if attempt `number` is no longer the trial's latest, if a cluster has started the
    attempt again more than `restart` times, or if the folder was deleted. `token`, if given, is that of the
    attempt. Another attempt has the same number if the folder was deleted and made again.
    """
    if not folder.path.is_dir():
        raise StaleAttempt(f"{folder.path}: was deleted while attempt {number} was under way")
    record = read_or_empty(folder.attempt)
    current = record.get("attempt")
    if current != number:
        raise StaleAttempt(f"{folder.path}: attempt {number} was taken over by attempt {current}")
    if token is not None and record.get("token", "") != token:
        raise StaleAttempt(f"{folder.path}: was deleted and made again while attempt {number} was under way")
    if record.get("restart", 0) > restart:
        raise StaleAttempt(f"{folder.path}: attempt {number} was started again on another machine")


def note_restart(folder: TrialFolder, number: int, restart: int) -> None:
    """Record that a cluster has started attempt `number` for the `restart`-th time again.

    A cluster starts a job again if it loses the connection to the job's node. The old process may still run
    on that node, and see the folder. From now on, the old process is stale, like one of an earlier attempt.
    Raises StaleAttempt if this process is itself stale.
    """
    check_current(folder, number, restart)
    record = read_or_empty(folder.attempt)
    if record.get("restart", 0) < restart:
        durable.write_document(folder.attempt, {**record, "restart": restart}, durable=False)


def fail(folder: TrialFolder, number: int, kind: str, cause: str, restart: int = 0) -> None:
    """Record that attempt `number` ended without a result: the kind of failure, and its cause in words.

    This works without an Attempt, in case the worker could not make one. Raises StaleAttempt.
    """
    check_current(folder, number, restart)
    write_failure(folder, number, kind, cause)


def place_of(error: BaseException, folder: TrialFolder) -> str:
    """The file and line of the trial's plugins that ran last before an error, such as `my_part.py:8`; "" if
    none of their code ran, or if they cannot be read.
    """
    with suppress(Exception, SystemExit):  # a plugin's error may raise another one when it is looked at
        return place_in(error, copied_plugins(folder, Trial.from_json(read(folder.trial)["trial"])))
    return ""


def write_failure(folder: TrialFolder, attempt: int, kind: str, cause: str) -> None:
    """Record a failed attempt with the end of its log. There is no fsync: if the record is lost, the trial
    is simply run again.
    """
    tail = folder.log_tail()
    failure = {"status": Status.FAILED, "kind": kind, "cause": cause, "log_tail": tail, "attempt": attempt}
    durable.write_document(folder.failure, failure, durable=False)
