"""Whether dropout and shortcuts help each other: the interaction of their effects on the test loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from resexp.plan.dotted import leaves
from resexp.plan.status import Status
from resexp.report import frames, statistics, words
from resexp.report.statistics import Estimate
from resexp.report.table import Column, Row, Sentence, Table, estimate_cells, integer, number, text
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 22
LEADS = True
SITES = {
    "attention": "attention",
    "mlp": "MLP",
    "both": "attention and MLP",
    "branch": "branch output",
    "skip": "shortcut",
}
CAPTION = (
    "How much dropout at rate p changes the test loss (in nats) of networks with shortcuts, and of the "
    "same networks without shortcuts. A negative change is an improvement. The span is the number of sub-"
    "layers that a shortcut crosses. The interaction is the change with shortcuts minus the change "
    "without them, over n seeds per kind of network: with and without shortcuts, each with and without "
    "dropout. Its 95 % interval is Student's (unequal variances, unpaired seeds). Dropout at a site has "
    "synergy with shortcuts if three things hold: the interaction, averaged over rates and spans, is "
    "negative; its interval excludes 0; and dropout lowers the loss of networks with shortcuts, averaged "
    "likewise, by an interval that excludes 0. The two are in each other's way if that average is "
    "positive and its interval excludes 0. Dropout on the shortcut itself has no interaction, because a "
    "network without shortcuts has no such site. The last column counts how many of the four kinds have a"
    " mean test loss that is not below that of a trigram count on the same text. Such a network has not "
    "learned its text, and what dropout does to it is no regularisation. If there is one, the verdict is "
    "undecided. A diverged network is in no mean, and if there is one, no verdict rests on the means."
)

OPEN = "whether it has synergy with shortcuts is undecided"
TOLD = {
    Verdict.SYNERGY: "it has synergy with shortcuts",
    Verdict.IN_THE_WAY: "it and shortcuts are in each other's way",
    Verdict.UNDECIDED: OPEN,
}
"""How a sentence ends. Not every format shows its badge."""


def cells(records: Records) -> pd.DataFrame:
    """One row for each trained transformer.

    Columns: id, connection, depth, seed, test_loss, span, site, rate, trigram, diverged, rest. `site` and
    `rate` are the site and the rate of dropout; without dropout, `site` is None. `trigram` is the loss of a
    trigram count, or NaN. `rest` names the other settings in which these transformers differ; it is "" if
    they differ in no other setting.
    """
    found = _of_trials(records)
    return found[~found["diverged"]]


def _of_trials(records: Records) -> pd.DataFrame:
    """The rows of `cells`, and those of the transformers that diverged."""
    rows, others = [], []
    for trial in frames.ended(records.trials).to_dict("records"):
        model = records.settings.get(trial["id"], {}).get("model", {})
        diverged = trial["status"] == Status.DIVERGED
        if not {"span", "dropout", "dropout_at"} <= model.keys():
            continue
        if words.missing(trial["test_loss"]) and not diverged:
            continue
        rate = model["dropout"]
        site = model["dropout_at"] if rate else None
        same = {key: trial[key] for key in ("id", "connection", "depth", "seed", "test_loss")}
        varied = ("seed", *(f"model.{key}" for key in ("dropout", "dropout_at", "span", "depth")))
        apart = (*varied, *records.tuned)
        counted: Any = trial.get("trigram_loss")
        trigram = float("nan") if words.missing(counted) else float(counted)
        place = {"span": model["span"], "site": site, "rate": rate, "trigram": trigram, "diverged": diverged}
        rows.append({**same, **place})
        others.append({k: v for k, v in leaves(records.settings[trial["id"]]) if k not in apart})
    columns = [*("id", "connection", "depth", "seed", "test_loss"), *("span", "site", "rate", "trigram")]
    frame = pd.DataFrame(rows, columns=[*columns, "diverged"]).assign(rest=_told_apart(others))
    return frame.astype({"diverged": bool})


def _told_apart(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """A label for the settings of each trial, made of the values that differ between the trials."""
    paths = dict.fromkeys(path for own in settings for path in own)
    differing = [path for path in paths if len({repr(own.get(path)) for own in settings}) > 1]
    last = Counter(map(words.short, differing))
    names = {path: words.short(path) if last[words.short(path)] == 1 else path for path in differing}
    return [", ".join(f"{name}={own.get(path)}" for path, name in names.items()) for own in settings]


def table(records: Records) -> Table | None:
    """Rows: depth x other settings x site x rate x span. None if there is no row.

    A row needs networks with shortcuts, with dropout and without it. Unless the site is the shortcut, it also
    needs networks without shortcuts, with dropout and without it.
    """
    level = statistics.level_of(records)
    trials = _of_trials(records)
    found = list(_rows(trials[~trials["diverged"]], level))
    if not found:
        return None
    several = len({row["rest"] for row, _ in found}) > 1
    counted = any(row["unlearned"] is not None for row, _ in found)
    columns = (
        text("place", "Dropout at"),
        *((text("rest", "Among"),) if several else ()),
        number("rate", "p", lambda x: words.fixed(x, 2)),
        integer("span", "Span"),
        integer("depth", "Depth"),
        integer("n", "n"),
        number("with_shortcut", "With shortcuts", _nats),
        number("without", "Without", _nats),
        number("interaction", "Interaction", _nats),
        Column("95 % interval", lambda r: _interval(r["low"], r["high"])),
        *((integer("unlearned", "No better than counting"),) if counted else ()),
    )
    rows = tuple(row for row, _ in found)
    sentences = tuple(_sentences(found, trials[trials["diverged"]], level))
    return Table("synergy", "Dropout and shortcuts", CAPTION, columns, rows, sentences)


Cells = list[pd.Series]
"""Four samples of test losses: with shortcuts and dropout, with shortcuts alone, with dropout alone, with
neither. If dropout is on the shortcuts, there are only the first two.
"""
INTERACTION = (1.0, -1.0, -1.0, 1.0)
"""The weights of these samples in the interaction."""


def _rows(found: pd.DataFrame, level: float) -> Iterator[tuple[Row, Cells]]:
    """Each row of the table, with the losses from which it is computed."""
    for _, trials in found.groupby(["depth", "rest"], sort=True):
        dropped = trials[trials["site"].notna() & (trials["span"] > 0)]
        present = set(dropped[["site", "rate", "span"]].itertuples(index=False, name=None))
        for site, rate, span in sorted(present, key=lambda cell: (list(SITES).index(cell[0]), *cell[1:])):
            samples = [*_losses(trials, site, rate, span)]
            if crossed := site != "skip":
                samples += _losses(trials, site, rate, 0)
            difference = statistics.contrast(samples, INTERACTION[: len(samples)], level=level)
            if difference is None:
                continue
            row = {
                "site": site,
                "place": SITES[site],
                "rest": str(trials["rest"].iloc[0]),
                "rate": float(rate),
                "span": int(span),
                "depth": int(trials["depth"].iloc[0]),
                "n": difference.n,
                "with_shortcut": float(samples[0].mean() - samples[1].mean()),
                "without": float(samples[2].mean() - samples[3].mean()) if crossed else None,
                **estimate_cells(difference if crossed else None, "interaction", "low", "high", "p"),
                "unlearned": _unlearned(trials, samples),
            }
            yield row, samples


def _unlearned(trials: pd.DataFrame, samples: Cells) -> int | None:
    """How many samples have a mean loss of at least that of a trigram count; None if no count was made."""
    counts = [trials.loc[sample.index, "trigram"].mean() for sample in samples]
    if all(map(pd.isna, counts)):
        return None
    return sum(bool(sample.mean() >= count) for sample, count in zip(samples, counts, strict=True))


def _losses(trials: pd.DataFrame, site: str, rate: float, span: int) -> tuple[pd.Series, pd.Series]:
    """The test losses with dropout and without it, at one span."""
    trials = trials[trials["span"] == span]
    dropped = trials[(trials["site"] == site) & (trials["rate"] == rate)]
    return dropped["test_loss"], trials[trials["site"].isna()]["test_loss"]


def _sentences(found: list[tuple[Row, Cells]], lost: pd.DataFrame, level: float) -> Iterator[Sentence]:
    """One sentence for each site of dropout, depth and combination of other settings.

    Dropout on shortcuts has no sentence, because networks without shortcuts lack that site.
    """
    several = len({row["depth"] for row, _ in found}) > 1
    for site, place in SITES.items():
        by_depth: dict[str, list[tuple[Row, Cells]]] = {}
        for row, samples in found:
            if row["site"] == site and row["interaction"] is not None:
                told = [f"depth {row['depth']}" if several else "", row["rest"]]
                by_depth.setdefault(", ".join(filter(None, told)), []).append((row, samples))
        for where, some in by_depth.items():
            subject = f"dropout at the {place}{f' ({where})' if where else ''}"
            here = lost[(lost["depth"] == some[0][0]["depth"]) & (lost["rest"] == some[0][0]["rest"])]
            if count := int((here["site"].isna() | (here["site"] == site)).sum()):
                gone = f"{words.counted(count, 'network')} of those compared diverged"
                what = f"{subject}: {gone}, so no verdict rests on the means."
                yield Sentence(subject, Verdict.SOME_SEEDS_FAIL.value, Tone.OPEN, what)
            elif any(row["unlearned"] for row, _ in some):
                what = f"{subject}: some networks compared are no better than a trigram count, so {OPEN}."
                yield Sentence.of(subject, Verdict.UNDECIDED, what)
            else:
                yield _sentence(subject, [samples for _, samples in some], level)


def _sentence(subject: str, some: list[Cells], level: float) -> Sentence:
    difference = _mean_contrast(some, INTERACTION, level)
    more = "or more " if len({len(sample) for four in some for sample in four}) > 1 else ""
    p = f", {words.p(difference.p)}" if difference.p is not None else ""
    what = (
        f"{subject}: over {words.counted(len(some), 'pair')} of rate and span, its change of the test loss "
        f"with shortcuts, minus that without them, is {_nats(difference.value)} nats "
        f"{_interval(difference.low, difference.high)}, n = {difference.n} seeds {more}of each{p}"
    )
    found = verdict(difference)
    told = TOLD[found]
    change = _mean_contrast(some, INTERACTION[:2], level)
    if found is Verdict.SYNERGY and not (change.decided and change.value < 0):
        seen = f"{_nats(change.value)} nats {_interval(change.low, change.high)}"
        found = Verdict.UNDECIDED
        told = f"{OPEN}, because dropout is not shown to lower the loss with shortcuts ({seen})"
    return Sentence.of(subject, found, f"{what}; {told}.")


def _mean_contrast(some: list[Cells], signs: Sequence[float], level: float) -> Estimate:
    """The mean of several sums of samples with these signs, which are `INTERACTION` or its first two.

    The same networks without dropout take part in several sums. These networks are one sample, so its weights
    in these sums are summed.
    """
    weights: dict[tuple[int, ...], float] = {}
    samples: dict[tuple[int, ...], pd.Series] = {}
    for four in some:
        for sample, sign in zip(four, signs, strict=False):
            nets = tuple(sample.index)
            samples[nets] = sample
            weights[nets] = weights.get(nets, 0.0) + sign / len(some)
    found = statistics.contrast(list(samples.values()), list(weights.values()), level=level)
    assert found is not None  # every interaction has all of its cells
    return found


def verdict(found: Estimate) -> Verdict:
    """The verdict on an interaction, by the caption's criterion for it."""
    if not found.decided:
        return Verdict.UNDECIDED
    return Verdict.SYNERGY if found.value < 0 else Verdict.IN_THE_WAY


def _nats(value: Any) -> str:
    return words.fixed(value, 3, sign=True)


def _interval(low: Any, high: Any) -> str:
    return words.DASH if words.missing(low) or words.missing(high) else f"[{_nats(low)}, {_nats(high)}]"
