"""Emergency triage at two Korean hospitals with the expert's KTAS level (Moon et al., PLOS ONE 2019;14(9):e0216972).

Semicolons, Latin-1, decimal commas; `??` (Korean letters that were lost), `#BO?!` (a spreadsheet's `#VALUE!` in another
language) and nothing at all mean missing. What is known only after triage (`Diagnosis in ED`, `Disposition`,
`Length of stay_min`, `KTAS duration_min`) and what is derived from the nurse's own level (`Error_group`, `mistriage`)
would give the answer away and is not read. That level, `KTAS_RN`, is for wrong answers of pairs, never for a prompt.
`Group` is the hospital and there is no patient number.
"""

import csv
import re
from pathlib import Path

_WORDS = {
    "Sex": {"1": "female", "2": "male"},
    "Arrival mode": {"1": "walking", "2": "public ambulance", "3": "private vehicle", "4": "private ambulance"},
    "Injury": {"1": "no", "2": "yes"},
    "Mental": {"1": "alert", "2": "responds to voice", "3": "responds to pain", "4": "unresponsive"},
    "Pain": {"0": "no", "1": "yes"},
}
_NUMBERS = {
    "age": "Age",
    "pain_score": "NRS_pain",
    "sbp": "SBP",
    "dbp": "DBP",
    "heart_rate": "HR",
    "breathing_rate": "RR",
    "temperature": "BT",
    "saturation": "Saturation",
}
_MISSING = re.compile(r"[?\s]*|#BO.?!")


def read(path: Path) -> list[dict[str, str]]:
    """One row per visit: words for codes, plain numbers or `missing`, and two levels of 1 to 5.

    `KTAS_expert` is gold; `KTAS_RN` is what the nurse said at triage.
    """
    with path.open(encoding="latin-1", newline="") as file:
        return [_row(raw) for raw in csv.DictReader(file, delimiter=";")]


def _row(raw: dict[str, str]) -> dict[str, str]:
    return {
        "complaint": _value(raw["Chief_complain"]),
        "sex": _WORDS["Sex"].get(raw["Sex"], "missing"),
        "arrival": _WORDS["Arrival mode"].get(raw["Arrival mode"], "other"),
        "injury": _WORDS["Injury"].get(raw["Injury"], "missing"),
        "mental": _WORDS["Mental"].get(raw["Mental"], "missing"),
        "pain": _WORDS["Pain"].get(raw["Pain"], "missing"),
        **{name: _value(raw[column]).replace(",", ".") for name, column in _NUMBERS.items()},
        "KTAS_expert": raw["KTAS_expert"].strip(),
        "KTAS_RN": raw["KTAS_RN"].strip(),
    }


def _value(cell: str) -> str:
    return "missing" if _MISSING.fullmatch(cell.strip()) else cell.strip()
