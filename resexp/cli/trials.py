"""Prints what `resexp plan` and `resexp status` show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from resexp.plan import budgets
from resexp.plan.status import Status
from resexp.report.render.columns import ColumnHead, Columns
from resexp.store import GLANCE
from resexp.text import DASH, called, clean, counted, duration, percent, size

if TYPE_CHECKING:
    from resexp.api.launching import TrialJob
    from resexp.estimate.outline import Outline
    from resexp.plan.trial import Trial
    from resexp.store import Records, Running


MOST_LAID_OUT = 500
"""The most rows that Rich fits to the terminal's width, which takes half a millisecond per row."""


def show_plan(outline: Outline) -> None:
    """Print one row for all seeds of a variant and depth, then what the whole plan costs."""
    sizes = {trial.id: matched(trial.settings["model"]) for trial in outline.trials}
    sized = any(sizes.values())
    columns = [ColumnHead("variant")]
    columns += [ColumnHead(head, True) for head in ("depth", "seeds", "params", "MACs", "activations")]
    columns += [ColumnHead("size")] if sized else []
    columns += [ColumnHead("done", True)]
    rows: list[list[str]] = []
    groups: dict[tuple[str, int], list[Trial]] = {}
    for trial in outline.trials:
        groups.setdefault((trial.variant, trial.depth), []).append(trial)
    for (variant, depth), trials in groups.items():
        cost = trials[0].cost
        done = sum(outline.status[trial.id] == Status.DONE for trial in trials)
        cells = [
            clean(called(variant)),
            str(depth),
            str(len({trial.seed for trial in trials})),
            f"{cost.params:,}" if cost else DASH,
            si(cost.macs) if cost else DASH,
            f"{cost.activation_bytes / 1024:,.0f} KiB" if cost else DASH,
            *([sizes[trials[0].id]] if sized else []),
            f"{done}/{len(trials)}",
        ]
        rows.append(cells)
    console = Console()
    if len(rows) <= MOST_LAID_OUT:
        console.print(Columns.of(columns, rows))
    else:
        print(*aligned([[column.heading for column in columns], *rows], left=1), sep="\n")
    _show_cost(outline, console)


def _show_cost(outline: Outline, console: Console) -> None:
    """Print how many trials there are, where they run, and how long they will take."""
    counts = tally(outline.status.values())
    precisions = " and ".join(sorted({trial.settings["training"]["precision"] for trial in outline.trials}))
    slots = f"{len(outline.slots)} at once on {outline.slots[0]} in {precisions}"
    console.print(f"\n{counted(len(outline.trials), 'trial')}: {counts}. {slots}.")
    if outline.others:
        left = counted(outline.others, "other trial")
        console.print(f"Not chosen by --only: {left} of the plan.", highlight=False)
    if outline.looks:
        numbers = " / ".join(map(str, outline.looks))
        said = f"Looks at {numbers} seeds per setting; this is the plan of the last look. The run ends at the"
        console.print(f"{said} first look that leaves nothing undecided.", highlight=False)
    groups = budgets.other_groups(trial.settings["model"] for trial in outline.trials)
    for warning in (*budgets.warnings(list(map(_sized, outline.trials))), *groups):
        console.print(warning, markup=False, highlight=False)
    for warning in outline.warnings:
        console.print(clean(warning), markup=False, highlight=False)
    if outline.note:
        console.print(outline.note, markup=False, highlight=False)
    if outline.seconds_left is None:
        kinds = "GPUs, boosters, playing, generated images, several processes, or very large networks"
        console.print(f"Time left: not estimated (there is no estimate for {kinds}).")
    elif outline.seconds_left:
        basis = " on idle cores, from timed steps of two networks"
        besides = (
            " Probes may add more than that." if any(t.settings.get("probes") for t in outline.trials) else ""
        )
        if outline.timed_by:
            basis, besides = f", judging by {counted(outline.timed_by, 'finished trial')}", ""
        console.print(f"Time left: about {duration(outline.seconds_left)}{basis}.{besides}")
    if outline.checkpoint_bytes:
        free = "" if outline.free_bytes is None else f"; {size(outline.free_bytes)} is free"
        console.print(f"Checkpoints: about {size(outline.checkpoint_bytes)}{free}.", highlight=False)
    scope = "MACs and activations are per example. Activations are what the backward pass keeps, in float32."
    console.print(scope, style="dim")


def _sized(trial: Trial) -> budgets.Sized:
    sizes = {name: getattr(trial.cost, name, None) for name in budgets.NAMES}
    match, plain = trial.settings["model"]["match"], trial.connection == "plain"
    return budgets.Sized(trial.variant, plain, trial.depth, match, sizes)


