"""Prints a benchmark: a table of rates, a table of the parts of a trial, and further results in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType

from resexp.report.render.columns import ColumnHead, Columns
from resexp.text import DASH


def print_benchmark(benchmark: Mapping[str, Any]) -> None:
    """Print a benchmark to the terminal."""
    Console().print(view(benchmark))


def view(benchmark: Mapping[str, Any]) -> RenderableType:
    """The benchmark as Rich prints it."""
    return Group(
        headline(benchmark), "", rates(benchmark), "", spending(benchmark), "", *sentences(benchmark)
    )


def headline(benchmark: Mapping[str, Any]) -> str:
    trial, machine = benchmark["trial"], benchmark["machine"]
    return (
        f"{trial['connection']} {trial['model']}, depth {trial['depth']}, {trial['batch_size']} "
        f"{trial['examples']} a step, on {trial['device']}: {machine['processor']}, "
        f"{machine['cores']} cores, torch {machine['versions']['torch']}"
    )


def rates(benchmark: Mapping[str, Any]) -> Columns:
    precisions = list(benchmark["images_per_second"])
    examples, at_once = benchmark["trial"]["examples"], benchmark["trial"]["at_once"]
    kinds = (
        ("matrix product, GFLOP/s", "ceiling_gflops", ".0f"),
        (f"one trial, {examples}/s", "images_per_second", ".0f"),
        ("share of the ceiling (MFU)", "mfu", ".2f"),
        (f"{at_once} trials at once, {examples}/s", "sweep_images_per_second", ".0f"),
    )
    rows = [
        [label, *(spread(benchmark[key][precision], form) for precision in precisions)]
        for label, key, form in kinds
    ]
    ratios = benchmark["ratio_to_peer"] or {}
    by_precision = {benchmark["trial"]["auto"]: ratios.get("auto"), "float32": ratios.get("float32")}
    times = (by_precision.get(precision) for precision in precisions)
    rows.append(
        ["as fast as a DataLoader loop, times", *(spread(each, ".2f") if each else DASH for each in times)]
    )
    memory = (f"{benchmark['peak_memory_bytes'][precision] / 2**20:,.0f} MiB" for precision in precisions)
    rows.append(["most memory of a trial", *memory])
    return Columns.of([ColumnHead(), *(ColumnHead(precision, True) for precision in precisions)], rows)


def spending(benchmark: Mapping[str, Any]) -> Columns:
    columns = [ColumnHead(f"part of a trial ({benchmark['trial']['auto']})"), ColumnHead("share", True)]
    return Columns.of(columns, [[name, f"{share:.1%}"] for name, share in benchmark["breakdown"].items()])


def sentences(benchmark: Mapping[str, Any]) -> Iterator[str]:
    trial, peer, share = benchmark["trial"], benchmark["peer"], benchmark["cpu_share"]
    if share is not None and share < 0.95:
        yield (
            f"Do not trust these numbers: other programs were running, and this process got only {share:.0%} "
            "of the time it asked for. Loops with many threads suffer most. Measure again on an idle machine."
        )
    if peer is None:
        yield (
            f"{DASH}: the DataLoader loop needs images with labels, but this trial is {trial['task']} on "
            f"{trial['examples']}."
        )
    else:
        yield (
            f"The DataLoader loop in float32 with {peer['workers']} workers reaches "
            f"{spread(peer['images_per_second'], '.0f')} images/s. The table divides "
            f"what all trials together reach by this rate. `precision: auto` is {trial['auto']} here."
        )
    if "bfloat16" not in benchmark["images_per_second"]:
        yield "bfloat16 was not measured: it would be emulated here, and slower than float32."
    startup = benchmark["trial_startup_seconds"]
    yield (
        f"A trial after the first starts in {1000 * startup['median']:.0f} ms "
        f"({1000 * startup['low']:.0f} to {1000 * startup['high']:.0f}); "
        f"{benchmark['tail_idle_fraction']:.1%} of the workers' time is idle at a small sweep's end."
    )
    for of, what in (("depth", "seconds per step"), ("trials", "seconds per sweep")):
        line = benchmark["scaling"][of]
        if line is not None:
            yield (
                f"{what} = {line['intercept']:.3g} + {line['slope']:.3g} x {of}, "
                f"R2 {line['r2']:.4f}, {of} {line['x'][0]:g} to {line['x'][-1]:g}."
            )
    yield (
        f"Numbers are medians (least to greatest). MFU is {trial['examples']}/s x 6 x multiply-accumulates "
        "of one example / ceiling: a backward pass counts as two forward passes. Multiplications by the "
        "zeros of padding are counted too, although convolutions skip them."
    )


def spread(measured: Mapping[str, Any], form: str) -> str:
    """The median, and the range if there was more than one measurement."""
    if measured["n"] == 1:
        return f"{measured['median']:{form}}"
    return f"{measured['median']:{form}} ({measured['low']:{form}} to {measured['high']:{form}})"
