"""Shows a run: as a live table on a terminal, otherwise as one line per event."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from resexp.execution.display import Display, View
from resexp.execution.lines import LineDisplay, outcome
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store import State
from resexp.text import DASH, clean, duration, percent

BAR = "cyan"
"""The colour of progress bars."""
ROWS = 16
"""The most running trials that are shown, so that the table fits on the screen."""
WIDE = 110
"""A terminal of at least this width shows a bar between each trial's name and its numbers."""
OTHERS = 64
"""The width of what a wide terminal shows beside a trial's name."""


def choose(console: Console) -> Display:
    """A live table if `console` (standard error) is a terminal, otherwise lines."""
    return TableDisplay(console) if console.is_terminal else LineDisplay(console)


class TableDisplay(Display):
    """A live table of the running trials. Above it, a line is printed for each trial that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def again(self, trial: Trial, why: str) -> None:
        self._console.print(Text(f"again     {trial.name}  {clean(why)}", style="yellow"), soft_wrap=True)

    def finished(self, trial: Trial, state: State) -> None:
        style = {Status.DONE: "", Status.DIVERGED: "yellow", Status.FAILED: "red"}.get(state.status, "dim")
        self._console.print(Text(outcome(trial, state), style=style), soft_wrap=True)

    def note(self, sentence: str) -> None:
        self._console.print(Text(f"note      {clean(sentence)}", style="yellow"), soft_wrap=True)

    def tick(self, view: View) -> None:
        self._live.start()
        self._live.update(table(view, self._console.width), refresh=True)

    def close(self) -> None:
        self._live.stop()


def table(view: View, width: int = 80) -> RenderableType:
    """The live table: one row per running trial, and a bar and a line for the whole sweep."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", expand=True)
    wide = width >= WIDE
    most, ratio = (width - OTHERS, None) if wide else (None, 1)
    rows.add_column("trial", no_wrap=True, overflow="ellipsis", min_width=12, max_width=most, ratio=ratio)
    if wide:
        rows.add_column("progress", ratio=1, min_width=10)
    for name in ("epoch", "test error", "loss", "time left"):
        rows.add_column(name, justify="right", no_wrap=True)
    for item in view.running[:ROWS]:
        row = item.progress
        epoch = f"{row['epoch']}/{row['epochs']}" if row else "starting"
        loss = row.get("loss")
        rows.add_row(
            Text(item.trial.name),
            *([_bar(item.fraction)] if wide else []),
            epoch,
            percent(row.get("error")),
            DASH if loss is None else f"{loss:.3f}",
            duration(item.seconds_left),
        )
    if len(view.running) > ROWS:
        rows.add_row(Text(f"and {len(view.running) - ROWS} more", style="dim"))
    ended = view.before + sum(view.counts.values())
    words = [f"{ended}/{view.total} trials"]
    words += [
        f"{view.counts[status]} {status}"
        for status in (Status.FAILED, Status.DIVERGED)
        if view.counts.get(status)
    ]
    words.append(f"{duration(view.seconds_left)} left")
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_row(_bar(view.share), Text("  ".join(words)))
    return Group(rows, line)


def _bar(share: float) -> ProgressBar:
    """A bar that is done up to `share`. By default, rich's bar is red, which would look like a failure."""
    return ProgressBar(total=1.0, completed=share, complete_style=BAR, finished_style=BAR)
