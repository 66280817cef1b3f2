"""Wrong labels of a case, and right answers rewritten to end in one."""

import re

from preceptor.tasks import Example, Task


def wrong_labels(task: Task, example: Example) -> list[str]:
    """All labels but the case's own, in the order of the task."""
    right = example.target if example.target in task.labels else task.parse(example.target)
    return [label for label in task.labels if label != right]


def with_label(task: Task, target: str, label: str) -> str:
    """`target` with the text after its last answer marker replaced by `label`; without a marker, `label` alone."""
    markers = list(re.finditer(re.escape(task.answer.marker), target, re.IGNORECASE))
    return f"{target[: markers[-1].end()]} {label}" if markers and task.answer.parser == "final_answer" else label
