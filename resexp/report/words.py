"""Numbers and values as text for a reader. A missing number is a dash, never 0."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from resexp.text import MEANINGS, called
from resexp.text import clean as printable

DASH = "–"
MINUS = "−"
MOST_DECIMALS = 9
"""No difference is shown with more decimals."""
Missing = float | int | None


def missing(value: Any) -> bool:
    """True for None, NaN and pandas' NA."""
    return not isinstance(value, dict | list | tuple) and bool(pd.isna(value))


def fixed(value: Missing, digits: int = 2, *, sign: bool = False) -> str:
    """A fixed-point number with a true minus sign, never -0; a dash if it is missing."""
    if value is None or missing(value):
        return DASH
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if not float(text):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def percent(fraction: Missing, digits: int = 2) -> str:
    """A fraction as a percentage, without the percent sign: 0.861 -> 86.10."""
    return DASH if fraction is None or missing(fraction) else fixed(100 * fraction, digits)


def brief(fraction: float) -> str:
    """A fraction as a percentage with one decimal, or with two if it is below 1 percent."""
    return percent(fraction, 1 if fraction >= 0.01 else 2)


def spread(
    mean: Missing, sd: Missing, digits: int = 2, shown: Callable[[Missing, int], str] = percent
) -> str:
    """Fractions as percentages: `86.10 ± 1.20`, or only the mean if there is no standard deviation. With
    `shown=fixed`, numbers are shown as they are.
    """
    return shown(mean, digits) + ("" if missing(sd) else f" ± {shown(sd, digits)}")


def interval(low: Missing, high: Missing, digits: int = 2) -> str:
    """Two fractions as percentages: [80.10, 90.20]. They have more digits if `decimals` says so."""
    if low is None or high is None or missing(low) or missing(high):
        return DASH
    digits = decimals(low, high, digits)
    return f"[{percent(low, digits)}, {percent(high, digits)}]"


def decimals(low: float | None, high: float | None, digits: int) -> int:
    """With how many decimals a difference is shown in points: `digits`, or more if the interval excludes 0
    and one of its ends would be shown as 0.
    """
    low, high = low or 0.0, high or 0.0
    least = min(abs(low), abs(high)) if low > 0 or high < 0 else 1.0
    while digits < MOST_DECIMALS and not float(f"{100 * least:.{digits}f}"):
        digits += 1
    return digits


def points(fraction: Missing, digits: int = 2) -> str:
    """A difference of fractions in percentage points, with its sign: 0.0123 -> +1.23."""
    return DASH if fraction is None or missing(fraction) else fixed(100 * fraction, digits, sign=True)


def probability(p: Missing) -> str:
    """Three decimals, but never 0: 0.034, <0.001."""
    return "<0.001" if p is not None and p < 0.0005 else fixed(p, 3)


def p(value: Missing) -> str:
    """A p value for a sentence: p = 0.034, p <0.001."""
    shown = probability(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def whole(value: Missing) -> str:
    """A whole number in groups of three digits: 1 727 962."""
    return DASH if value is None or missing(value) else f"{int(value):,}".replace(",", "\u202f")


def scientific(value: Missing) -> str:
    """Two digits and a power of ten: 3.7e+06. Exactly 0 is shown as 0."""
    if value is None or missing(value):
        return DASH
    if math.isinf(value):
        return "∞"
    return "0" if value == 0 else f"{value:.1e}".replace("-", MINUS)


def scaled(value: Missing) -> str:
    """Three digits with a decimal prefix: 853018 -> 853 k."""
    if value is None or missing(value):
        return DASH
    for limit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * limit:
            return f"{value / limit:#.{4 if value >= 999.5 * limit else 3}g}".rstrip(".") + f" {prefix}"
    return f"{value:.3g}"


def duration(seconds: Missing) -> str:
    """A duration in a fitting unit: 22.4 ms, 13.3 s, 2.2 min, 1.8 h."""
    if seconds is None or missing(seconds):
        return DASH
    units = ((1, 1e-3, "ms"), (100, 1, "s"), (6000, 60, "min"), (math.inf, 3600, "h"))
    value, name = next((seconds / unit, name) for limit, unit, name in units if seconds < limit)
    return f"{value:.{0 if value >= 99.5 else 1}f} {name}"


def counted(n: int, noun: str) -> str:
    """`1 trial`, `3 trials`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def joined(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def listed(items: Sequence[str], most: int = 6) -> str:
    """The items joined. If there are more than `most`, only the first are named and the rest are counted."""
    return joined(items if len(items) <= most else [*items[: most - 1], f"{len(items) - most + 1} more"])


def introduced(sentences: Sequence[str], labels: Iterable[str]) -> list[str]:
    """The sentences of one passage, in which the first mention of a connection whose name could be misread
    also says what it is, such as "skip (concatenation)". Only whole labels of variants are such mentions.
    """
    told = list(sentences)
    whole = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    label = re.compile(rf"(?<![\w-])(?<!long )({whole})(?![\w-])( \([^()]*\))?")
    for kind in MEANINGS if whole else ():
        for number, text in enumerate(told):
            named = (each for each in label.finditer(text) if each[1].partition(" (")[0] == kind)
            if found := next(named, None):
                told[number] = text[: found.start()] + called(found[0]) + text[found.end() :]
                break
    return told


def by_value(name: str) -> list[tuple[float, str]]:
    """A key that sorts names like their texts, but numbers in them by value: m2 before m10. The hyphen of a
    name such as resnet-20 is no minus sign.
    """
    parts = re.split(r"((?:(?<!\w)-)?\d+(?:\.\d+)?)", name)
    return [(float(part), "") if place % 2 else (math.inf, part) for place, part in enumerate(parts)]


def short(key: str) -> str:
    """The last part of a dotted key: `lr` for training.optimizer.lr."""
    return key.rpartition(".")[2]


def choice(value: Any) -> str:
    """A swept value as text: a part as its kind and options, and a number with at most six digits."""
    if isinstance(value, dict):
        options = ", ".join(f"{clean(key)}={choice(value[key])}" for key in value if key != "kind")
        kind = clean(value.get("kind", ""))
        return f"{kind} ({options})" if kind and options else kind or options
    if missing(value):
        return DASH
    return f"{value:g}" if isinstance(value, float) else clean(value)


def clean(text: Any) -> str:
    """The text on one line, with control and format characters and lone surrogates escaped.

    Such characters could move a terminal's cursor or reverse text. UTF-8 files cannot contain surrogates.
    """
    found = str(text)
    if found.isprintable():
        return found
    spaced = re.sub(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]+", " ", found)
    return "".join(c if c.isspace() else printable(c) for c in spaced)


def plain_value(value: Any) -> Any:
    """The value as JSON data, without numpy and pandas scalars. NaN and infinity become None, and values of
    types that JSON does not have become text.
    """
    if isinstance(value, dict):
        return {str(k): plain_value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str)) else None if missing(value) else str(value)
