import errno
import os
import signal
from pathlib import Path

import pytest

from resexp.execution import endings
from resexp.execution.worker import failure_of


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_errors_are_known_by_name_and_words(error: Exception) -> None:
    assert failure_of(error) == ("oom", "out of memory")


def test_other_errors_become_one_line() -> None:
    assert failure_of(OSError(5, "No\n luck")) == ("error", "error: OSError: [Errno 5] No luck")
    assert len(failure_of(ValueError("x" * 9999))[1]) == 500


def test_a_full_disk_and_a_used_up_quota_are_known_by_number() -> None:
    assert failure_of(OSError(28, "No space\n left")) == ("disk", "error: OSError: [Errno 28] No space left")
    assert failure_of(OSError(errno.EDQUOT, "Quota"))[0] == "disk"


def test_an_end_without_a_word_is_explained() -> None:
    def cause(status: int) -> tuple[str, str]:
        outcome = endings.outcome_of(status, endings.oom_kills())
        assert (outcome.status, outcome.again) == (status, False)
        return outcome.kind, outcome.cause

    assert cause(-signal.SIGSEGV) == ("crash", "crashed: signal 11 (SIGSEGV)")
    assert cause(-signal.SIGKILL) == ("crash", "crashed: signal 9 (SIGKILL)")
    assert cause(0) == ("crash", "crashed: the process ended with exit status 0 and left no result")


def test_a_kill_by_the_kernel_for_want_of_memory_is_told_apart() -> None:
    before = endings.oom_kills() - 1
    found = endings.outcome_of(-signal.SIGKILL, before)
    assert (found.kind, found.cause) == ("oom", "out of memory")
    assert endings.outcome_of(-signal.SIGSEGV, before).kind == "crash", (
        "the kernel killed another process meanwhile"
    )


@pytest.mark.skipif(not Path("/proc/vmstat").exists() or os.uname().sysname != "Linux", reason="Linux only")
def test_the_kernels_count_is_found() -> None:
    assert endings.oom_kills() >= 0
    assert "oom_kill " in Path("/proc/vmstat").read_text()
