"""A case as raters meet it: named by its task and its id, told field by field."""

from preceptor.tasks import Example, Task


def item_id(task: Task, example: Example) -> str:
    """What the item of a case is called in a store; two tasks may ask about one case."""
    return f"{task.name}/{example.id}"


def told_case(task: Task, example: Example) -> tuple[tuple[str, str], ...]:
    """(name of field, text) as the task names its fields; of a case that is a chat, (role, text) of its turns."""
    if example.prompt is not None:
        return tuple((turn["role"], turn["content"]) for turn in example.prompt)
    return tuple((name, example.fields[name]) for name in task.fields if name in example.fields)
