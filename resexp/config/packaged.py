"""The configurations that come with the package, which commands know by name."""

from __future__ import annotations

from pathlib import Path

from resexp.catalog.scan import suggest
from resexp.errors import ConfigError, Problem

PACKAGE = Path(__file__).parents[1]
PAPERS = PACKAGE / "papers"
CONFIGS = PACKAGE / "configs"
DEMO = CONFIGS / "depth_sweep.yaml"


def found(path: Path) -> Path:
    """The file at `path`; if there is none, and `path` is a plain name, the packaged file of that name.

    Raises ConfigError if a plain name is that of no file.
    """
    if path.suffix or path.name != str(path) or path.exists():
        return path
    files = {file.stem: file for folder in (CONFIGS, PAPERS) for file in sorted(folder.glob("*.yaml"))}
    if path.name not in files:
        right = f"give a YAML file, or a name that `resexp gallery` lists; {suggest(path.name, files)}"
        raise ConfigError(
            [Problem(str(path), "", "there is no such file, nor an experiment of that name", right)]
        )
    return files[path.name]
