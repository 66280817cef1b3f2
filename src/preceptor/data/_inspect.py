"""`inspect_table`: guess which columns hold text, label, patient and date, for the user to confirm."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.data._set_column import set_column
from preceptor.data._table import Table

_LABEL_NAMES = (  # surest first
    re.compile(r"label|target|class|categor|outcome|gold|expert|answer|completion|summary", re.I),
    re.compile(r"triage|urgency|acuity|stage|level|result|decision|diagnos|verdict|status|type", re.I),
)
_PATIENT_NAME = re.compile(r"patient|subject|mrn|person|member|\bpid\b|hadm|nhs.?(no|num)", re.I)
_ID_NAME = re.compile(r"(^|[^a-z])(id|uuid|no|nr|index|row|column \d+)$|[a-z]I[dD]$|_id(_|$)|^id", re.I)
_REPEATED_ID = re.compile(r"(case[ _]?)?id", re.I)
_DEMOGRAPHIC = re.compile(r"^(sex|gender|race|ethnic.*|age|site|ward|department|unit\d*)$", re.I)
_DATE_NAME = re.compile(r"date|datum|time|day$|admitted|visit", re.I)
_DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ]\d{1,2}:\d{2}.*)?\s*")
_NUMBER = re.compile(r"\s*[<>]?\s*[-+]?\d+([.,]\d+)?\s*")
_MAX_LABELS = 50
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Guess:
    """Guessed column names; `text` are the model's inputs, best first. None or empty: no candidate."""

    text: list[str]
    label: str | None
    patient: str | None
    date: str | None


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    filled: int
    distinct: int
    mean_length: float
    longest: int
    dates: float
    numbers: float
    words: float


def inspect_table(table: Table) -> Guess:
    """Guess from column names, distinct counts and lengths. Without prose, numeric columns become the text."""
    columns = [column for name in table.columns if (column := _measure(name, table.column(name))).filled]
    patient = _patient(columns)
    date = _date([column for column in columns if column.name != patient])
    rest = [column for column in columns if column.name not in (patient, date)]
    label = _label(rest, table)
    rest = [column for column in rest if column.name != label]
    prose = [column for column in rest if column.mean_length >= 30 and column.words >= 3]
    prose.sort(key=lambda column: -column.mean_length)
    text = prose or [column for column in rest if not _ID_NAME.search(column.name)]
    return Guess([column.name for column in text], label, patient, date)


def looks_like_labels(table: Table, column: str) -> bool:
    """Whether a column's values are few, short and repeated enough to be labels rather than free text."""
    values = table.distinct(column)
    return 0 < len(values) <= max(2, min(_MAX_LABELS, len(table.rows) // 2)) and max(map(len, values)) <= _LONGEST


def _measure(name: str, values: Sequence[str]) -> _Column:
    filled = [value for value in values if value.strip()]
    count = max(1, len(filled))
    lengths = [len(value) for value in filled]
    return _Column(
        name=name,
        filled=len(filled),
        distinct=len(set(filled)),
        mean_length=sum(lengths) / count,
        longest=max(lengths, default=0),
        dates=sum(bool(_DATE.fullmatch(value)) for value in filled) / count,
        numbers=sum(bool(_NUMBER.fullmatch(value)) for value in filled) / count,
        words=sum(len(value.split()) for value in filled) / count,
    )


def _patient(columns: Sequence[_Column]) -> str | None:
    """By name; a column named just `id` only if its values repeat."""
    short = [column for column in columns if column.mean_length < 40]
    named = [column for column in short if _PATIENT_NAME.search(column.name)]
    named.sort(key=lambda column: not _ID_NAME.search(column.name))  # patient_id before patient_group
    repeating = [one for one in short if _REPEATED_ID.fullmatch(one.name) and 1 < one.distinct < one.filled]
    candidates = [one for one in named if one.distinct > one.filled / 50 and one.distinct > 2] + repeating
    return candidates[0].name if candidates else None


def _date(columns: Sequence[_Column]) -> str | None:
    dates = [column for column in columns if column.dates >= 0.9]
    dates.sort(key=lambda column: not _DATE_NAME.search(column.name))
    return dates[0].name if dates else None


def _label(columns: Sequence[_Column], table: Table) -> str | None:
    """A column of few, short, repeated values, by name or else the last one, or by name one of sets of such; failing
    that, a text column by name.
    """
    most = max(2, min(_MAX_LABELS, len(table.rows) // 3))
    short = [
        column
        for column in columns
        if 2 <= column.distinct <= most and column.longest <= _LONGEST and not _DEMOGRAPHIC.match(column.name)
    ]
    texts = [column for column in columns if column.words >= 3]
    by_name = [[one for one in columns if pattern.search(one.name)] for pattern in _LABEL_NAMES]
    named = [[one for one in found if one in short or set_column(table, one.name)] for found in by_name]
    texts_named = [one for one in texts if _LABEL_NAMES[0].search(one.name)]
    for candidates in (*named, short, texts_named):
        if candidates:
            return candidates[-1].name
    return None
