"""Runs many commands and says what each costs: `python hostile_commands.py CASES` prints a line of JSON each.

PyTorch and what a plan may need are imported once, and each command is run in a fork, in an empty folder
with a data folder of its own. What was imported after PyTorch counts as if each command had imported it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401 (a fork has it then, and the first optimiser would import it)

BEGAN = time.process_time()

from resexp import api  # noqa: E402, F401
from resexp.cli import app, progress, trials  # noqa: E402, F401
from resexp.config import load  # noqa: E402, F401
from resexp.estimate import duration, network, outline  # noqa: E402, F401
from resexp.training import preload  # noqa: E402, F401

IMPORTED = time.process_time() - BEGAN

GUARD = 30, 8 << 30
"""Processor seconds and bytes of further addresses at which a command that does not end is ended."""


def child(folder: Path, arguments: list[str]) -> None:
    """Become the command: its output goes to files beside its folder."""
    os.environ["RESEXP_DATA"] = str(folder.parent / "data")
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder.parent / name, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    seconds, room = GUARD
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (size + room, size + room))
    sys.argv = ["resexp", *arguments]
    status = 1
    try:
        app.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def run(folder: Path, arguments: list[str]) -> dict[str, Any]:
    """The command's end, its cost beyond what it began with, and what it left in its folder."""
    before = sorted(os.listdir(folder))
    own = resident()
    process = os.fork()
    if process == 0:
        child(folder, arguments)
    _, status, used = os.wait4(process, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": IMPORTED + used.ru_utime + used.ru_stime,
        "bytes": max(0, 1024 * used.ru_maxrss - own),
        "left": sorted({*os.listdir(folder)} - {*before}),
        "errors": (folder.parent / "stderr").read_bytes().decode(errors="replace")[-2000:],
    }


if __name__ == "__main__":
    for line in Path(sys.argv[1]).read_text().splitlines():
        case = json.loads(line)
        print(json.dumps(run(Path(case["folder"]), case["arguments"])), flush=True)
