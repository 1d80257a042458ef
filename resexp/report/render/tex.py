r"""Turns text into LaTeX that pdflatex can set without further packages."""

from __future__ import annotations

import re
import unicodedata

from resexp.report import words

SIGNS = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"},
    # After \\ or \item, LaTeX would read a bracket or a star as an argument.
    **{"[": "{[}", "]": "{]}", "*": "{*}"},
    **{"\u00a0": "~", "\u202f": r"\,", "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}"},
    **{"“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "‘": r"\textquoteleft{}", "’": "'"},
    "•": r"\textbullet{}",
    **{"ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "ø": r"\o{}", "Ø": r"\O{}"},
    **{"ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "§": r"\S{}"},
}
_NAMES = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda"),
    *("mu", "nu", "xi", "pi", "rho", "sigma", "varsigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
_GREEK = zip("αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _NAMES, strict=True)
MATHS = {
    **{"−": "-", "±": r"\pm", "×": r"\times", "÷": r"\div", "°": r"^\circ", "∞": r"\infty", "√": r"\surd"},
    **{"≤": r"\leq", "≥": r"\geq", "≈": r"\approx", "≠": r"\neq", "∼": r"\sim", "∝": r"\propto"},
    **{"→": r"\to", "←": r"\gets", "↔": r"\leftrightarrow", "↑": r"\uparrow", "↓": r"\downarrow"},
    **{"⇒": r"\Rightarrow", "∈": r"\in", "∂": r"\partial", "∇": r"\nabla", "∑": r"\sum", "∏": r"\prod"},
    **{"∘": r"\circ", "⊙": r"\odot", "‖": r"\Vert", "∥": r"\parallel", "µ": r"\mu", "·": r"\cdot", "′": "'"},
    **{letter: f"\\{name}" for letter, name in _GREEK},
}
ACCENTS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
        "`'^~=u.\"rHvc",
        strict=True,
    )
)
LIKE_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
"""Greek letters that look like Latin ones and have no command in TeX."""


def escape(text: str) -> str:
    """Text in which LaTeX sees no command. A character that it cannot set is replaced by its code: [U+4E2D].

    Text between backticks, with which captions mark code, is set as code. The apostrophe of h' is set as a
    prime. In `n = 3` and `95 %`, the spaces are such that no line ends there.
    """
    text = re.sub(r"(?<=\d) %", "\u00a0%", unicodedata.normalize("NFC", words.clean(text)))
    text = re.sub(r"\b(\w)'(?!\w)", "\\1′", re.sub(r"\bn = (?=\d)", "n\u00a0=\u00a0", text))
    pieces = [_set(piece) for piece in re.split("`([^`]+)`", text)]
    return "".join(rf"\texttt{{{piece}}}" if place % 2 else piece for place, piece in enumerate(pieces))


def _set(text: str) -> str:
    # LaTeX would set the two hyphens of a command-line option as a dash.
    return "".join(map(_character, text)).replace("--", "-{}-")


def _character(c: str) -> str:
    if c in SIGNS:
        return SIGNS[c]
    if c in MATHS:
        return f"${MATHS[c]}$"
    return c if c.isascii() else _letter(c)


def _letter(c: str) -> str:
    """LaTeX for an accented letter, a Greek letter that looks Latin, a superscript or a subscript.

    Any other character is replaced by its code.
    """
    decomposed = unicodedata.normalize("NFD", c)
    base, marks = decomposed[0], decomposed[1:]
    if base.isascii() and marks in ACCENTS:
        return f"\\{ACCENTS[marks]}{{{base}}}"
    if c in LIKE_LATIN:
        return LIKE_LATIN[c]
    kind, _, code = unicodedata.decomposition(c).partition(" ")
    if kind in ("<super>", "<sub>") and " " not in code:
        return rf"\text{kind[1:-1]}script{{{escape(chr(int(code, 16)))}}}"
    return f"{{[}}U+{ord(c):04X}{{]}}"
