"""Clinical notes with one wrong sentence each, and that sentence put right (MEDEC, MS part; Ben Abacha et al. 2025).

Notes without an error are left out. Every note is about another patient, as far as the set tells.
"""

import csv
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """One row a note with an error: `id`, `kind` of error, the `note`, its `wrong` sentence and the `right` one."""
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
