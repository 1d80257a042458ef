"""`resexp doctor`: checks whether this machine can run trials, and on which device."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resexp.machine.environment import environment
from resexp.machine.folders import data_folder, nearest

SYSTEMS = {
    "linux": "Linux: tested on CPUs",
    "darwin": "macOS: should work, but has never been tried",
}
"""What we know about the operating systems, by the name that Python gives them."""


@dataclass(frozen=True)
class Finding:
    """The result of one check: what was checked, what was found, and what to do if that is not good."""

    good: bool
    what: str
    found: str
    advice: str = ""


def examine(results: Path) -> list[Finding]:
    """Check everything that a run depends on, except its configuration."""
    return [*_machine(), *_torch(), *_folders(results)]


def render(findings: list[Finding]) -> str:
    """The findings as text, one line for each, and a second line with advice for those that are not good."""
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok " if finding.good else "BAD"
        lines.append(f"{mark}  {finding.what:<{width}}  {finding.found}")
        if finding.advice and not finding.good:
            lines.append(f"     {'':<{width}}  -> {finding.advice}")
    return "\n".join(lines)


def _machine() -> Iterator[Finding]:
    machine = environment()
    yield Finding(True, "system", SYSTEMS.get(sys.platform, f"{sys.platform}: has never been tried"))
    yield Finding(True, "python", machine["python"])
    for package, version in machine["versions"].items():
        yield Finding(version is not None, package, version or "missing", f"pip install {package}")
    memory = machine["memory_bytes"]
    cores = f"{machine['cores']} core{'' if machine['cores'] == 1 else 's'} to use"
    yield Finding(True, "processor", f"{machine['processor']}, {cores}")
    yield Finding(True, "memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown")


def _torch() -> Iterator[Finding]:
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as problem:
        yield Finding(False, "torch", str(problem), "install torch and torchvision together, from one index")
        return
    from resexp.machine.devices import device_slots
    from resexp.machine.precision import emulation, resolve_precision

    yield Finding(True, "accelerator", _accelerator())
    device = device_slots("auto")[0]
    yield Finding(True, "precision: auto", f"{resolve_precision('auto', device)} on {device}")
    yield Finding(True, "bfloat16", emulation(device) or f"computed natively on {device}")


def _accelerator() -> str:
    """What accelerators there are, and whether trials use them without being asked to."""
    from resexp.machine.devices import accelerator, device_name

    kind, count = accelerator()
    if kind is None:
        return "none: trials run on the CPU"
    names = ", ".join(str(device_name(f"{kind}:{i}")) for i in range(count))
    used = "" if kind == "cuda" else f" Trials use it only with --device {kind}."
    return f"{kind} ({names}): should work, but has never been tried.{used}"


def _folders(results: Path) -> Iterator[Finding]:
    for what, folder, option in (
        ("results folder", results, "--results"),
        ("data folder", data_folder(), "RESEXP_DATA"),
    ):
        parent = nearest(folder)
        try:
            with tempfile.TemporaryFile(dir=parent):
                free = shutil.disk_usage(parent).free / 2**30
            yield Finding(True, what, f"{folder} ({free:.0f} GiB free)")
        except OSError as problem:
            yield Finding(False, what, f"{folder}: {problem.strerror}", f"choose another with {option}")
