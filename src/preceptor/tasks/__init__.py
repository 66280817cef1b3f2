"""Tasks: examples, prompt templates and answer parsers, and the built-in clinical tasks with their generated cases."""

from preceptor.tasks._example import Example, Message, Split
from preceptor.tasks._generators import generators, make_cases
from preceptor.tasks._load import builtin_tasks, load_task, task_file
from preceptor.tasks._parse import INVALID
from preceptor.tasks._spelling import composed, plain
from preceptor.tasks._task import PLACEHOLDER, Answer, SecondaryMetric, Task
from preceptor.tasks._visits import DRUGS_OF_VISIT, PROFILE, VISITS_FIELD, read_visits, write_visits

__all__ = [
    "DRUGS_OF_VISIT",
    "INVALID",
    "PLACEHOLDER",
    "PROFILE",
    "VISITS_FIELD",
    "Answer",
    "Example",
    "Message",
    "SecondaryMetric",
    "Split",
    "Task",
    "builtin_tasks",
    "composed",
    "generators",
    "load_task",
    "make_cases",
    "plain",
    "read_visits",
    "task_file",
    "write_visits",
]
