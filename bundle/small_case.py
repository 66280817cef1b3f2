"""What trying an installation needs: a table of sixty made-up patients, and a random model of 60,000 weights.

`PYTHONPATH=tests python -m bundle.small_case FOLDER` writes `notes.csv` and `model/` there.
"""

import sys
from pathlib import Path

from tiny_model import build_tiny_model
from tiny_study import write_table


def write_small_case(folder: Path) -> None:
    """Write both into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "notes.csv")
    build_tiny_model(folder / "model")


if __name__ == "__main__":
    write_small_case(Path(sys.argv[1]))
