"""What an arm of a finished run is shown of a case, and whether a case from elsewhere has it, or can be given it."""

from collections.abc import Mapping
from typing import Any

from preceptor.data import can_be_stated
from preceptor.errors import InputError, Problem
from preceptor.study.finished.run import Finished
from preceptor.study.spec.view import View
from preceptor.study.views import as_view, shown_by, shown_words
from preceptor.tasks import Task, load_task


def view_of(finished: Finished, task: str, arm: str) -> View | None:
    """The arm's view; None where it is shown the task's prompt."""
    name = finished.study.arm(arm).view
    return finished.entry(task).views[name] if name else None


def made_field_of(finished: Finished, task: Task, arm: str) -> str | None:
    """The field in the arm's view that the study made, if there is one."""
    view = view_of(finished, task.name, arm)
    made = finished.entry(task.name).fields
    return next((name for name in shown_by(view) if name in made), None) if view else None


def asked_by(finished: Finished, task: str, arm: str, *, makes: bool) -> Task:
    """The task as the arm is asked it, its fields those that it is shown.

    makes: whether whoever asks can make a field of a case as the study did. Raises `InputError` where a case from
    elsewhere does not have a field, and none can be made.
    """
    asked, view = load_task(finished.run.task(task)), view_of(finished, task, arm)
    if view is None:
        return asked
    made, words = finished.entry(task).fields, shown_words(finished.entry(task), asked)
    for name in shown_by(view):
        if name in made and (why := _cannot_be_made(made[name], asked, view, name, makes=makes)):
            what = f"{arm} is shown {name}, a field that the study made: {why}"
            fix = "Name an arm without a `view`, or with one of fields that the task has"
            raise InputError(Problem(f"{finished.run.root}, --arm", what, fix))
    return as_view(asked, view, {name: words[name] for name in shown_by(view)})


def _cannot_be_made(made: Mapping[str, Any], task: Task, view: View, name: str, *, makes: bool) -> str | None:
    if not makes:
        return "no case from elsewhere has it"
    if not can_be_stated(made, task):
        return "no case from elsewhere has it, and its maker cannot say how it is made"
    if view.template != f"{{{name}}}" or view.cut:
        return "it can be made of other cases where the view shows it alone, whole"
    return None
