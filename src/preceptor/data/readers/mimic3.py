"""Hospital stays with diagnoses, procedures and drugs (MIMIC-III, Johnson et al. 2016; its open demo has 100 patients).

Give `PRESCRIPTIONS.csv`; the other tables lie beside it. One case a patient: asked are the drugs of the last stay. A
stay needs diagnoses and a drug with a date. Stays are in the order of their first prescriptions: numbers of stays are
drawn at random, and a copy that went through a spreadsheet has admission times without a century.

Drugs are the substances below, by name, wherever one stands in the name of a drug; carrier fluids, salts, vaccines,
creams and rare drugs are left out, and `other_drugs` counts them. The list is ours and none of the data: what is
frequent among all patients would tell of held-out ones.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.tasks import write_visits

SUBSTANCES = (
    "acetaminophen", "albuterol", "amiodarone", "amlodipine", "aspirin", "atorvastatin", "azithromycin", "bisacodyl",
    "ceftriaxone", "ciprofloxacin", "clopidogrel", "digoxin", "diltiazem", "docusate", "enoxaparin", "famotidine",
    "fentanyl", "furosemide", "haloperidol", "heparin", "hydralazine", "hydromorphone", "insulin", "ipratropium",
    "lactulose", "lansoprazole", "levofloxacin", "levothyroxine", "lisinopril", "lorazepam", "metoprolol",
    "metronidazole", "midazolam", "morphine", "norepinephrine", "omeprazole", "ondansetron", "oxycodone",
    "pantoprazole", "phytonadione", "piperacillin", "prednisone", "propofol", "ranitidine", "senna", "simvastatin",
    "vancomycin", "warfarin",
)  # fmt: skip
MOST_TOLD = 3
"""Earlier stays that `history` tells, the latest ones; `visits` has all."""
_NONE = "none"
_FIRST = "No earlier visit."


@dataclass(slots=True)
class _Stay:
    patient: str
    begins: date
    diagnoses: list[str] = field(default_factory=list)
    procedures: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of drugs, as they were ordered."""

    @property
    def drugs(self) -> list[str]:
        found = {word for name in self.names for word in re.findall(r"[a-z]+", name.lower())}
        return [one for one in SUBSTANCES if one in found]

    @property
    def others(self) -> int:
        known = set(self.drugs)
        return len({name for name in self.names if known.isdisjoint(re.findall(r"[a-z]+", name.lower()))})


def read(path: Path) -> list[dict[str, str]]:
    """One row per patient: `patient`, `history`, `present`, `visits`, `drugs`, `date`, `visit` (first or later) and
    `other_drugs`, how many names of drugs of the last stay are left out.

    Raises InputError for tables that are missing or cannot be read, and for stays of a patient whose order the dates
    leave open.
    """
    stays = _stays(path)
    titles = {kind: _titles(path, kind) for kind in ("DIAGNOSES", "PROCEDURES")}
    patients: dict[str, list[_Stay]] = {}
    for stay in stays.values():
        patients.setdefault(stay.patient, []).append(stay)
    if problems := list(_same_day(path, patients)):
        raise InputError(problems)
    return [_row(sorted(some, key=lambda one: one.begins), titles) for _, some in sorted(patients.items())]


def _stays(path: Path) -> dict[str, _Stay]:
    """By their number, in whatever order the rows are: those with diagnoses and drugs."""
    stays: dict[str, _Stay] = {}
    for row in _table(path, "HADM_ID", "SUBJECT_ID", "STARTDATE", "DRUG_TYPE", "DRUG"):
        if row["DRUG_TYPE"] != "MAIN" or not row["STARTDATE"]:
            continue
        begins = datetime.fromisoformat(row["STARTDATE"]).date()
        stay = stays.setdefault(row["HADM_ID"], _Stay(row["SUBJECT_ID"], begins))
        stay.begins = min(stay.begins, begins)
        stay.names.append(row["DRUG"].strip())
    for name, codes in (("DIAGNOSES_ICD", "diagnoses"), ("PROCEDURES_ICD", "procedures")):
        table = _table(path.with_name(f"{name}.csv"), "HADM_ID", "SEQ_NUM", "ICD9_CODE")
        for row in sorted(table, key=lambda one: int(one["SEQ_NUM"])):
            known: list[str] = getattr(stays[row["HADM_ID"]], codes) if row["HADM_ID"] in stays else []
            if row["ICD9_CODE"] not in ("", *known):  # some stand twice, and a set has each once
                known.append(row["ICD9_CODE"])
    return {number: stay for number, stay in sorted(stays.items()) if stay.diagnoses}


def _titles(path: Path, kind: str) -> dict[str, str]:
    table = _table(path.with_name(f"D_ICD_{kind}.csv"), "ICD9_CODE", "SHORT_TITLE")
    return {row["ICD9_CODE"]: row["SHORT_TITLE"] for row in table}


def _table(path: Path, *columns: str) -> Iterator[Mapping[str, str]]:
    if not path.is_file():
        fix = "Put all tables of the set into one folder; `path` is its PRESCRIPTIONS.csv"
        raise InputError(Problem(str(path), "no such file", fix))
    fix = "Give the table as it was published"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for row in rows:
                if lacking := [name for name in columns if row.get(name) is None]:
                    what = f"there is no {', '.join(lacking)} in it"
                    raise InputError(Problem(f"{path}, line {rows.line_num}", what, fix))
                yield row
        except (csv.Error, UnicodeDecodeError):
            what = "it cannot be read as CSV: a quote without its other, a cell without an end, or no UTF-8"
            raise InputError(Problem(f"{path}, after line {rows.line_num}", what, fix)) from None


def _same_day(path: Path, patients: Mapping[str, Sequence[_Stay]]) -> Iterator[Problem]:
    for patient, stays in sorted(patients.items()):
        if len({stay.begins for stay in stays}) < len(stays):
            what = f"patient {patient} has two stays whose first prescriptions are of one day, so that none is the last"
            yield Problem(str(path), what, "Correct a STARTDATE, or leave the patient out")


def _row(stays: Sequence[_Stay], titles: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    last = stays[-1]
    told = [_told(number, stay, titles, now=stay is last) for number, stay in enumerate(stays, 1)]
    return {
        "patient": last.patient,
        "history": "\n".join(told[:-1][-MOST_TOLD:]) or _FIRST,
        "present": told[-1],
        "visits": write_visits(
            [{"D": one.diagnoses, "P": one.procedures, "M": [] if one is last else one.drugs} for one in stays]
        ),
        "drugs": "; ".join(last.drugs) or _NONE,
        "date": last.begins.isoformat(),
        "visit": "later" if len(stays) > 1 else "first",
        "other_drugs": str(last.others),
    }


def _told(number: int, stay: _Stay, titles: Mapping[str, Mapping[str, str]], *, now: bool) -> str:
    """A stay in one line, by short titles; a code that the dictionary lacks stands for itself."""
    diagnoses, procedures = (
        ", ".join(titles[kind].get(code, code) for code in codes) or _NONE
        for kind, codes in (("DIAGNOSES", stay.diagnoses), ("PROCEDURES", stay.procedures))
    )
    drugs = "?" if now else ", ".join(stay.drugs) or _NONE
    return f"Visit {number}: diagnoses {diagnoses}; procedures {procedures}; drugs {drugs}."
