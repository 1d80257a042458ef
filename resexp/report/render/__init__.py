"""The formats of a report. Each has a file of its own with a function `render(report) -> str`."""
