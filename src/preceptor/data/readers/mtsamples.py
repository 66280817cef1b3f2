"""Medical transcriptions with specialty and keywords (MTSamples, as the package clinspacy has them).

A transcription stands in the set once for each heading it is filed under, two on average: its rows would land on both
sides of a split, and a reader of the text cannot tell which row is meant. So a case is a text. Some headings name a
kind of document (`Surgery`, `Radiology`, `Discharge Summary`), not who sees the patient; they are taken away where a
specialty is left. What then has several specialties, or none, has no label of a task, and is counted among the rows
left out.

The first keyword is the row's heading itself, in every row that has any.
"""

import csv
import re
from pathlib import Path

KINDS_OF_DOCUMENT = frozenset(
    {
        "Autopsy",
        "Consult - History and Phy.",
        "Discharge Summary",
        "Emergency Room Reports",
        "General Medicine",
        "Hospice - Palliative Care",
        "IME-QME-Work Comp etc.",
        "Lab Medicine - Pathology",
        "Letters",
        "Office Notes",
        "Radiology",
        "SOAP / Chart / Progress Notes",
        "Surgery",
    }
)
_SEVERAL = "; "


def read(path: Path) -> list[dict[str, str]]:
    """One row per text: its `id`, the `note`, the `keywords`, and its `specialty`, several joined by `; `.

    Keywords are those of the first row whose heading is in `specialty`. Note and keywords are cleaned alike.
    """
    texts: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for raw in csv.DictReader(file):
            texts.setdefault(_cleaned(raw["transcription"]), []).append(raw)
    return [_row(note, rows) for note, rows in texts.items()]


def _row(note: str, rows: list[dict[str, str]]) -> dict[str, str]:
    headings = list(dict.fromkeys(row["medical_specialty"].strip() for row in rows))
    named = [one for one in headings if one not in KINDS_OF_DOCUMENT] or headings
    keywords = (_cleaned(row["keywords"]) for row in rows if row["medical_specialty"].strip() in named)
    return {
        "id": rows[0]["note_id"],
        "note": note,
        "keywords": next(filter(None, keywords), ""),
        "specialty": _SEVERAL.join(sorted(named)),
    }


def _cleaned(text: str) -> str:
    """Where a line ended, the set has a comma behind the full stop or colon: `PLAN:,  Rest.,Fluids.`"""
    return " ".join(re.sub(r"(?<=[.:;])\s*,", " ", text).split()).strip(", ")
