"""Blood values of donors and hepatitis C patients (UCI machine learning repository 571, Hoffmann et al. 2018).

`NA` means that the value was not measured. Every row is another person.
"""

import csv
from pathlib import Path

_LABS = ("ALB", "ALP", "ALT", "AST", "BIL", "CHE", "CHOL", "CREA", "GGT", "PROT")
_SEX = {"m": "male", "f": "female"}


def read(path: Path) -> list[dict[str, str]]:
    """One row per person: age in years, sex, ten values (or `missing`) in the units of the set, and `Category`."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(raw) for raw in csv.DictReader(file)]


def _row(raw: dict[str, str]) -> dict[str, str]:
    return {
        "age": raw["Age"],
        "sex": _SEX.get(raw["Sex"], "missing"),
        **{lab.lower(): "missing" if raw[lab] in ("NA", "") else raw[lab] for lab in _LABS},
        "Category": raw["Category"].strip(),
    }
