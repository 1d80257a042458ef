import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import stub

from resexp import store
from resexp.catalog.plugins import read_plugin
from resexp.execution import local
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


@pytest.mark.parametrize("in_module", [False, True])
def test_an_error_in_a_plugin_is_named_with_its_file_and_line(tmp_path: Path, in_module: bool) -> None:
    """The worker runs a copy, whose name is a hash. The cause has the name that the user knows."""
    (tmp_path / "mine.py").write_text("import beside\n\n\ndef fail():\n    beside.fail()\n    return [][1]\n")
    (tmp_path / "beside.py").write_text(f"def fail():\n    return 1 / {0 if in_module else 1}\n")
    plugin = read_plugin(tmp_path / "mine.py")
    trial = replace(stub.trial("a"), plugins={plugin.sha256: "mine.py"})
    with store.create(
        tmp_path, "exp", config_text="", trials=[trial], environment={}, plugins=[plugin]
    ) as experiment:
        path, number = experiment.claim(trial)
    (copy,) = store.Attempt(path, number).plugins()
    with pytest.raises((IndexError, ZeroDivisionError)) as caught:
        copy.module().fail()
    place = store.place_of(caught.value, store.TrialFolder(path))
    assert place == ("beside.py:2" if in_module else "mine.py:6")
    wrong = "ZeroDivisionError: division by zero" if in_module else "IndexError: list index out of range"
    assert failure_of(caught.value, place) == ("error", f"error: {place}: {wrong}")
    assert store.place_of(ValueError("elsewhere"), store.TrialFolder(path)) == ""


def test_a_full_disk_and_a_used_up_quota_are_known_by_number() -> None:
    assert failure_of(OSError(28, "No space\n left")) == ("disk", "error: OSError: [Errno 28] No space left")
    assert failure_of(OSError(errno.EDQUOT, "Quota"))[0] == "disk"


def test_an_end_without_a_word_is_explained() -> None:
    def cause(status: int) -> tuple[str, str]:
        outcome = local.outcome_of(status, local.oom_kills())
        assert (outcome.status, outcome.again) == (status, False)
        return outcome.kind, outcome.cause

    assert cause(-signal.SIGSEGV) == ("crash", "crashed: signal 11 (SIGSEGV)")
    assert cause(-signal.SIGKILL) == ("crash", "crashed: signal 9 (SIGKILL)")
    assert cause(0) == ("crash", "crashed: the process ended with exit status 0 and left no result")


def test_a_kill_by_the_kernel_for_want_of_memory_is_told_apart() -> None:
    before = local.oom_kills() - 1
    found = local.outcome_of(-signal.SIGKILL, before)
    assert (found.kind, found.cause) == ("oom", "out of memory")
    assert local.outcome_of(-signal.SIGSEGV, before).kind == "crash", (
        "the kernel killed another process meanwhile"
    )


@pytest.mark.skipif(not Path("/proc/vmstat").exists() or os.uname().sysname != "Linux", reason="Linux only")
def test_the_kernels_count_is_found() -> None:
    assert local.oom_kills() >= 0
    assert "oom_kill " in Path("/proc/vmstat").read_text()
