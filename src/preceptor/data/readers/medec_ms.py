"""Clinical notes with one wrong sentence each, and its correction (MEDEC, MS part; Ben Abacha et al. 2025).

Notes without an error are left out. Each note is taken as a different patient: the set has no patient ids.
"""

import csv
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """One row per note with an error: `id`, `kind` of error, the `note`, its `wrong` sentence and the `right` one."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(raw) for raw in csv.DictReader(file) if raw["Error Flag"] == "1"]


def _row(raw: dict[str, str]) -> dict[str, str]:
    return {
        "id": raw["Text ID"],
        "kind": raw["Error Type"],
        "note": raw["Text"].strip(),
        "wrong": raw["Error Sentence"].strip(),
        "right": raw["Corrected Sentence"].strip(),
    }
