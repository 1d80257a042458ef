"""The figures of a report, one per file. Each file has `figure(records)`, which returns a `Figure` or None.

`resexp/report/sections.py` finds the files and says what else they may define, such as TITLE and CAPTION.
"""
