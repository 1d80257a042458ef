"""Tables, claims and figures never take trials of different settings for seeds of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from made_up import make_records, of, row, settings, trial

from resexp.report import frames, style
from resexp.report.figures import dropout
from resexp.report.tables import claims, comparisons, published, synergy
from resexp.store import Records

Make = Callable[..., Records]
LR = "training.optimizer.lr"


def at_rates(errors: dict[tuple[str, float], list[float]], **changes: Any) -> list[dict[str, Any]]:
    """Trials by connection and learning rate, one a seed."""
    return [
        trial(kind, 8, seed, test_error=e, id=f"{kind}{lr}-{seed}", variant=f"{kind} (lr={lr})", **{LR: lr})
        | changes
        for (kind, lr), values in errors.items()
        for seed, e in enumerate(values)
    ]


def claimed(rows: list[dict[str, Any]], key: str = "claims") -> Any:
    residual, plain = {"model.connection": "residual"}, {"model.connection": "plain"}
    claim = {"say": "Plain is worse.", "lower": residual, "higher": plain, "metric": "test_error"}
    claim |= {"source": "A"}
    return of(claims, make_records(rows, published={key: [claim]})).rows[0]


def test_a_claim_compares_what_is_alike_but_for_what_it_speaks_of() -> None:
    rows = at_rates({("plain", 0.1): [0.2, 0.2], ("residual", 0.1): [0.1, 0.1]})
    assert claimed(rows)["difference"] == pytest.approx(0.1)
    # A bad rate that plain alone was tried at would turn the difference; one that both have counts for both.
    alone = at_rates({("residual", 9.0): [0.9, 0.9]})
    assert claimed([*rows, *alone])["difference"] == pytest.approx(0.1)
    both = [*alone, *at_rates({("plain", 9.0): [0.9, 0.9]})]
    assert claimed([*rows, *both])["difference"] == pytest.approx(0.05)


def test_a_published_value_is_not_set_beside_a_mean_over_settings() -> None:
    reference = {"when": {"model.connection": "plain"}, "metric": "test_error", "value": 0.1}
    reference |= {"statistic": "mean", "source": "A"}
    rows = at_rates({("plain", 0.1): [0.2, 0.2], ("plain", 9.0): [0.8, 0.8]})

    def measured(when: dict[str, Any]) -> Any:
        told = {"references": [{**reference, "when": {**reference["when"], **when}}]}  # type: ignore[dict-item]
        (found,) = of(published, make_records(rows, published=told)).rows
        return found["measured"], found["n"]

    assert measured({}) == (None, 0)
    assert measured({LR: 0.1}) == (pytest.approx(0.2), 2)


def test_a_published_value_is_not_judged_by_a_mean_over_depths() -> None:
    rows = [
        trial("plain", depth, seed, test_error=error + seed / 1000)
        for depth, error in ((8, 0.1), (20, 0.06), (56, 0.02))
        for seed in range(3)
    ]
    reference = {"metric": "test_error", "value": 0.06, "statistic": "mean", "source": "A", "tier": "exact"}
    reference |= {"runs": 3, "tolerance": 0.2}

    def judged(when: dict[str, Any]) -> Any:
        number = {**reference, "when": {"model.connection": "plain", **when}}
        paper = {"references": [number], "protocol": {"training.epochs": 6}}
        (found,) = of(published, make_records(rows, published=paper)).rows
        return found["measured"], found["n"], found["verdict"]

    several = (None, 0, "not comparable")
    assert judged({}) == several
    assert judged({"model.depth": [8, 20]}) == several
    one = (pytest.approx(0.061), 3, "reproduced")
    assert judged({"model.depth": 20}) == one
    assert judged({"model.depth": [20, 32]}) == one, "only one of the depths was trained"


def test_errors_on_data_in_two_places_are_not_compared() -> None:
    rows = []
    for root, up in (("/a", 0.0), ("/b", 0.3)):
        for kind, error in (("residual", 0.1), ("plain", 0.2)):
            told = {"data": "image_folder", "data.root": root}
            rows += [
                {**trial(kind, 8, seed, test_error=error + up, **told), "variant": f"{kind} ({root})"}
                | {"id": f"{kind}{root}{seed}"}
                for seed in range(3)
            ]
    records = make_records(rows)  # where the data are swept as a whole, no column has the root
    table = of(comparisons, replace(records, trials=records.trials.drop(columns="data.root")))
    for root in ("/a", "/b"):
        assert row(table, variant=f"plain ({root})", error="test")["difference"] == pytest.approx(0.1)
    assert len({r["variant"] for r in table.rows}) == 2


def test_dropout_s_synergy_is_within_one_optimizer() -> None:
    rows, told = [], {}
    for lr in (0.1, 9.0):
        for span in (0, 1):
            for rate in (0.0, 0.5):
                for seed in range(3):
                    id = f"{lr}-{span}-{rate}-{seed}"
                    one = {**trial("residual", 8, seed, test_loss=lr + span * rate), "id": id}
                    tree = settings(one)
                    tree["model"] |= {"span": span, "dropout": rate, "dropout_at": "branch"}
                    tree["training"]["optimizer"]["lr"] = lr
                    rows.append(one)
                    told[id] = tree
    records = replace(make_records(rows), settings=told)
    table = synergy.table(frames.prepared(records))
    assert table is not None
    assert [(r["n"], r["rest"]) for r in table.rows] == [(3, "lr=0.1"), (3, "lr=9.0")]
    assert [s.subject for s in table.sentences] == [
        f"dropout at the branch output (lr={x})" for x in (0.1, 9.0)
    ]
    assert all("over 1 pair of rate and span" in s.text for s in table.sentences)
    drawn = dropout.figure(frames.prepared(records))
    assert drawn is not None
    means = [sorted({y for line in panel.lines for y in line.get_ydata()}) for panel in drawn.axes]
    assert [values[0] for values in means] == pytest.approx([0.1, 9.0])  # not their mean


def test_legends_are_cut_only_where_they_stay_apart() -> None:
    long = "plain (" + "x" * 100
    assert list(style.distinct(["plain", long], 20).values()) == ["plain", "plain (xxxxxxxxxxxx…"]
    assert list(style.distinct([long + "1", long + "2"], 20).values()) == [long + "1", long + "2"]


def test_a_tuned_value_is_one_candidate_however_it_is_written() -> None:
    rows = at_rates({("plain", 1.0): [0.1], ("plain", 2.0): [0.2]}, variant="plain")
    rows += [{**one, "id": f"{one['id']}b", "seed": 1, LR: int(one[LR])} for one in rows]
    place = make_records(rows).trials.astype({LR: object})
    assert [len(group) for _, group in frames.candidates(place, [LR])] == [2, 2]
