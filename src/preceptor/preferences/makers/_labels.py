"""Answers that end in a wrong label."""

import re

from preceptor.tasks import Example, Task


def wrong_labels(task: Task, example: Example) -> list[str]:
    """The labels that are not the case's own, in the order of the task."""
    right = example.target if example.target in task.labels else task.parse(example.target)
    return [label for label in task.labels if label != right]


def with_label(task: Task, target: str, label: str) -> str:
    """`target` with another label behind its last marker; a target that is only a label has no marker."""
    markers = list(re.finditer(re.escape(task.answer.marker), target, re.IGNORECASE))
    return f"{target[: markers[-1].end()]} {label}" if markers and task.answer.parser == "final_answer" else label
