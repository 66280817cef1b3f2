"""From an example to an item for raters."""

from collections.abc import Sequence

from preceptor.preferences.labelling._items import Answer, Item, Kind
from preceptor.tasks import Example, Task


def item_id(task: Task, example: Example) -> str:
    """The item's id in a store: unique even if two tasks share a case."""
    return f"{task.name}/{example.id}"


def is_of(task: Task, item: Item) -> bool:
    """Whether the item belongs to this task."""
    return item.id.startswith(f"{task.name}/")


def case_fields(task: Task, example: Example) -> tuple[tuple[str, str], ...]:
    """(field name, text) in the task's order; for chat examples (role, text) of each message."""
    if example.prompt is not None:
        return tuple((message["role"], message["content"]) for message in example.prompt)
    return tuple((name, example.fields[name]) for name in task.fields if name in example.fields)


def make_item(
    task: Task, example: Example, kind: Kind, answers: Sequence[Answer] = (), scales: Sequence[str] = ()
) -> Item:
    """The item of a case, with the task's question, and its labels if raters are to give the answer."""
    return Item(
        item_id(task, example),
        kind,
        example.id,
        example.group,
        case_fields(task, example),
        task.question,
        tuple(answers),
        task.labels if kind == "gold" else (),
        tuple(scales),
    )
