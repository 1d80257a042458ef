"""Records -> statistics -> tables, verdicts and figures -> terminal, Markdown, HTML, CSV, JSON, LaTeX.

The package reads the frames of `store.read` and nothing else, so a report can be made during a run and on a
machine without torch. A new table or figure is one new file in `tables/` or `figures/`.
"""