def show_status(records: Records, run: Running | None, jobs: Mapping[str, TrialJob]) -> None:
    """Print one row per trial, in the order of the plan, and then where the trials are being trained.

    `jobs` are those of trials that wait or run on a cluster, by the trial's id. Rich is not used, because it
    would take seconds to lay out thousands of rows.
    """
    statuses = _statuses(records, run, jobs)
    epochs = records.metrics.groupby("id")["epoch"].max().to_dict()
    rows: list[Sequence[str]] = [("trial", "status", "epoch", "train error", "test error", "time")]
    for row in records.trials.to_dict("records"):
        epoch = epochs.get(row["id"])
        errors = (percent(known(row[f"{part}_error"])) for part in ("train", "test"))
        shown = DASH if epoch is None else f"{epoch:.0f}"
        status = statuses[row["id"]]
        if row["id"] in jobs and jobs[row["id"]].job:
            status += f" (job {clean(jobs[row['id']].job)})"
        rows.append((clean(row["name"]), status, shown, *errors, duration(known(row["seconds"]))))
    if records.aside:
        print(f"{clean(records.aside)}\n")
    for line in aligned(rows, left=2):
        print(line)
    total = counted(len(records.trials), "trial")
    print(f"\n{clean(records.experiment)}: {total}: {tally(statuses.values())}.")
    causes = records.trials.dropna(subset=["cause"])
    for name, cause in zip(causes["name"], causes["cause"], strict=True):
        print(f"{clean(name)}: {clean(cause)}")
    for line in whereabouts(records, run):
        print(clean(line))
    for note in records.notes:
        print(clean(note))


def whereabouts(records: Records, run: Running | None) -> Iterator[str]:
    """Sentences on where and since when an experiment runs, and on how far each trial in training is."""
    if run is None:
        return
    place = f"on {run.host}, process {run.pid or 'unknown'}"
    if run.seen:
        yield f"It has been running {place}, since {run.started} by the clock there."
    else:
        yield (
            f"It was started {place}, at {run.started} by the clock there, and has not ended by itself. It "
            f"gave no sign of life for {GLANCE:g} s, so that machine or its connection may be gone. "
            "`resexp run` with --take-over continues without it."
        )
    names = dict(zip(records.trials["id"], records.trials["name"], strict=True))
    for id, row in run.progress.items():
        if id in names:
            where = f"on {row['host']} since {row['since']}, " if row.get("host") else ""
            yield f"{names[id]}: {where}step {row['step']:,} of {row['steps']:,}"


def _statuses(records: Records, run: Running | None, jobs: Mapping[str, TrialJob]) -> dict[str, str]:
    """The status of each trial, by its id. If a trial has a job on a cluster, the status is the job's. The
    results do not know whether a job still waits in the queue.
    """
    statuses = dict(zip(records.trials["id"], records.trials["status"], strict=True))
    for id, status in statuses.items():
        if id in jobs and status in (Status.RUNNING, Status.PENDING):
            statuses[id] = jobs[id].status
        elif jobs and status == Status.RUNNING and run and id not in run.progress:
            statuses[id] = Status.PENDING.value  # no job was submitted for it yet
    return statuses


def status_json(records: Records, run: Running | None, jobs: Mapping[str, TrialJob]) -> dict[str, Any]:
    """What `show_status` prints, for programs. Errors are fractions, times seconds; null is unknown."""
    statuses = _statuses(records, run, jobs)
    epochs = records.metrics.groupby("id")["epoch"].max().to_dict()
    texts = ("id", "name", "variant", "status", "cause")
    numbers = ("depth", "seed", "train_error", "test_error", "seconds")
    return {
        "schema_version": 1,
        "experiment": records.experiment,
        "counts": dict(Counter(statuses.values())),
        "trials": [
            {name: row[name] for name in texts}
            | {name: known(row[name]) for name in numbers}
            | {"status": statuses[row["id"]], "epoch": known(epochs.get(row["id"]))}
            | {"job": jobs[row["id"]].job or None if row["id"] in jobs else None}
            for row in records.trials.to_dict("records")
        ],
        "run": run and asdict(run),
        "aside": records.aside,
        "notes": records.notes,
    }


def aligned(rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """The rows as lines. The first `left` columns are aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        padded = [c.ljust(w) if n < left else c.rjust(w) for n, (c, w) in enumerate(cells)]
        yield "  ".join(padded).rstrip()


def tally(statuses: Iterable[str]) -> str:
    """How many trials have each status, as text."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())


def known(value: float | None) -> float | None:
    """The number, or None if it is NaN, which stands for a missing number in a frame."""
    return None if value is None or value != value else value  # noqa: PLR0124


def matched(model: dict[str, Any]) -> str:
    """The size that the setting `match` has chosen, such as "width 24"; "" without `match`."""
    if model["match"] == "none":
        return ""
    growth = model["connection"].get("growth")
    return f"growth {growth}" if growth is not None else f"width {model['width']}"


def si(count: int) -> str:
    """A count with a decimal prefix, such as 41.0 M."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:.1f} {prefix}"
    return str(count)
