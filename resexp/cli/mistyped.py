"""Says what is wrong with a command line that click does not understand, and what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

WORDS_OF_PYDANTIC = {
    "^Value error, ": "",
    "^Input should be a valid integer.*": "give a whole number.",
    "^Input should be a valid number.*": "give a number.",
    "^Input should be greater than or equal to (.*)": r"give at least \1.",
}
"""Messages of pydantic -> plain words instead. Newer versions of typer check options with pydantic."""
OPTIONS = {
    **dict.fromkeys(("--gpu", "--gpus", "--cuda"), "--device cuda"),
    **{"--cpu": "--device cpu", "--mps": "--device mps", "-j": "--jobs", "--workers": "--jobs"},
    **dict.fromkeys(("--plan", "--dry-run", "-n"), "`resexp plan CONFIG`"),
    **{"--force": "--fresh", "--overwrite": "--fresh", "--output": "--results", "-o": "--results"},
}
"""Options of other programs -> what does the same here."""
COMMANDS = {
    **dict.fromkeys(("train", "fit", "start", "resume", "continue"), "`resexp run CONFIG`"),
    **dict.fromkeys(("list", "ls"), "`resexp gallery` or `resexp status`"),
    **dict.fromkeys(("results", "summary", "figures"), "`resexp report`"),
    **{"version": "`resexp --version`", "help": "`resexp --help`"},
}
"""Commands of other programs -> what does the same here."""


def usage_advice(error: Any) -> str:
    """One line about an exception of click. It says how to write a setting that was given as an option."""
    context = getattr(error, "ctx", None)
    typed = context.command_path if context else "resexp"
    kind, option = type(error).__name__, str(getattr(error, "option_name", ""))
    message = _plain(str(getattr(error, "message", "")))
    unknown = re.match(r"No such command '(.*?)'", message)
    if kind == "NoSuchOption" and (key := _setting(option)):
        said = f"No such option: {option}. To change a setting, write {_where(context)}{key}=VALUE"
        said += ", or several values separated by commas" if key == "seed" else ""
    elif kind == "NoSuchOption" and _known(context, meant := OPTIONS.get(option, "")):
        said = f"No such option: {option}. Write {meant}"
    elif unknown and (meant := _command(unknown[1], context)):
        said = f"No such command '{unknown[1]}'. Write {meant}"
    elif (extra := re.match(r"Got unexpected extra argument\S* \((.*)\)", message)) and context:
        said = f"{extra[1]!r} is one argument too many"
        said += f". To change a setting, write {_where(context)}{extra[1]}" if "=" in extra[1] else ""
    else:
        vars(error).update(message=message)
        said = error.format_message().rstrip(".")
    return f"error: {said}{' ' if said.endswith('?') else '; '}`{typed} -h` shows what can be typed"


def _plain(message: str) -> str:
    """A message on an option's value in plain words: see WORDS_OF_PYDANTIC."""
    for words, plain in WORDS_OF_PYDANTIC.items():
        message = re.sub(words, plain, message)
    return message


def _setting(option: str) -> str | None:
    """The dotted key with the fewest dots whose last word is the name of an option, such as model.depth for
    --depth or --depths; None if there is none.
    """
    from resexp.config.schema import known_keys

    name = option.lstrip("-").replace("-", "_")
    names = {name, name.removesuffix("s")} - {""}
    keys = [key for key in known_keys(()) if key.rpartition(".")[2] in names]
    return min(keys, key=lambda key: (key.count("."), key), default=None)


def _where(context: Any) -> str:
    """What to type before a setting: "" if the command takes settings, otherwise `resexp run CONFIG `."""
    takes = any(parameter.name == "overrides" for parameter in context.command.params)
    demo = context.command.name == "demo"
    return "" if takes else f"resexp run {'depth_sweep' if demo else 'CONFIG'} "


def _known(context: Any, meant: str) -> bool:
    """Whether the advice `meant` can be followed: it names another command, or an option of this one."""
    options = {name for parameter in context.command.params for name in parameter.opts}
    return bool(meant) and (meant.startswith("`") or meant.split(maxsplit=1)[0] in options)


def _command(name: str, context: Any) -> str:
    """The command to suggest in place of the unknown command `name`, or "" if none is known. For a
    configuration, it is the command that runs it.
    """
    from resexp.config.packaged import names

    if context is not None and context.parent is not None:
        return f"`{context.command_path}` alone" if name in ("list", "ls") else ""
    if name in names() or Path(name).suffix in (".yaml", ".yml"):
        return f"`resexp run {name}`"
    return COMMANDS.get(name, "")
