"""The notebooks in examples/ run from their first cell to their last."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
SMALL = [
    "model.connection=plain,residual",
    "training.epochs=1",
    "data.train_size=100",
    "model.width=4",
    "model.depth=8,14",
    "seed=0",
]


@pytest.mark.parametrize("name", ["degradation", "results"])
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell with the tag `parameters` gets a smaller sweep, as papermill would do it."""
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.read(ROOT / f"examples/{name}.ipynb", as_version=4)
    (cell,) = (each for each in notebook.cells if "parameters" in each.metadata.get("tags", []))
    cell.source = f"overrides = {SMALL}"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(each.execution_count for each in notebook.cells if each.cell_type == "code")
    said = "".join(str(output) for each in notebook.cells for output in each.get("outputs", ()))
    assert {"degradation": "| plain ", "results": "test images are wrong"}[name] in said


@pytest.mark.parametrize("name", ["degradation", "results"])
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    notebook = nbformat.read(ROOT / f"examples/{name}.ipynb", as_version=4)
    assert not any(each.get("outputs") for each in notebook.cells)
