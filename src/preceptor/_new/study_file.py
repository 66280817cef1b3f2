"""The study file of a new study: what is compared, on which data."""

import os
from pathlib import Path

from preceptor._new.settings import NewStudy
from preceptor._new.text import by_spelling, editor_line, scalar
from preceptor.data import EACH_ROW, SetColumn, Table, iso_day, looks_like_labels
from preceptor.models import EMBEDDED_ENCODER, fetch_command
from preceptor.tasks import composed, plain


def study_yaml(
    table: Table,
    file: Path,
    task: str,
    name: str,
    fields: dict[str, str],
    said: NewStudy,
    sets: SetColumn | None,
) -> str:
    """The text of `file`, which lies beside the task file called `task`; `fields`: field of the task -> column; `sets`:
    what the column of right answers holds, if that is sets of labels.
    """
    path = os.path.relpath(table.path.absolute(), file.parent.absolute())
    whose = "the patient; never on both sides of a split" if said.patient else "every row is another patient"
    lines = [
        editor_line("study"),
        f"# A study: what is compared. Run it with: preceptor study {file.name}",
        f"name: {scalar(name)}  # its results lie in runs/<name>",
        f"model: {scalar(said.model)}  # or a folder with a model in it",
        "seeds: [0]  # more seeds show how much training itself varies",
        *_arm_lines(table, said, sets),
        "tasks:",
        f"  - task: {scalar(task)}",
        _margin_line(said.margin),
        "    data:",
        f"      path: {scalar(path)}  # relative to this file",
        "      columns:  # field of the task: column of the file",
        *(f"        {scalar(field)}: {scalar(column)}" for field, column in fields.items()),
        f"      target: {scalar(said.target)}  # the column of right answers",
        f"      group: {scalar(said.patient or EACH_ROW)}  # {whose}",
        *_spelling_lines(table, said.target, sets),
        *_gap_lines(table, fields, said.target, sets),
    ]
    if said.date:
        lines.append(_date_line(table, said.date))
    return "\n".join(lines) + "\n"


def _arm_lines(table: Table, said: NewStudy, sets: SetColumn | None) -> list[str]:
    """The arms that were named, else those that `check` has nothing against: on bare labels it has, of preferences."""
    if said.arms is not None:
        return [f"arms: [{', '.join(map(scalar, said.arms))}]"]
    if sets is not None:
        return [
            "# The untouched model; taught by example; and simpler: a small encoder, words counted, the nearest case.",
            f"# The encoder is left out until `{fetch_command(EMBEDDED_ENCODER)}` was run.",
            "arms: [base, sft, encoder, tfidf, nearest]",
        ]
    if looks_like_labels(table, said.target):
        return [
            "# The untouched model; taught by example; and two simpler ways: a small encoder, and words counted.",
            f"# The encoder is left out until `{fetch_command(EMBEDDED_ENCODER)}` was run. No sft+dpo: where an",
            "# answer is a label and nothing else, a pair of labels says no more than the right one, which sft learns.",
            "arms: [base, sft, encoder, tfidf]",
        ]
    return [
        "# The untouched model; taught by example; then by preference; more examples for the price of preference.",
        "arms: [base, sft, sft+dpo, sft+sft]",
    ]


def _margin_line(margin: float | None) -> str:
    setting = "# margin: 0.05" if margin is None else f"margin: {margin}"
    return f"    {setting}  # the least difference that matters to you; without one, nothing is called enough"


def _date_line(table: Table, date: str) -> str:
    if all(iso_day(text) for text in table.column(date) if text.strip()):
        return f"      date: {scalar(date)}  # not shown to the model; the report says when the cases are from"
    return f"      # The date column {scalar(date)} is not shown to the model (the report reads dates like 2024-03-05)."


def _spelling_lines(table: Table, label: str, sets: SetColumn | None) -> list[str]:
    """A mapping of other spellings to the task's labels, and of empty cells where they mean that there is none."""
    if sets is not None:
        spelt = sets.spelt
    else:
        values = table.distinct(label) if looks_like_labels(table, label) else []
        first = by_spelling(values)
        spelt = {composed(value.strip()): first[plain(value)] for value in values}
    other = [f"        {scalar(value)}: {scalar(one)}" for value, one in spelt.items() if value != one]
    if sets is not None and sets.empty and sets.blank_is_none:
        told = "an empty cell was taken for no label; if nobody looked: bad_rows: leave out"
        other.append(f'        "": {scalar(sets.empty)}  # {told}')
    return ["      labels:  # value in the file: label of the task", *other] if other else []


def _gap_lines(table: Table, fields: dict[str, str], label: str, sets: SetColumn | None) -> list[str]:
    """Settings for empty cells, if there are any."""
    lines = []
    if any(not text.strip() for column in fields.values() for text in table.column(column)):
        lines.append("      empty: not given  # written in the prompt where a field is empty")
    blank = any(not text.strip() for text in table.column(label))
    if blank if sets is None else sets.blank_cells and not sets.blank_is_none:
        lines.append("      bad_rows: leave out  # rows without an answer are left out and counted")
    return lines
