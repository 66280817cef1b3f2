"""A case as raters meet it: named by its task and its id, told field by field."""

from collections.abc import Sequence

from preceptor.preferences.labelling._items import Answer, Item, Kind
from preceptor.tasks import Example, Task


def item_id(task: Task, example: Example) -> str:
    """What the item of a case is called in a store; two tasks may ask about one case."""
    return f"{task.name}/{example.id}"


def is_of(task: Task, item: Item) -> bool:
    """Whether the item asks about a case of this task."""
    return item.id.startswith(f"{task.name}/")


def told_case(task: Task, example: Example) -> tuple[tuple[str, str], ...]:
    """(name of field, text) as the task names its fields; of a case that is a chat, (role, text) of its turns."""
    if example.prompt is not None:
        return tuple((turn["role"], turn["content"]) for turn in example.prompt)
    return tuple((name, example.fields[name]) for name in task.fields if name in example.fields)


def make_item(
    task: Task, example: Example, kind: Kind, answers: Sequence[Answer] = (), scales: Sequence[str] = ()
) -> Item:
    """A case put before raters, with the task's question; with its labels where they are to give the answer."""
    return Item(
        item_id(task, example),
        kind,
        example.id,
        example.group,
        told_case(task, example),
        task.question,
        tuple(answers),
        task.labels if kind == "gold" else (),
        tuple(scales),
    )
