"""The flow goes one way, light commands stay light, and nothing dangerous is called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import import_picture
import pytest
from import_picture import imports, room

from resexp.catalog import scan
from resexp.training.entry import LEARNERS
from resexp.training.learner import Learner

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "resexp"
FILES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT: dict[str, str] = {
    "errors": "",
    "durable": "",
    "random": "",
    "options": "",
    "text": "",
    "machine": "errors",
    "connections": "options",
    "catalog": "machine durable errors options text",
    "config": "catalog durable errors options text",
    "data": "catalog machine durable errors options random",
    "generation": "data machine durable errors random",
    "plan": "config catalog errors text",
    "models": "connections plan errors options random",
    "store": "plan config catalog machine durable errors text",
    "probes": "models generation catalog errors options",
    "tasks": "models options random",
    "execution": "store plan errors options text",
    "report": "store plan config catalog durable errors text",
    "foreign": "report store plan catalog durable errors text",
    "training": "tasks probes models connections generation data plan config catalog machine errors options"
    " random text",
    "estimate": "training execution store models data plan config catalog machine durable text errors",
    "bench": "estimate training execution report store tasks probes models data plan config catalog machine"
    " durable errors text",
    "api": "estimate training report execution store plan data config catalog machine errors text",
    "gallery": "api report store config catalog durable errors text",
    "cli": "gallery foreign bench api estimate execution report store plan config catalog machine errors"
    " text",
    "__init__": "foreign api",
    "__main__": "cli",
}
"""Every folder and module at the top of the package, with the others that it may import: lower ones first, so
that a name can only stand for what stands above it here.
"""

NAMED = re.compile(r"resexp(\.[a-z_]+)+(:[a-z_]+)?")
"""A module, or a function of one, that a string names."""


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def test_everything_at_the_top_has_its_rule_and_nothing_goes_round() -> None:
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert top == set(MAY_IMPORT)
    known: set[str] = set()
    for name, others in MAY_IMPORT.items():
        assert set(others.split()) <= known, f"{name} may import what stands below it in the table"
        known.add(name)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_import_runs_back_up(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    used = {room(name) for name in imports(tree(file)) if name.split(".")[0] == "resexp"}
    assert used - {own, "__init__"} <= set(MAY_IMPORT[own].split())


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_what_a_string_names_is_there_and_may_be_imported(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for node in ast.walk(tree(file)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if NAMED.fullmatch(node.value.removesuffix(".")):
            module = node.value.removesuffix(".").partition(":")[0]
            assert importlib.util.find_spec(module), f"{node.value} leads nowhere"
            assert room(module) in {own, *MAY_IMPORT[own].split()}, f"{own} names {node.value}"


def test_every_kind_of_model_and_of_task_has_a_learner() -> None:
    assert set(LEARNERS) == {*scan.ROLES["model"][1:], *scan.ROLES["task"][2:]}, "a Task has its model's"
    for module, _, name in (learner.partition(":") for learner in LEARNERS.values()):
        run = getattr(importlib.import_module(module), name)
        assert all(hasattr(run, name) for name in vars(Learner) if not name.startswith("_"))


def test_the_picture_of_imports_is_of_this_code() -> None:
    """If this fails, `python tests/import_picture.py` draws it anew."""
    page = import_picture.PAGE.read_text("utf-8")
    drawn = page.partition(import_picture.BEGIN)[2].partition(import_picture.END)[0]
    assert drawn == import_picture.drawn(import_picture.arrows())


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "README.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    in_the_tree = r"((?:resexp|tests|configs|docs|examples|results)/[\w./-]*)"
    named = re.findall(rf"(?:`|\]\(){in_the_tree}[`)]", (ROOT / page).read_text("utf-8"))
    assert named
    for path in named:
        assert (ROOT / path).exists(), f"{page} names {path}"


def test_only_the_store_names_its_files() -> None:
    own = {
        node.value
        for file in (PACKAGE / "store").glob("*.py")
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z-]+\.(json|jsonl|yaml)", str(node.value))
    }
    assert {"plan.json", "result.json", "metrics.jsonl", "config.yaml"} <= own
    for file in FILES:
        if file.is_relative_to(PACKAGE / "store"):
            continue
        words = {node.value for node in ast.walk(tree(file)) if isinstance(node, ast.Constant)}
        assert not own & words, file


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
            assert file.relative_to(PACKAGE).as_posix() in {
                "machine/environment.py",
                "machine/host.py",
            }


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_files_fit_in_the_head(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 260


@pytest.mark.parametrize(
    "module",
    [
        *(
            "resexp",
            "resexp.cli.app",
            "resexp.cli.show",
            "resexp.foreign.records",
            "resexp.config.load",
            "resexp.plan.make",
        ),
        *("resexp.store", "resexp.execution.supervisor", "resexp.execution.worker", "resexp.execution.ray"),
        "resexp.report.write",
        *("resexp.estimate.outline", "resexp.training.entry", "resexp.gallery.papers"),
    ],
)
def test_light_modules_do_not_load_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["resexp.cli.trials", "resexp.cli.tools", "resexp.estimate.outline"])
def test_what_lists_trials_and_parts_loads_no_library_of_statistics(module: str) -> None:
    heavy = "{'torch', 'pandas', 'scipy', 'matplotlib'}"
    code = f"import sys, {module}; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_two_test_files_share_a_name() -> None:
    # pytest imports them by name, and stops before the first test if it meets a name twice.
    names = sorted(file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py")
    assert names == sorted(set(names))


def test_the_package_exports_its_python_interface() -> None:
    import resexp

    names = [
        "archive",
        "judge",
        "load",
        "make_launcher",
        "open_trial",
        "register",
        "results",
        "run",
        "run_until_decided",
        "stop",
        "trials",
    ]
    assert sorted(resexp.__all__) == names


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
