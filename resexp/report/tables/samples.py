"""Texts that language models generate."""

from __future__ import annotations

from resexp.report import frames, words
from resexp.report.table import Row, Table, places, text
from resexp.store import Records

ORDER = 22
CAPTION = (
    "Texts that the trained networks generate: each character is drawn from the distribution that the "
    "network predicts. They are from the first seed of each variant at its greatest depth. The end of a line "
    "is shown as ⏎."
)


def table(records: Records) -> Table | None:
    """Rows: variant x sample. None if no network generates text."""
    done = frames.done(records.trials)
    if "samples" not in done or done["samples"].isna().all():
        return None
    rows: list[Row] = []
    for variant, group in frames.by_variant(done.dropna(subset=["samples"])):
        trial = group[group["depth"] == group["depth"].max()].sort_values("seed").iloc[0]
        for number, sample in enumerate(trial["samples"], 1):
            shown = words.clean(sample.replace("\n", "⏎"))
            row = {"variant": variant, "depth": int(trial["depth"]), "n": 1, "number": number, "text": shown}
            rows.append({**row, "connection": str(trial["connection"]), "seed": int(trial["seed"])})
    return Table("samples", "Samples", CAPTION, places(text("text", "Text")), tuple(rows))
