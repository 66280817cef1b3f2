"""What is asked: examples, tasks (fields -> chat prompt -> parsed answer), and the built-in clinical cases."""

from preceptor.tasks._cases import make_cases
from preceptor.tasks._example import Example, Message, Split
from preceptor.tasks._load import builtin_tasks, load_task, task_file
from preceptor.tasks._parse import INVALID
from preceptor.tasks._task import Answer, Extra, Task

__all__ = [
    "INVALID",
    "Answer",
    "Example",
    "Extra",
    "Message",
    "Split",
    "Task",
    "builtin_tasks",
    "load_task",
    "make_cases",
    "task_file",
]
