"""Where the real data lie that the project is developed on. Where they are missing, their tests skip."""

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared" / "data"
