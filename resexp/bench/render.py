"""Shows a benchmark to a reader: what was reached, and what limits it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType

from resexp.report.render.columns import ColumnHead, Columns

DASH = "–"


def print_benchmark(found: Mapping[str, Any]) -> None:
    """Print a benchmark to the terminal."""
    Console().print(view(found))


def view(found: Mapping[str, Any]) -> RenderableType:
    """Two tables: the rates by precision, and what a trial spends its time on; then the rest in words."""
    return Group(headline(found), "", rates(found), "", spending(found), "", *sentences(found))


def headline(found: Mapping[str, Any]) -> str:
    trial, machine = found["trial"], found["machine"]
    return (
        f"{trial['connection']} {trial['model']}, depth {trial['depth']}, {trial['batch_size']} "
        f"{trial['examples']} a step, on {trial['device']}: {machine['processor']}, "
        f"{machine['cores']} cores, torch {machine['versions']['torch']}"
    )


def rates(found: Mapping[str, Any]) -> Columns:
    precisions = list(found["images_per_second"])
    examples, at_once = found["trial"]["examples"], found["trial"]["at_once"]
    kinds = (
        ("matrix product, GFLOP/s", "ceiling_gflops", ".0f"),
        (f"one trial, {examples}/s", "images_per_second", ".0f"),
        ("share of the ceiling (MFU)", "mfu", ".2f"),
        (f"{at_once} trials at once, {examples}/s", "sweep_images_per_second", ".0f"),
    )
    rows = [
        [label, *(spread(found[key][precision], form) for precision in precisions)]
        for label, key, form in kinds
    ]
    ratios = found["ratio_to_peer"] or {}
    by_precision = {found["trial"]["auto"]: ratios.get("auto"), "float32": ratios.get("float32")}
    times = (by_precision.get(precision) for precision in precisions)
    rows.append(["times a DataLoader loop", *(spread(each, ".2f") if each else DASH for each in times)])
    memory = (f"{found['peak_memory_bytes'][precision] / 2**20:,.0f} MiB" for precision in precisions)
    rows.append(["most memory of a trial", *memory])
    return Columns.of([ColumnHead(), *(ColumnHead(precision, True) for precision in precisions)], rows)


def spending(found: Mapping[str, Any]) -> Columns:
    columns = [ColumnHead(f"of a whole trial ({found['trial']['auto']})"), ColumnHead("share", True)]
    return Columns.of(columns, [[name, f"{share:.1%}"] for name, share in found["breakdown"].items()])


def sentences(found: Mapping[str, Any]) -> Iterator[str]:
    trial, peer, share = found["trial"], found["peer"], found["cpu_share"]
    if share is not None and share < 0.95:
        yield (
            f"Not to be trusted: something else was running, and left this process {share:.0%} of the time "
            "it asked for. A loop with many threads suffers most from that. Measure again alone."
        )
    if peer is None:
        yield (
            f"{DASH}: the DataLoader loop is for images with labels; this trial is {trial['task']} on "
            f"{trial['examples']}."
        )
    else:
        yield (
            f"The DataLoader loop in float32, {peer['workers']} workers, reaches "
            f"{spread(peer['images_per_second'], '.0f')} images/s; its ratio is to the trials at once. "
            f"`precision: auto` is {trial['auto']} here."
        )
    if "bfloat16" not in found["images_per_second"]:
        yield "bfloat16 was not measured: it would be emulated here, and be slower than float32."
    startup = found["trial_startup_seconds"]
    yield (
        f"A trial after the first starts in {1000 * startup['median']:.0f} ms "
        f"({1000 * startup['low']:.0f} to {1000 * startup['high']:.0f}); "
        f"{found['tail_idle_fraction']:.1%} of the cores' time is idle at a small sweep's end."
    )
    for of, what in (("depth", "seconds a step"), ("trials", "seconds a sweep")):
        line = found["scaling"][of]
        if line is not None:
            yield (
                f"{what} = {line['intercept']:.3g} + {line['slope']:.3g} x {of}, "
                f"R2 {line['r2']:.4f}, {of} {line['x'][0]:g} to {line['x'][-1]:g}."
            )
    yield (
        f"Median (least to greatest). MFU: {trial['examples']}/s x 6 x its multiply-accumulates / ceiling; "
        "backward counts twice forward, and padding's multiplications by zero count, which convolutions skip."
    )


def spread(found: Mapping[str, Any], form: str) -> str:
    """The median, and the range if there was more than one measurement."""
    if found["n"] == 1:
        return f"{found['median']:{form}}"
    return f"{found['median']:{form}} ({found['low']:{form}} to {found['high']:{form}})"
