"""Do dropout and shortcuts help each other? An interaction, not two effects side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.groups import leaves
from resexp.report import frames, statistics, words
from resexp.report.statistics import Difference
from resexp.report.table import Column, Row, Sentence, Table, Tone, integer, number, text

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 23
SITES = {
    "attention": "attention",
    "mlp": "MLP",
    "both": "attention and MLP",
    "branch": "branch output",
    "skip": "shortcut",
}
CAPTION = (
    "What dropout at rate p adds to the test loss (nats) of networks whose shortcuts cross `span` "
    "sub-layers, and of the same networks without shortcuts; negative is better. Interaction: the first "
    "minus the second, over the n seeds that finished in all four, with a 95 % percentile bootstrap "
    "interval, which is too narrow where seeds are few. Synergy of a site: its interaction, averaged over "
    "rates and spans, is negative, its interval excludes 0, and a paired t-test over seeds has p of at most "
    "0.05."
)


def cells(records: Records) -> pd.DataFrame:
    """A row a finished transformer: id, connection, depth, seed, test_loss, span, site (None: no dropout)
    and rate; `rest` is alike where nothing else differs.
    """
    rows = []
    for trial in frames.done(records.trials).to_dict("records"):
        model = records.settings.get(trial["id"], {}).get("model", {})
        if not {"span", "dropout", "dropout_at"} <= model.keys() or words.missing(trial["test_loss"]):
            continue
        rate = model["dropout"]
        site = model["dropout_at"] if rate else None
        same = {key: trial[key] for key in ("id", "connection", "depth", "seed", "test_loss")}
        varied = ("seed", *(f"model.{key}" for key in ("dropout", "dropout_at", "span", "depth")))
        apart = (*varied, *records.tuned)
        rest = [leaf for leaf in leaves(records.settings[trial["id"]]) if leaf[0] not in apart]
        rows.append({**same, "span": model["span"], "site": site, "rate": rate, "rest": repr(rest)})
    columns = ["id", "connection", "depth", "seed", "test_loss", "span", "site", "rate", "rest"]
    return pd.DataFrame(rows, columns=columns)


def table(records: Records) -> Table | None:
    """Rows: depth x site x rate x span. None without networks of both kinds with and without dropout."""
    found = list(_rows(cells(records)))
    if not found:
        return None
    columns = (
        text("place", "Dropout at"),
        number("rate", "p", lambda x: words.fixed(x, 2)),
        integer("span", "Span"),
        integer("depth", "Depth"),
        integer("n", "n"),
        number("with_shortcut", "With shortcuts", _nats),
        number("without", "Without", _nats),
        number("interaction", "Interaction", _nats),
        Column("95 % interval", lambda r: _interval(r["low"], r["high"])),
    )
    rows = tuple(row for row, _ in found)
    return Table("synergy", "Dropout and shortcuts", CAPTION, columns, rows, tuple(_sentences(found)))


def _rows(found: pd.DataFrame) -> Iterator[tuple[Row, pd.Series[float]]]:
    """Each row of the table, and its interaction by seed."""
    for _, trials in found.groupby(["depth", "rest"], sort=True):
        dropped = trials[trials["site"].notna() & (trials["span"] > 0)]
        present = set(dropped[["site", "rate", "span"]].itertuples(index=False, name=None))
        for site, rate, span in sorted(present, key=lambda cell: (list(SITES).index(cell[0]), *cell[1:])):
            shortcut, bare = _effect(trials, site, rate, span), _effect(trials, site, rate, 0)
            difference = statistics.difference(shortcut, bare)
            if difference is None:
                continue
            both = (shortcut - bare).dropna()
            row = {
                "site": site,
                "place": SITES[site],
                "rate": float(rate),
                "span": int(span),
                "depth": int(trials["depth"].iloc[0]),
                "n": difference.pairs,
                "with_shortcut": float(shortcut[both.index].mean()),
                "without": float(bare[both.index].mean()),
                "interaction": difference.mean,
                "low": difference.low,
                "high": difference.high,
                "p": difference.p,
            }
            yield row, both


def _effect(trials: pd.DataFrame, site: str, rate: float, span: int) -> pd.Series[float]:
    """By seed, the loss with dropout minus that without, at one span."""
    trials = trials[trials["span"] == span]
    dropped = trials[(trials["site"] == site) & (trials["rate"] == rate)]
    whole = trials[trials["site"].isna()]
    return (_by_seed(dropped) - _by_seed(whole)).dropna()


def _by_seed(trials: pd.DataFrame) -> pd.Series[float]:
    return trials.groupby("seed")["test_loss"].mean()


def _sentences(found: list[tuple[Row, pd.Series[float]]]) -> Iterator[Sentence]:
    for site, place in SITES.items():
        some = [interaction for row, interaction in found if row["site"] == site]
        if not some:
            continue
        mean = pd.concat(some, axis="columns").mean(axis="columns", skipna=False).dropna()
        difference = statistics.difference(mean, 0 * mean)
        if difference is None:
            continue
        badge, tone = verdict(difference)
        what = (
            f"dropout at the {place}: over {words.counted(len(some), 'pair')} of rate and span, it changes "
            f"the test loss by {_nats(difference.mean)} nats {_interval(difference.low, difference.high)} "
            f"with shortcuts, next to what it does without, n = {difference.pairs} paired seeds, "
            f"{words.p(difference.p)}."
        )
        yield Sentence(f"dropout at the {place}", badge, tone, what)


def verdict(found: Difference) -> tuple[str, Tone]:
    """The criterion of the caption."""
    if not found.decided:
        return "undecided", "open"
    return ("synergy", "good") if found.mean < 0 else ("in each other's way", "bad")


def _nats(value: Any) -> str:
    return words.fixed(value, 3, sign=True)


def _interval(low: Any, high: Any) -> str:
    return words.DASH if words.missing(low) or words.missing(high) else f"[{_nats(low)}, {_nats(high)}]"
