"""The public data sets that tests read in place where they are there."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("PRECEPTOR_DATA", Path(__file__).parents[1] / "../shared/data"))


def public_data(name: str) -> Path:
    """A file or folder of them; skips the test where it is not on this machine."""
    if not (DATA / name).exists():
        pytest.skip(f"the public data sets are not at {DATA} (set PRECEPTOR_DATA)")
    return DATA / name
