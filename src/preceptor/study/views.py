"""The cases of a task as its views show them, with the fields that are made on the training part, and with the columns
that results are broken down by where a view names them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from preceptor.data import Splits, made_field_words, with_made_fields
from preceptor.errors import InputError, Problem
from preceptor.files import digest
from preceptor.study.spec.study import TaskEntry
from preceptor.study.spec.view import View
from preceptor.tasks import PLACEHOLDER, Example, Task


@dataclass(frozen=True, slots=True)
class Seen:
    """What a view shows: its template as the prompt of `task`; the cases with every made field beside their own, and of
    the study's subgroups those that it names.
    """

    view: View
    task: Task
    splits: Splits = field(repr=False)

    @property
    def key(self) -> str:
        """Names the view, and all that it was made of."""
        parts = (self.splits.train, self.splits.validation, self.splits.test)
        cases = [[[one.id, dict(one.fields)] for one in part] for part in parts]
        cut = self.task.cut if self.task.cut_at == "middle" else [self.task.cut, self.task.cut_at]
        return digest([self.view.model_dump(), cut, cases])


def seen_through_views(entry: TaskEntry, task: Task, splits: Splits, where: str) -> dict[str, Seen]:
    """View -> what it shows. Raises `InputError` with every field that there is not."""
    if not entry.views:
        return {}
    whole = with_made_fields(entry.fields, task, splits, where)
    fields, every = task.fields | made_field_words(entry.fields), shown_words(entry, task)
    columns = {name: words for name, words in every.items() if name not in fields}
    if problems := [one for name, view in entry.views.items() for one in _problems(name, view, task, every, where)]:
        raise InputError(problems)
    return {name: _seen(view, task, fields, columns, whole) for name, view in entry.views.items()}


def shown_words(entry: TaskEntry, task: Task) -> dict[str, str]:
    """The fields that a view may show, each in words: the task's, those that are made, and the study's subgroups."""
    fields = task.fields | made_field_words(entry.fields)
    return fields | {name: "Results are broken down by it" for name in entry.data.subgroups if name not in fields}


def as_view(task: Task, view: View, fields: Mapping[str, str]) -> Task:
    """The task with the view's template as its prompt. fields: those that its cases then have, each in words."""
    cut = view.cut or (task.cut if task.cut in shown_by(view) else None)
    return task.model_copy(update={"prompt": view.template, "fields": dict(fields), "cut": cut})


def shown_by(view: View) -> list[str]:
    """The fields in a view's template."""
    return list(dict.fromkeys(PLACEHOLDER.findall(view.template)))


def shows_nothing(seen: Seen, cases: Sequence[Example]) -> list[str]:
    """The ids of the cases of which a view shows no word of any field."""
    names = shown_by(seen.view)
    return [one.id for one in cases if not any(one.fields[name].strip() for name in names)]


def _seen(view: View, task: Task, fields: dict[str, str], columns: dict[str, str], splits: Splits) -> Seen:
    named = {name: words for name, words in columns.items() if name in shown_by(view)}

    def with_columns(case: Example) -> Example:
        return replace(case, fields={**case.fields, **{name: case.metadata[name] for name in named}})

    if named:
        splits = Splits(*(list(map(with_columns, part)) for part in (splits.train, splits.validation, splits.test)))
    return Seen(view, as_view(task, view, fields | named), splits)


def _problems(name: str, view: View, task: Task, fields: dict[str, str], where: str) -> Iterator[Problem]:
    there, used = ", ".join(fields), shown_by(view)
    for unknown in [one for one in used if one not in fields]:
        yield Problem(f"{where}, views.{name}", f"{{{unknown}}} is not a field", f"Fields are {there}")
    if task.evidence in used:
        what = f"{{{task.evidence}}} holds what the right answer rests on, and no arm is shown it"
        yield Problem(f"{where}, views.{name}", what, "Take it out of the template")
    if not used:
        yield Problem(f"{where}, views.{name}", "it shows no field", f"Name some in its template, of {there}")
    if view.cut and view.cut not in used:
        yield Problem(f"{where}, views.{name}.cut", f"{view.cut} is not in its template", "Name a field that is")
