"""One format per file, with `render(report) -> str`."""
