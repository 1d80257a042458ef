"""One table per file, with `ORDER: int` and `table(records)`, which returns a `Table` or None.

`resexp/report/sections.py` finds the files, and says what else each may state.
"""
