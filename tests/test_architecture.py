"""The flow goes one way, light commands stay light, and nothing dangerous is called."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "resexp"
FILES = sorted(PACKAGE.rglob("*.py"))

# config -> plan -> execution -> training (model + data + probes) -> store -> report: what each may not use.
FORBIDDEN = {
    "errors": ("",),
    "config": ("plan", "store", "execution", "training", "models", "report", "api", "cli"),
    "plan": ("store", "execution", "training", "models", "data", "report", "api", "cli"),
    "connections": (
        "config.load",
        "config.settings",
        "plan",
        "store",
        "execution",
        "training",
        "models",
        "data",
        "report",
    ),
    "models": ("plan.make", "store", "execution", "training", "data", "report", "api", "cli"),
    "data": ("store", "execution", "training", "models", "report", "api", "cli"),
    "probes": ("store", "execution", "training", "data", "report", "api", "cli"),
    "store": (
        "config.load",
        "config.settings",
        "execution",
        "training",
        "models",
        "data",
        "report",
        "api",
        "cli",
    ),
    "execution": ("config.load", "config.settings", "training", "models", "data", "report", "api", "cli"),
    "training": ("execution", "report", "api", "cli"),
    "report": ("config.load", "config.settings", "execution", "training", "models", "data", "api", "cli"),
}


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(node: ast.AST) -> Iterator[str]:
    """What a module imports when it runs: imports for type checkers alone do not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from imports(child)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_stage_imports_a_later_one(file: Path) -> None:
    stage = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    forbidden = tuple(f"resexp.{name}".rstrip(".") for name in FORBIDDEN.get(stage, ()))
    for name in imports(tree(file)):
        assert not any(name == bad or name.startswith(f"{bad}.") for bad in forbidden), (
            f"{stage} imports {name}"
        )


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_nothing_dangerous_is_called(file: Path) -> None:
    for node in ast.walk(tree(file)):
        if not isinstance(node, ast.Call):
            continue
        name, keywords = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        assert name not in {"eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
        assert keywords.get("shell", "False") == "False"
        if name == "torch.load":
            assert keywords.get("weights_only") == "True"
        if name.startswith(("pickle.", "marshal.", "shelve.")):
            assert (file.name, name) == ("cifar.py", "pickle.Unpickler"), (
                "only CIFAR's, after its hash was checked"
            )


def test_no_decision_hangs_on_the_wall_clock() -> None:
    """A clock that is set while a sweep runs changes nothing: it is read for the record alone."""
    for file in FILES:
        clocks = {ast.unparse(node.func) for node in ast.walk(tree(file)) if isinstance(node, ast.Call)}
        assert not clocks & {"time.time", "time.time_ns", "time.localtime", "datetime.today"}, file
        if "datetime.now" in clocks:
            assert file.relative_to(PACKAGE).as_posix() in {"machine/environment.py", "store/lock.py"}


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_files_fit_in_the_head(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 260


@pytest.mark.parametrize(
    "module", ["resexp", "resexp.cli", "resexp.config.load", "resexp.plan.make", "resexp.store",
               "resexp.execution.supervisor", "resexp.execution.worker", "resexp.report.write", "resexp.show"]
)  # fmt: skip
def test_light_modules_do_not_load_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_exports_its_python_interface() -> None:
    import resexp

    assert sorted(resexp.__all__) == ["load", "results", "run", "trials"]


def test_nothing_in_the_repository_names_a_place_of_ours() -> None:
    root = PACKAGE.parent
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    files = [name for name in listed.stdout.split("\0") if (root / name).is_file()]  # no linked folders
    for name in files:
        data = (root / name).read_bytes()
        for word in (b"/wo" + b"rk/", b"pypi" + b".org", b"files.python" + b"hosted"):
            assert word not in data, f"{name} names {word.decode()}"
