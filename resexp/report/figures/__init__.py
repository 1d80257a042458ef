"""One figure per file, with `ORDER`, `TITLE`, `CAPTION` and `figure(records) -> Figure | None`."""
