"""One table per file, with `ORDER: int` and `table(records)`, which returns a `Table` or None."""
