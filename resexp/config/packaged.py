"""Finds the configurations that come with the package, by their names."""

from __future__ import annotations

from pathlib import Path

from resexp.catalog.scan import suggest
from resexp.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
PAPERS = PACKAGE / "papers"
CONFIGS = PACKAGE / "configs"
DEMO = CONFIGS / "depth_sweep.yaml"


def names() -> dict[str, Path]:
    """The configurations of the package, by name."""
    return {file.stem: file for folder in (CONFIGS, PAPERS) for file in sorted(folder.glob("*.yaml"))}


def found(path: Path) -> Path:
    """`path` itself if it exists or is not a plain name; otherwise the package's configuration of that name.

    Raises ConfigError if the package has none, or if a missing file has the name of one of its own.
    """
    if path.exists():
        return path
    files = names()
    if path.suffix or path.name != str(path):
        if path.stem in files:
            right = f"write {path.stem} for the configuration of this name that comes with the package"
            raise ConfigError.of(str(path), "", "does not exist", right)
        return path
    if path.name not in files:
        right = f"give a YAML file, or a name that `resexp gallery` lists; {suggest(path.name, files)}"
        wrong = "is neither a file nor the name of a configuration of the package"
        raise ConfigError.of(str(path), "", wrong, right)
    return files[path.name]
