"""LaTeX: text that is only text, tables within the page, and pdflatex's opinion where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import DEPTHS, FINAL, trial

from resexp.report.build import Report, build
from resexp.report.render import latex
from resexp.report.render.tex import LIKE_LATIN, MATHS, SIGNS, escape
from resexp.store import Records

Make = Callable[..., Records]
PDFLATEX = shutil.which("pdflatex")
EVERYTHING = (
    r"\input{/etc/passwd} \immediate\write18{id} 100 % a_b & c # ~ ^ {} $x^2$ -- --tier [*] `code` |<>|"
    "“é” naïve Jürgen Łukasz Žižek 0.1 ± 0.2 3 × 3 10⁻³ 2⁻ᴸ h₀ α→Ω ≤ ≥ ≈ ∞ √ ‖h‖ – — … 深层 🟢 \x07\u202e"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5 % of $1 #2 {x}", r"a\_b \& 5~\% of \$1 \#2 \{x\}"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("~^|<>", r"\textasciitilde{}\textasciicircum{}\textbar{}\textless{}\textgreater{}"),
        ("[80, 90] *", "{[}80, 90{]} {*}"),
        ("--tier", "-{}-tier"),
        ("1.2 ± 0.3", r"1.2 $\pm$ 0.3"),
        ("−3 × 3 → ∞", r"$-$3 $\times$ 3 $\to$ $\infty$"),
        ("αΩΡ", r"$\alpha$$\Omega$P"),
        ("Jürgen é ç Łódź", r"J\"{u}rgen \'{e} \c{c} \L{}\'{o}d\'{z}"),
        ("e\u0301", r"\'{e}"),
        ("10⁻³ h₀", r"10\textsuperscript{$-$}\textsuperscript{3} h\textsubscript{0}"),
        ("深", "{[}U+6DF1{]}"),
        ("a\x07\u202eb", r"a\textbackslash{}x07\textbackslash{}u202eb"),
        ("`resexp show`", r"\texttt{resexp show}"),
        ("h' = f(h), the block's, n = 3", "h$'$ = f(h), the block's, n~=~3"),
        ("6 · 3.8 s", r"6 $\cdot$ 3.8 s"),
    ],
)
def test_every_sign_is_set_as_itself_or_named(text: str, expected: str) -> None:
    assert escape(text) == expected


@given(st.text())
def test_no_text_is_a_command(text: str) -> None:
    found = escape(text)
    assert found.isascii()
    assert "\n" not in found
    bare = re.sub(r"\\[a-zA-Z]+|\\[^a-zA-Z]", "", found)  # without commands, of which all are this module's
    assert not set(bare) & set("%&#_")
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    known = {"texttt", "textsuperscript", "textsubscript"}
    known |= {
        word for sign in (*SIGNS.values(), *MATHS.values()) for word in re.findall(r"\\([a-zA-Z]+)", sign)
    }
    assert set(re.findall(r"\\([a-zA-Z]+)", found)) <= known | set("rHvcu")


def fragment(report: Report) -> str:
    text = latex.render(report)
    return text[text.index(r"\begin{longtable}") :]


def test_a_table_that_is_too_wide_says_its_first_column_once(make: Make) -> None:
    names = [f"residual (shortcut=projection_everywhere, span={n}, norm=layer)" for n in range(2)]
    rows = [trial("residual", d, s, variant=v) for v in names for d in (8, 20) for s in range(2)]
    text = fragment(build(make(rows)))
    assert (
        r"\multicolumn{5}{l}{\itshape residual (shortcut=projection\_everywhere, span=0, norm=layer)}" in text
    )
    short = fragment(build(make([trial("plain", d, s) for d in (8, 20) for s in range(2)])))
    assert r"\multicolumn" not in short[: short.index(r"\end{longtable}")]


def test_long_text_is_broken_between_its_words(make: Make) -> None:
    cause = "the worker was killed by signal 9, as the kernel does where memory runs out " * 2
    text = fragment(build(make([trial("plain", 8, 0, "failed", cause=cause)])))
    table = text[text.index("Trials without a result") - 300 :]
    assert re.search(r"p\{0\.\d+\\linewidth\}", table)


def test_the_setup_is_a_list_whose_equations_are_not_broken(make: Make) -> None:
    report = build(make([trial("residual", d, s) for d in (8, 20) for s in range(2)]))
    equation = "h' = S h + f(h), in layers.first (kernel_size=3)"
    text = latex.render(replace(report, setup=replace(report.setup, rows=(("Connection", equation),))))
    assert (
        r"\item[Connection] h$'$ = S h + f(h), in layers.\allowbreak{}first (kernel\_\allowbreak{}size=3)"
        in text
    )


def test_tables_of_two_reports_have_different_labels(make: Make) -> None:
    rows = [trial("plain", d, s) for d in (8, 20) for s in range(2)]
    texts = [fragment(build(make(rows, experiment=name))) for name in ("depth_sweep", "0.5 & 1")]
    labels = [re.findall(r"\\label\{(.*?)\}", text) for text in texts]
    assert [each[0] for each in labels] == ["tab:depth-sweep:degradation", "tab:0-5-1:degradation"]
    assert not set(labels[0]) & set(labels[1])


def test_units_have_a_row_of_their_own(make: Make) -> None:
    text = fragment(build(make([trial("plain", d, s) for d in (8, 20) for s in range(2)])))
    assert (
        "Connection & Depth & n & Train error & D(L) & 95~\\% interval \\\\\n &  &  & (\\%) & (points) &"
        in text
    )


def compiled(report: Report, folder: Path) -> str:
    """pdflatex's log of a document that has what the fragment says it needs."""
    assert PDFLATEX is not None
    text = latex.render(report)
    (needs,) = re.findall(r"^% needs: (.*)$", text, re.MULTILINE)
    (folder / "report.tex").write_text(text, encoding="utf-8")
    (folder / "main.tex").write_text(
        "\n".join(
            [r"\documentclass{article}", needs, r"\begin{document}", r"\input{report}", r"\end{document}"]
        )
    )
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main.tex"]
    for _ in range(2):  # longtable measures in the first pass
        ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stdout.decode(errors="replace")[-1500:]
    return ran.stdout.decode(errors="replace")


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex is installed")
def test_a_report_compiles_and_stays_within_the_page(make: Make, tmp_path: Path) -> None:
    longest = " (shortcut=projection_everywhere, span=2, norm=layer, init=delta_orthogonal, match=params)"
    variants = ("", " (pad)", " (shortcut=projection_everywhere, span=2)", longest)
    rows = [
        trial(c, d, s, variant=c + v, id=f"{c}{v}{d}{s}")
        for c in FINAL
        for v in variants
        for d in DEPTHS
        for s in (0, 1)
    ]
    rows[-1] |= {"status": "diverged", "cause": "loss is not finite at step 17"}
    log = compiled(build(make(rows)), tmp_path)
    assert not [float(pt) for pt in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(pt) > 3]
    assert "Label" not in log


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex is installed")
def test_every_sign_compiles(make: Make, tmp_path: Path) -> None:
    signs = "".join([*SIGNS, *MATHS, *LIKE_LATIN])
    rows = [trial("plain", d, 0, variant=f"plain ({EVERYTHING})") for d in (8, 20)]
    records = make(rows, experiment=EVERYTHING, notes=[EVERYTHING, signs])
    log = compiled(build(replace(records, environment={"processor": EVERYTHING})), tmp_path)
    assert "Missing character" not in log
