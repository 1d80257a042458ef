"""What depth buys: which networks have the least error for their cost, and what each step in depth gains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from resexp.plan.status import Status
from resexp.report import (
    confounded,
    corrections,
    failed_seeds,
    frames,
    fronts,
    naming,
    splits,
    statistics,
    words,
)
from resexp.report.table import (
    Column,
    Sentence,
    Table,
    as_given,
    estimate,
    estimate_cells,
    number,
    places,
    spread,
    spread_cells,
)
from resexp.report.verdict import Tone, Verdict
from resexp.store import Records

ORDER = 45
FEWEST_DEPTHS = 4
COSTS = {"params": "P", "macs": "M", "seconds": "T"}
PROTOCOL = " of the last epoch"
FRONT = (
    " A network is on the front if no other one on the same data has both a lower or equal mean {error} and "
    "a lower or equal cost: parameters (P), multiply-accumulates (M) or a trial's whole time on this "
    "machine (T). Of networks with the same error and cost, only the first in the table is on the front."
)
MIXED = " A network of which some seeds failed and others trained is on no front."
CAPTION = (
    f"Test {{error}}{PROTOCOL}, as mean ± standard deviation over n seeds.{FRONT} The gain is how much lower "
    "the test {error} is than at the next shallower depth, in points, with a 95 % interval by Student's t "
    "(unequal variances, unpaired seeds). The p is that of the same test, after Holm's correction for "
    "the steps of one connection. A step pays if it has a positive gain, its p is at most 0.05, and the test "
    "{error} is lower than at every shallower depth of the connection, by intervals that exclude 0. Of a "
    "depth with fewer than three seeds, which has no interval, only the mean is compared. A step that does "
    "not pay may still have a gain. Depth hurts if the deepest network has a greater test {error} than some "
    "shallower one, by an interval that is corrected for having looked at all of them (Bonferroni)."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no network was trained, or if no variant has four finished depths, the
    fewest that show a trend.
    """
    deepest = frames.ended(records.trials).groupby("variant", observed=True)["depth"].max()
    done = frames.done(records.trials).dropna(subset=["test_error"])
    if (
        done.empty
        or not frames.trained(records)
        or done.groupby("variant", observed=True)["depth"].nunique().max() < FEWEST_DEPTHS
    ):
        return None
    tested = pd.factorize(frames.test_data(records, done))[0]
    level = statistics.level_of(records)
    ended = frames.ended(records.trials)
    every = {(variant, depth): trials for variant, depth, trials in frames.by_depth(ended)}
    groups = frames.by_variant(done.assign(tested=tested))
    rows = [row for _, group in groups for row in _steps(group, every, level)]
    for cost, name in COSTS.items():
        for found in fronts.of(rows, cost):
            for row in found:
                row["front"].append(name)
    costs = (
        number("macs", "MACs", words.scaled),
        Column("Front", lambda r: " ".join(r["front"]), numeric=False),
    )
    measure = naming.measure_of(records)
    costly = any(row["front"] for row in rows)
    columns = (
        *places(),
        spread("test_error", f"Test {measure.name}"),
        *(costs if costly else ()),
        *estimate("gain", "Gain"),
        number("p", "p (Holm)", words.probability),
    )
    lost = ended[ended["status"] != Status.DONE]
    sentences: list[Sentence] = []
    for v, group in _by_variant(rows):
        said = _sentence(v, group, int(deepest[v]), measure.name, level)
        said = _counted(said, lost[lost["variant"] == v], group[-1]["depth"])
        sentences += confounded.told(records, done[done["variant"] == v], [said])
    front = FRONT + MIXED * any(row["mixed"] for row in rows)
    caption = as_given(records, CAPTION.replace(FRONT, front if costly else ""), PROTOCOL)
    caption = f"{caption} {splits.caption(records)}"
    return Table("pareto", "What depth buys", caption, columns, tuple(rows), tuple(sentences))


