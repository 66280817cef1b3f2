"""The generators of built-in cases: one file each under `cases/`, found by name."""

from importlib import import_module
from pathlib import Path

from preceptor.errors import InputError, Problem
from preceptor.tasks._example import Example

_FOLDER = Path(__file__).parent / "cases"


def generators() -> list[str]:
    """The names of the case generators."""
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))


def make_cases(task_name: str, count: int, seed: int) -> list[Example]:
    """`count` distinct built-in cases with their `split`; deterministic for a name, count and seed."""
    if task_name not in generators():
        names = ", ".join(generators())
        raise InputError(Problem(f"cases {task_name!r}", "there are no such built-in cases", f"Choose one of: {names}"))
    cases: list[Example] = import_module(f"preceptor.tasks.cases.{task_name}").generate(count, seed)
    return cases
