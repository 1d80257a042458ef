"""Lines are told apart by colour, marker and dash, and a connection keeps its own wherever it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import trial
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from resexp.catalog import scan
from resexp.report.build import build
from resexp.report.figures import shattering
from resexp.report.frames import CONNECTIONS
from resexp.report.style import DASHES, HUES, MOMENTS, REFERENCE, log_axis, look, looks, title
from resexp.store import Records


def test_one_colour_a_connection_and_another_marker_a_variant(make: Callable[..., Records]) -> None:
    rows = [
        trial("plain", 8, 0),
        trial("residual", 8, 0),
        trial("residual", 8, 1, variant="residual (order=pre)"),
    ]
    records = build(make(rows)).records
    found = looks(records, records.trials)
    assert list(found) == ["plain", "residual", "residual (order=pre)"]
    assert found["residual"].color == found["residual (order=pre)"].color != found["plain"].color
    assert len({shown.marker for shown in found.values()}) == 3
    assert len({str(shown.dash) for shown in found.values()}) == 3
    # A figure that shows fewer of them shows them alike.
    assert looks(records, records.trials[records.trials["seed"] == 1]) == dict(list(found.items())[-1:])


def test_every_connection_of_the_package_is_known_without_its_colour() -> None:
    kinds = set(scan.parts("connection"))
    assert set(CONNECTIONS) <= kinds
    assert len({str(look(kind)) for kind in kinds}) == len(kinds)  # also of those that are not listed
    found = [(look(kind).color, look(kind).marker, str(look(kind).dash)) for kind in CONNECTIONS]
    for one, other in combinations(found, 2):
        assert sum(a == b for a, b in zip(one, other, strict=True)) <= 1
    variants = [
        (look(kind, n).color, look(kind, n).marker, str(look(kind, n).dash))
        for kind in CONNECTIONS
        for n in range(12)
    ]
    assert len(set(variants)) == len(variants)


def test_a_plugins_connection_looks_the_same_whatever_stands_beside_it(make: Callable[..., Records]) -> None:
    names = {"plain": "mine", "residual": "another"}
    for rows in (
        [trial("plain", 8, 0)],
        [trial("plain", 8, 0), trial("residual", 8, 0), trial("skip", 8, 0)],
    ):
        records = make(rows)
        trials = records.trials.replace({"connection": names, "variant": names})
        records = build(replace(records, trials=trials)).records
        assert looks(records, records.trials)["mine"] == look("mine")


def test_dots_mean_initialisation_in_every_figure() -> None:
    def dotted(dash: Any) -> bool:
        return dash in (":", "dotted") or (not isinstance(dash, str) and max(dash[1][::2]) < 2)

    assert [moment for moment, dash in MOMENTS.items() if dotted(dash)] == ["init"]
    assert MOMENTS["end"] == "-"
    laws = [dash for dash, _ in shattering.LAWS]
    assert not any(dotted(dash) for dash in (*DASHES, REFERENCE, *laws))
    sources = [path.read_text(encoding="utf-8") for path in Path(shattering.__file__).parent.glob("*.py")]
    assert not [text for text in sources if re.search(r"""(linestyle|ls)"?[:=] ?["'](:|dotted)["']""", text)]


# Machado, Oliveira and Fernandes 2009, table 1, at severity 1: linear RGB as such a reader sees it.
BLIND = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = np.array(
    [(0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)]
)


def linear(color: str) -> np.ndarray:
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(color: str, matrix: Any) -> np.ndarray:
    x, y, z = np.cbrt(XYZ @ np.clip(np.array(matrix) @ linear(color), 0, 1) / (0.95047, 1, 1.08883))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", BLIND)
def test_colours_stay_apart_for_every_sight(sight: str) -> None:
    for one, other in combinations(HUES, 2):
        assert np.linalg.norm(lab(one, BLIND[sight]) - lab(other, BLIND[sight])) > 10, (one, other)


@pytest.mark.parametrize("paper", ["#ffffff", "#14171b"])
def test_colours_stand_out_from_both_papers(paper: str) -> None:
    for color in HUES:
        low, high = sorted(float((XYZ @ linear(each))[1]) + 0.05 for each in (color, paper))
        assert high / low > 2.8


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("attention_residual", "attention_residual"),
        ("residual (shortcut=pad)", "residual\n(shortcut=pad)"),
        ("a" * 30, "a" * 19 + "\n" + "a" * 11),
    ],
)
def test_a_title_stays_above_its_panel_and_breaks_between_words(text: str, shown: str) -> None:
    axes = Figure().subplots()
    title(axes, text, 4)
    assert (axes.get_title() or axes.get_title("left")) == shown


@pytest.mark.parametrize(
    ("low", "high", "number"),
    [
        (0.001, 1000, r"10[⁻⁰¹²³]+"),
        (0.0035, 0.08, r"0\.0\d+"),
        (0.7, 3.2, r"[123](\.\d)?"),
        (0.011, 0.014, r"0\.01\d+"),
    ],
)
def test_numbers_of_a_logarithmic_axis_are_plain_text_however_short_it_is(
    low: float, high: float, number: str
) -> None:
    axes = Figure().subplots()
    axes.set_ylim(low, high)
    log_axis(axes)
    show = axes.yaxis.get_major_formatter()
    texts = [show(tick) for tick in axes.get_yticks() if low <= tick <= high]
    assert len(texts) > 1
    assert all(re.fullmatch(number, text) for text in texts), texts
    assert not axes.yaxis.get_minorticklocs().size
