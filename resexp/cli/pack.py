"""`resexp pack` and `resexp unpack`: an experiment as one file, for another machine or for keeping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resexp.api import RESULTS
from resexp.cli.options import Results
from resexp.text import clean, counted


def pack(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name or folder.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write. Default: EXPERIMENT.tar.gz in the current folder."
        ),
    ] = None,
    weights: Annotated[bool, typer.Option(help="Pack the weights of finished trials.")] = True,
    checkpoints: Annotated[bool, typer.Option(help="Pack the checkpoints of unfinished trials.")] = True,
    results: Results = RESULTS,
) -> None:
    """Pack an experiment into one file, with a hash of everything in it.

    Exit status: 0 done, 2 bad input or the file exists, 74 a file could not be read or written, 75 the
    experiment is running.
    """
    from resexp import store

    folder = store.find(name, results).resolve()
    file = output or Path(f"{folder.name}.tar.gz")
    packed = store.pack(folder, file, weights=weights, checkpoints=checkpoints)
    typer.echo(f"{clean(file)}: {counted(len(packed.entries), 'file')}, {file.stat().st_size:,} bytes.")
    typer.echo(f"Elsewhere: resexp unpack {clean(file.name)}")


def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `resexp pack` has written.")],
    results: Results = RESULTS,
) -> None:
    """Unpack an experiment after checking every hash. `resexp run` then continues it.

    If the experiment is there already, only finished trials and readings of `resexp probe` that it lacks are
    added.

    Exit status: 0 done, 2 the file is damaged or belongs to another experiment, 74 a file could not be
    written, 75 the experiment is running.
    """
    from resexp import store

    done = store.unpack(file, results)
    parts = [f"{counted(done.added, 'trial')} added"]
    parts += [f"{done.kept} already finished here and kept"] if done.kept else []
    parts += [f"{done.unequal} of these have another train or test error in the file"] if done.unequal else []
    parts += [f"readings of `resexp probe` added to {done.probed} of these"] if done.probed else []
    others = f"{done.unread} of these have other readings of `resexp probe` in the file, which are left out"
    parts += [others] if done.unread else []
    parts += [f"{done.left} unfinished and left out"] if done.left else []
    typer.echo(f"{clean(done.folder)}: {', '.join(parts)}.")
    typer.echo(f"Next: resexp report {clean(done.folder)}")
