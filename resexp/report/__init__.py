"""Reports on an experiment: tables, verdicts and figures, for the terminal and as files of six formats.

The package reads what `store.read` returns and nothing else. Therefore a report can be made during a run, and
on a machine without PyTorch. A new table or figure is one new file in `tables/` or `figures/`.
"""
