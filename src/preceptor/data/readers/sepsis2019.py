"""Hourly intensive-care records with the onset of sepsis (PhysioNet/CinC challenge 2019, Reyna et al. 2020).

The label of an hour is 1 from six hours before the onset of sepsis (Sepsis-3) on. One example a patient: for a septic
patient the first such hour, for another an hour drawn at random with a seed that only the patient's number makes;
the six hours before that hour are the input. The drawn hour may be the first of the stay, as a septic one may:
then nothing has been measured yet, and the text says so.
"""

import csv
import random
from itertools import groupby
from pathlib import Path

HOURS_BEFORE = 6

_VITALS = ("HR", "O2Sat", "Temp", "SBP", "MAP", "Resp")
_LABS = ("Lactate", "WBC", "Creatinine", "Bilirubin_total", "Platelets")

Hour = dict[str, str]


def read(path: Path) -> list[dict[str, str]]:
    """One row per patient: `patient`, `age` in years, `sex`, `hours` (a line per vital sign) and `sepsis` (yes, no)."""
    with path.open(encoding="utf-8", newline="") as file:
        hours = csv.DictReader(file, delimiter="|")
        return [_row(patient, list(stay)) for patient, stay in groupby(hours, key=lambda hour: hour["patient"])]


def _row(patient: str, stay: list[Hour]) -> dict[str, str]:
    septic = [index for index, hour in enumerate(stay) if hour["SepsisLabel"] == "1"]
    now = septic[0] if septic else random.Random(f"sepsis2019 {patient}").randrange(len(stay))
    return {
        "patient": patient,
        "age": f"{float(stay[0]['Age']):.0f}",
        "sex": "male" if stay[0]["Gender"] == "1" else "female",
        "hours": _describe(stay[max(0, now - HOURS_BEFORE) : now]),
        "sepsis": "yes" if septic else "no",
    }


def _describe(hours: list[Hour]) -> str:
    """A line per vital sign, oldest hour first, `-` for missing values; then the last value of each blood test."""
    if not hours:
        return "Nothing measured yet: first hour of the stay."
    lines = [
        f"{sign} {' '.join(_short(hour[sign]) for hour in hours)}"
        for sign in _VITALS
        if any(hour[sign] for hour in hours)
    ]
    for lab in _LABS:
        values = [hour[lab] for hour in hours if hour[lab]]
        if values:
            lines.append(f"{lab} {_short(values[-1])}")
    return "\n".join(lines) or "Nothing measured in these hours."


def _short(value: str) -> str:
    """At most one decimal (the record has averages such as 75.33), `-` for missing."""
    return f"{float(value):.1f}".removesuffix(".0") if value else "-"
