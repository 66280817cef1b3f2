"""What is wrong with what is said of a new study, all at once."""

import re

from preceptor._new.settings import NewStudy
from preceptor._new.text import by_spelling
from preceptor.data import SetColumn, Table, describe_columns
from preceptor.errors import Problem
from preceptor.files import file_name


def problems_of(table: Table, name: str, said: NewStudy, sets: SetColumn | None) -> list[Problem]:
    """Every problem. sets: what the column of right answers holds, if that is sets of labels."""
    labels = [] if sets else _label_problems(table, said.target)
    found = _column_problems(table, said) + _patient_problems(table, said.group) + labels
    return [*found, *_name_problems(name), *_margin_problems(said.margin)]


def _patient_problems(table: Table, group: str | None) -> list[Problem]:
    if group:
        return []
    fix = "Name the patient's column (`group`); if every row is another patient, say `each row` in its place"
    return [Problem(str(table.path), "nothing says which rows are one patient's", fix)]


def _name_problems(name: str) -> list[Problem]:
    """Why files cannot be called so."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        return [Problem("name", f"`{name}` cannot be a file name", "Use letters, digits, - and _")]
    try:
        file_name(name)
    except ValueError as error:
        return [Problem("name", str(error), "Give a shorter one")]
    return []


def _margin_problems(margin: object) -> list[Problem]:
    """A study file would take a number in quotes for a number, and whatever else stands there for settings."""
    if margin is None or (isinstance(margin, int | float) and not isinstance(margin, bool)):
        return []
    return [Problem("margin", f"a number was expected, found {type(margin).__name__}", "Give one, such as 0.05")]


def _column_problems(table: Table, said: NewStudy) -> list[Problem]:
    named = [*said.text, said.target, *(column for column in (said.patient, said.date) if column)]
    fix = describe_columns(table)
    problems = [
        Problem(str(table.path), f"there is no column `{column}`", fix)
        for column in dict.fromkeys(named)
        if column not in table.columns
    ]
    if not said.text:
        problems.append(Problem(str(table.path), "no column is named for the model to read", fix))
    if said.target in said.text:
        what = f"`{said.target}` is both what the model reads and the answer"
        problems.append(Problem(str(table.path), what, "Take it out of the text columns"))
    return problems


def _label_problems(table: Table, label: str) -> list[Problem]:
    values = table.distinct(label)
    if several := sum(not isinstance(row.cells.get(label, ""), str) for row in table.rows):
        what = (
            f"column `{label}` holds a list or an object in {several} of {len(table.rows)} rows, and no sets of labels"
        )
        fix = "Write a text in each cell, or in each a list of short texts: few labels, each in several rows"
        return [Problem(str(table.path), what, fix)]
    if values and all(text.strip().startswith("[") and text.strip().endswith("]") for text in values):
        fix = "Write them as Python or JSON does, ['a', 'b'], or with `;` between; few labels, each in several rows"
        return [Problem(str(table.path), f"column `{label}` holds lists, and no sets of labels", fix)]
    if label not in table.columns or len(by_spelling(values)) > 1:
        return []
    found = "is empty" if not values else "has one value only"
    return [Problem(str(table.path), f"column `{label}` {found}", "Name the column of right answers")]
