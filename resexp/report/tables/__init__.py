"""The tables of a report, one per file. Each file has `table(records)`, which returns a `Table` or None.

`resexp/report/sections.py` finds the files and says what else they may define, such as ORDER.
"""
