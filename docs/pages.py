"""Makes pages for MkDocs from the code and from published reports, so that they are never out of date."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import resexp
from resexp.catalog import scan
from resexp.cli.app import app
from resexp.cli.show import common_options, part_text
from resexp.text import LETTERS

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "results/gallery"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this: add the made pages to those of the folder."""
    for name, text in (
        ("reference/commands.md", commands()),
        ("reference/parts.md", parts()),
        ("reference/python.md", python()),
    ):
        files.append(File.generated(config, name, content=text))
    for path in sorted(GALLERY.rglob("*")):
        if path.suffix in (".md", ".svg"):
            name = f"gallery/{path.relative_to(GALLERY)}"
            files.append(File.generated(config, name, content=published(path)))
    return files


def commands() -> str:
    """Every command with its arguments and options, in the words of its `--help`."""
    top = typer.main.get_command(app)
    return "\n\n".join(["# Commands", *_command(top, "resexp")]) + "\n"


def _command(command: Any, name: str) -> Iterator[str]:
    yield f"## `{name}`\n\n{inspect.cleandoc(command.help or '')}"
    rows = [_row(each) for each in command.params if not getattr(each, "hidden", False)]
    if rows:
        yield "\n".join(["| argument or option | meaning |", "| --- | --- |", *rows])
    for child, inner in getattr(command, "commands", {}).items():
        yield from _command(inner, f"{name} {child}")


def _row(parameter: Any) -> str:
    given = parameter.metavar or parameter.name.upper()
    names = ", ".join(parameter.opts) if parameter.param_type_name == "option" else given
    help = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| `{names}` | {help} |"


def parts() -> str:
    """Every part that a configuration can name, with its equation or purpose, source and options."""
    text = [
        "# Parts",
        "A configuration names each part by its kind. A launcher is named by the option `--launcher`. "
        "`resexp show` prints the same.",
    ]
    for role in scan.ALL_ROLES:
        text += [f"## {role.capitalize()}", f"In these equations {LETTERS}." if role == "connection" else ""]
        words, _, options = common_options(role).partition("\n    - ")
        text += [words, listed(options)]
        for part in scan.parts(role).values():
            first, _, rest = inspect.cleandoc(part.doc).partition("\n")
            text += [f"### `{part.kind}`", f"```text\n{first}\n```", prose(rest)]
            *_, options = part_text(part).partition("\n    - ")
            text.append(listed(options))
    return "\n\n".join(filter(None, text)) + "\n"


def listed(options: str) -> str:
    """Lines of options, of which the first has lost its dash, as a list in Markdown."""
    lines = [line.strip().removeprefix("- ").partition(": ") for line in options.splitlines()]
    return "\n".join(f"- `{name}`: {what}" for name, _, what in lines)


def python() -> str:
    """The functions of the package, with their signatures and docstrings."""
    title, _, example = inspect.cleandoc(resexp.__doc__ or "").partition("\n\n")
    text = ["# From Python", title, f"```python\n{example}\n```"]
    for name in resexp.__all__:
        found = getattr(resexp, name)
        parameters = [f"    {each}," for each in _parameters(found)]
        first, _, errors = (inspect.getdoc(found) or "").partition("\n\nRaises:")
        raised = [prose(line) for line in errors.strip().split("\n    ")]
        listed = "Raises:\n\n" + "\n".join(f"- {line}" for line in raised) if errors else ""
        code = "\n".join([f"{name}(", *parameters, ")"])
        text += [f"## `{name}`", f"```python\n{code}\n```", prose(first), listed]
    return "\n\n".join(filter(None, text)) + "\n"


def _parameters(function: Any) -> Iterator[str]:
    """The parameters as they are written in the code, with the * before those that must be named."""
    star = False
    for each in inspect.signature(function).parameters.values():
        if each.kind is each.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        default = str(each.default) if isinstance(each.default, PurePath) else each.default
        yield f"{each.name}: {each.annotation}" + ("" if default is each.empty else f" = {default!r}")


def prose(text: str) -> str:
    """A docstring as Markdown: text between backticks is code, and nothing else is formatted."""
    pieces = text.strip().split("`")
    return "`".join(
        re.sub(r"([*_<])", r"\\\1", each) if n % 2 == 0 else each for n, each in enumerate(pieces)
    )


def published(path: Path) -> str:
    """A file of the gallery. Links to files that are not part of the site lose their address."""
    text = path.read_text("utf-8")
    if path.suffix == ".svg":
        return text
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)[^)]*\.(?:csv|json|gz|yaml)[^)]*\)", r"`\1`", text)