def _by_variant(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        if len(mine) > 1:
            yield variant, mine


def _steps(
    group: pd.DataFrame, ended: Mapping[tuple[str, int], pd.DataFrame], level: float
) -> list[dict[str, Any]]:
    """One variant's rows from the shallowest depth to the deepest, each compared with the one before.

    `ended` has the trials of every variant and depth, and those that diverged or failed, too.
    """
    rows: list[dict[str, Any]] = []
    errors: dict[int, pd.Series[float]] = {}  # without the mixed depths
    examples, overlap = frames.examples(group, "test"), splits.overlap(group, "test_error")
    for place in frames.by_depth(group):
        variant, depth, trials = place
        before = errors.get(rows[-1]["depth"]) if rows else None
        gain = loss = None
        mixed = failed_seeds.mixed(ended[variant, depth])
        if not mixed:
            errors[depth] = trials["test_error"]
            loss = statistics.degradation(errors, depth, examples=examples, overlap=overlap, level=level)
            if before is not None:
                gain = statistics.difference(
                    before, errors[depth], examples=examples, overlap=overlap, level=level
                )
        rows.append(
            {
                **frames.row_keys(place),
                **spread_cells("test_error", trials["test_error"]),
                **{cost: frames.value(trials[cost].median()) for cost in COSTS},
                "tested": int(trials["tested"].iloc[0]),
                "front": [],
                "mixed": mixed,
                "lost": int((ended[variant, depth]["status"] != Status.DONE).sum()),
                "one_class": failed_seeds.one_class(trials, "test"),
                **estimate_cells(gain, "gain", "gain_low", "gain_high", "p"),
                "pays": False,
                "best_shallower": loss.reference if loss else None,
                **estimate_cells(loss, "loss", "loss_low", "loss_high"),
            }
        )
    least = float("inf")
    for row, p in zip(rows, corrections.holm([row["p"] for row in rows]), strict=True):
        row["p"] = p
        row["pays"] = p is not None and p <= 1 - level and row["gain"] > 0
        row["pays"] = row["pays"] and row["loss_high"] < 0 and row["test_error_mean"] <= least
        least = least if row["mixed"] else min(least, row["test_error_mean"])
    return rows


def _counted(said: Sentence, lost: pd.DataFrame, deepest: int) -> Sentence:
    """The sentence, followed by the number of lost trials at the depths that it compares."""
    count = int((lost["depth"] <= deepest).sum())
    told = f" Not counted: {words.counted(count, 'trial')} that diverged or failed." if count else ""
    return replace(said, text=said.text + told)


def _sentence(variant: str, rows: list[dict[str, Any]], tried: int, error: str, level: float) -> Sentence:
    """The sentence on the depth up to which more depth pays.

    `rows` are the depths at which a trial finished, and `tried` is the greatest depth that was tried.
    """
    if settled := _without_steps(variant, rows, error):
        return settled
    paying = [place for place, row in enumerate(rows) if row["pays"]]
    last = paying[-1] if paying else 0
    skipped = [str(row["depth"]) for row in rows[last + 1 :] if row["gain_low"] is None]
    judged = "judged step" if skipped else "step"
    depth, deepest = rows[last]["depth"], rows[-1]["depth"]
    if paying:
        row = rows[last]
        gain = f"{words.points(row['gain'])} points {words.interval(row['gain_low'], row['gain_high'])}"
        step = f"the step from depth {rows[last - 1]['depth']} to {depth} lowers the test {error} by {gain}"
    else:
        step = f"no {judged} from depth {depth} on {_unpaid(rows, f'the test {error}', level)}"
    if last == len(rows) - 1 and tried > deepest:
        said = f"{variant}: {step}; no deeper network, up to depth {tried}, finished."
        return Sentence(variant, f"pays up to {deepest}", Tone.OPEN, said)
    if last == len(rows) - 1:
        said = f"{variant}: {step}; this is the last step."
        return Sentence(variant, f"pays up to {deepest}", Tone.GOOD, said)
    if paying:
        step += f", and no later {judged} {_unpaid(rows[last + 1 :], 'it', level)}"
    badge = f"pays up to {depth}" if paying else "no step pays"
    left_out = f" {_not_judged(skipped)}" if skipped else ""
    if rows[last]["mixed"]:  # its mean describes no network
        return Sentence(variant, badge, Tone.OPEN, f"{variant}: {step}.{left_out}")
    change = rows[last]["test_error_mean"] - rows[-1]["test_error_mean"]
    cost = rows[-1]["macs"] / rows[last]["macs"] if rows[last]["macs"] and rows[-1]["macs"] else None
    times = f" at {words.fixed(cost, 1)} times the multiply-accumulates" if cost else ""
    size = f"{words.percent(abs(change))} points {'less' if change > 0 else 'more'} {error} than"
    size = size if change else f"the same mean {error} as"
    said = f"{variant}: {step}; depth {deepest} has {size} depth {depth}{times}.{left_out}"
    return Sentence(variant, badge, Tone.OPEN, said)


def _not_judged(depths: list[str]) -> str:
    """A sentence on the steps to these depths, which were not tested."""
    steps, verb = ("step", "is") if len(depths) == 1 else ("steps", "are")
    return (
        f"The {steps} to depth {words.listed(depths)} {verb} not judged, because on one side there are fewer "
        "than three seeds, or some failed and others trained."
    )


def _without_steps(variant: str, rows: list[dict[str, Any]], error: str) -> Sentence | None:
    """The sentence if the deepest network alone decides it, or if no step in depth can be judged."""
    deep, deepest = rows[-1], rows[-1]["depth"]
    if deep["mixed"]:
        said = (
            f"{variant}: at depth {deepest} some seeds failed and others trained, so nothing is said of the "
            "mean there."
        )
        # Failed seeds leave open what depth buys, so this is not bad news.
        return Sentence(variant, Verdict.SOME_SEEDS_FAIL.value, Tone.OPEN, said)
    if all(row["gain_low"] is None for row in rows):
        said = f"{variant}: no step in depth has three seeds on both sides, the fewest that decide anything."
        if any(row["mixed"] or row["n"] < statistics.LEAST <= row["n"] + row["lost"] for row in rows):
            said = f"{variant}: at every step in depth, some seeds failed or there are fewer than three."
            return Sentence(variant, Verdict.SOME_SEEDS_FAIL.value, Tone.OPEN, said)
        return Sentence.of(variant, Verdict.TOO_FEW_SEEDS, said)
    if narrow := failed_seeds.of_one_class(deep["one_class"], deep["n"], deepest):
        return Sentence.of(variant, Verdict.ONE_CLASS, f"{variant}: {narrow}, so depth buys nothing there.")
    if deep["loss_low"] is not None and deep["loss_low"] > 0:
        said = (
            f"{variant}: depth hurts. At depth {deepest} the test {error} is "
            f"{words.percent(deep['loss'])} points {words.interval(deep['loss_low'], deep['loss_high'])} "
            f"higher than at depth {deep['best_shallower']}."
        )
        return Sentence.of(variant, Verdict.DEPTH_HURTS, said)
    return None


def _unpaid(rows: list[dict[str, Any]], what: str, level: float) -> str:
    """What is said of the steps to these rows, none of which pays. `what` is what a step would lower."""
    lowers = f"lowers {what} by more than chance"
    lower = [row for row in rows if row["p"] is not None and row["p"] <= 1 - level and row["gain"] > 0]
    if alike := [row for row in lower if row["loss"] <= 0 <= row["loss_high"]]:
        row = alike[-1]
        loss = f"{words.points(row['loss'])} points {words.interval(row['loss_low'], row['loss_high'])}"
        return (
            f"pays: the step to depth {row['depth']} {lowers}, but no lower than the least of the shallower "
            f"depths by more than chance ({loss} against depth {row['best_shallower']})"
        )
    return f"pays: where one {lowers}, a shallower network has less" if lower else lowers
