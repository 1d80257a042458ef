"""`resexp report` on one screen: verdicts, errors by connection and depth, and how to get the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from made_up import FINAL, trial
from whole_numbers import cut

from resexp.report.build import Report, build
from resexp.report.render import screen, terminal
from resexp.report.table import Sentence
from resexp.report.verdict import Tone
from resexp.store import Records

Make = Callable[..., Records]


def lines(report: Report, width: int = 80) -> list[str]:
    return screen.render(report, width).splitlines()


def test_a_small_report_fits_a_screen_and_the_whole_one_does_not(make: Make) -> None:
    report = build(make([trial(kind, depth, 0) for kind in FINAL for depth in (8, 20)], published={}))
    assert len(lines(report)) <= 24
    assert len(terminal.render(report, 80).splitlines()) > 100


def test_it_has_every_verdict_and_every_error(complete: Records) -> None:
    report = build(complete)
    text = " ".join(screen.render(report).split())
    assert len(lines(report)) <= 40
    assert all(sentence.text.replace("\u00a0", " ") in text for sentence in report.sentences)
    (plain,) = (line.split() for line in lines(report) if line.startswith(" plain "))
    found = complete.trials[complete.trials["connection"] == "plain"].groupby("depth")
    for cell, split in ((1, "train_error"), (3, "test_error")):
        means = [float(plain[cell + 3 * place]) for place in range(3)]
        assert means == pytest.approx(list(100 * found[split].mean()), abs=0.06)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_at_any_width_no_line_is_too_long_and_no_number_cut(width: int, complete: Records) -> None:
    report = build(complete)
    assert max(map(len, lines(report, width))) <= width
    cells = [
        cell for line in lines(report, 200) if " / " in line for cell in line.split() if cell[0].isdigit()
    ]
    assert not cut(cells, screen.render(report, width))


def test_a_lost_trial_is_a_cross_and_its_place_is_no_number(make: Make) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 20, 0, "failed"), trial("residual", 8, 0, "pending")]
    text = screen.render(build(make(rows)))
    (plain,) = (line for line in text.splitlines() if line.startswith(" plain "))
    assert plain.split()[-1] == "×"
    assert "× a trial without a result" in text
    (residual,) = (line for line in text.splitlines() if line.startswith(" residual "))
    assert residual.split()[1:] == ["–", "–"]


def test_many_verdicts_become_a_line_each(make: Make) -> None:
    rows = [
        trial("plain", depth, seed, variant=f"plain ({number})")
        for number in range(12)
        for depth in (8, 20)
        for seed in range(3)
    ]
    report = build(make(rows, published={}))
    assert len(report.sentences) == 12
    text = screen.render(report)
    assert all(f"{sentence.subject}: {sentence.badge}" in text for sentence in report.sentences)
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("width", [50, 80])
def test_a_long_subject_is_cut_and_its_verdict_is_not(width: int, complete: Records) -> None:
    long = Sentence("Deep plain nets are worse " * 9, "direction disagrees", Tone.BAD, "It is not so.")
    report = replace(build(complete), sentences=(long,) * (screen.SENTENCES + 1))
    shown = [line for line in lines(report, width) if "Deep plain nets" in line]
    assert len(shown) == len(report.sentences)
    assert all(line.endswith("… direction disagrees") and len(line) <= width for line in shown)


def test_notes_are_shown_or_counted(make: Make) -> None:
    notes = [f"Row {number} was damaged." for number in range(5)]
    report = build(make([trial("plain", 8, 0)], notes=notes, published={}))
    text = screen.render(report)
    assert notes[0] in text
    assert f"{len(report.notes) - 2} more notes: --section notes" in text


def test_text_without_errors_is_shown_by_its_loss(make: Make) -> None:
    rows = [trial("plain", 8, 0, train_error=None, test_error=None, train_loss=1.5, test_loss=2.25)]
    text = screen.render(build(make(rows)))
    assert "Loss (nats)" in text
    assert "1.50 / 2.25" in text


def test_every_section_has_a_name_of_its_own(report: Report) -> None:
    names = terminal.parts_of(report)
    assert {"verdicts", "setup", "environment", "notes", *(table.key for table in report.tables)} == set(
        names
    )


def test_a_mean_over_seeds_that_failed_and_seeds_that_trained_is_marked(make: Make) -> None:
    rows = [
        {**trial("plain", depth, seed), "train_error": error, "train_chance": 0.9}
        for depth, errors in ((8, (0.01, 0.012, 0.011)), (56, (0.02, 0.021, 0.9)))
        for seed, error in enumerate(errors)
    ]
    text = screen.render(build(make(rows, published={})), 120)
    (row,) = (line for line in text.splitlines() if line.startswith(" plain "))
    assert row.count(screen.MIXED) == 1
    assert row.rstrip().endswith(screen.MIXED), "depth 56"
    assert "some seeds failed and others trained" in text


def test_short_labels_keep_a_row_on_one_line_once_the_equations_have_said_what_they_mean(
    complete: Records,
) -> None:
    report = build(complete)
    bare, long = (
        lines(replace(report, setup=replace(report.setup, rows=rows)), 200)
        for rows in ((("Connection skip (concatenation)", "h' = [S h, f(h)]"),), ())
    )
    assert any(line.startswith(" skip  ") for line in bare)
    assert "skip (concatenation): h' = [S h, f(h)]" in "\n".join(bare)
    assert any(line.startswith(" skip (concatenation)  ") for line in long)
