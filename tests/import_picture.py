"""Draws which folders of the package import which: `python tests/import_picture.py` rewrites the page."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "resexp"
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- drawn by tests/import_picture.py -->\n", "<!-- end of the picture -->\n"


def room(name: str) -> str:
    """The folder or module at the top of the package that a dotted name lies in."""
    return [*name.split("."), "__init__"][1]


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


def arrows() -> dict[str, set[str]]:
    """For each folder or module at the top of the package, the others that it imports."""
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    found: dict[str, set[str]] = {name: set() for name in sorted(rooms - {"__init__", "__main__"})}
    for file in PACKAGE.rglob("*.py"):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = [name for name in imports(ast.parse(file.read_text("utf-8"))) if name.startswith("resexp.")]
        if own in found:
            found[own] |= {room(name) for name in names} & found.keys() - {own}
    return found


def drawn(found: Mapping[str, set[str]]) -> str:
    """The picture as Mermaid text. An arrow is left out if other arrows lead to the same place."""

    def below(name: str) -> set[str]:
        return {name}.union(*map(below, found[name]))

    lines = []
    for name, others in found.items():
        if direct := sorted(o for o in others if not any(o in below(via) for via in others - {o})):
            lines.append(f"    {name} --> {' & '.join(direct)}")
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```", ""])


if __name__ == "__main__":
    head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}{drawn(arrows())}{END}{rest.partition(END)[2]}", "utf-8")
