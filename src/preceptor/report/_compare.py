"""Two finished runs side by side: what each concluded, how good each arm was, and which settings differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.report._run import Run, read_run
from preceptor.report._template import fill
from preceptor.report._writing import write_page
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure

_ABSENT = "not set"


@dataclass(frozen=True)
class SharedTask:
    """One task that both runs have. `same`: whether on the same held-out cases, None where that is not known."""

    a: TaskPart
    b: TaskPart
    same: bool | None
    conclusions: tuple[list[Conclusion], list[Conclusion]]
    rows: list[tuple[str, list[Cell], list[Cell], tuple[list[Failure], list[Failure]]]]
    """Arm, its cells in each run, and what failed of it in each."""


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side. only_a, only_b: titles of tasks that one of them alone has; settings: those that differ,
    each as its name and both values.
    """

    a: Results
    b: Results
    tasks: list[SharedTask]
    only_a: list[str]
    only_b: list[str]
    settings: list[tuple[str, str, str]]


def write_comparison(a: Path, b: Path, file: Path) -> Path:
    """Write the page of both runs to `file` and return its path. Raises `InputError` as `compare_page` does."""
    return write_page(file, compare_page(a, b))


def compare_page(a: Path, b: Path) -> str:
    """Both runs on one page, as HTML. Raises `InputError` when one cannot be read, or they share no task."""
    both = compare_runs(a, b)
    return fill("compare.html.j2", both.a, both.b, **vars(both))


def compare_runs(a: Path, b: Path) -> Comparison:
    """Both runs side by side. Raises `InputError` when one cannot be read, or they share no task."""
    runs = _read_both(a, b)
    names = [task.name for task in runs[0].results.study.tasks]
    others = [task.name for task in runs[1].results.study.tasks]
    shared = [name for name in names if name in others]
    if not shared:
        what = f"the two runs share no task: {', '.join(names)} here, {', '.join(others)} in {b}"
        raise InputError(Problem(str(a), what, "Name two runs on the same task."))
    return Comparison(
        a=runs[0].results,
        b=runs[1].results,
        tasks=[_shared(runs, name) for name in shared],
        only_a=[task.title for task in runs[0].results.study.tasks if task.name not in shared],
        only_b=[task.title for task in runs[1].results.study.tasks if task.name not in shared],
        settings=_differences(_settings(runs[0], shared), _settings(runs[1], shared)),
    )


def _read_both(a: Path, b: Path) -> tuple[Run, Run]:
    """Both runs; what is wrong with either is said at once."""
    runs, problems = [], []
    for folder in (a, b):
        try:
            runs.append(read_run(folder))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return runs[0], runs[1]


def _shared(runs: tuple[Run, Run], name: str) -> SharedTask:
    results = [run.results for run in runs]
    a, b = (next(task for task in each.study.tasks if task.name == name) for each in results)
    answered = [cell.arm for each in results for cell in each.of_task(name)]
    arms = dict.fromkeys([*answered, *(one.arm for each in results for one in each.failed_of(name))])
    lost = [{arm: [one for one in each.failed_of(name) if one.arm == arm] for arm in arms} for each in results]
    known = a.test_sha256 is not None and b.test_sha256 is not None
    return SharedTask(
        a,
        b,
        a.test_sha256 == b.test_sha256 if known else None,
        (results[0].conclusions_of(name), results[1].conclusions_of(name)),
        [
            (arm, results[0].of_arm(name, arm), results[1].of_arm(name, arm), (lost[0][arm], lost[1][arm]))
            for arm in arms
        ],
    )


def _settings(run: Run, tasks: list[str]) -> dict[str, Any]:
    """The run's settings, those of the shared tasks under the task's name."""
    return run.settings | {"tasks": {name: run.entry(name) for name in tasks}}


def _differences(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Every setting that is not the same in both: its name and both values."""
    ours, theirs = dict(_leaves(a)), dict(_leaves(b))
    names = dict.fromkeys([*ours, *theirs])
    return [
        (name, ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
        for name in names
        if ours.get(name, _ABSENT) != theirs.get(name, _ABSENT)
    ]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each single setting under its full name: `sft.epochs`, `tasks.urgency.margin`; a list is one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else _ABSENT if value is None else str(value)
