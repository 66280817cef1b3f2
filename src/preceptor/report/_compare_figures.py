"""What the page of two runs compares, as figures for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preceptor.report._compare import Comparison, SharedTask, compare_runs
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.schema import Results
from preceptor.study.run.failures import Failure


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One of the two runs."""

    study: str
    model: str
    seeds: list[int]
    created: str
    exploratory: bool


@dataclass(frozen=True, slots=True)
class CellFigures:
    """One arm with one seed: its metric on the held-out cases, the 95% interval, and the seconds of its training."""

    seed: int
    value: float | None
    ci: tuple[float | None, float | None] | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm in each run; empty where a run has none of that name."""

    arm: str
    a: list[CellFigures]
    b: list[CellFigures]
    failed_a: list[Failure]
    failed_b: list[Failure]


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One task that both runs have. same_cases: whether on the same held-out cases, None where that is not known."""

    task: str
    metric_a: str
    metric_b: str
    same_cases: bool | None
    conclusions_a: list[Conclusion]
    conclusions_b: list[Conclusion]
    arms: list[ArmFigures]


@dataclass(frozen=True, slots=True)
class SettingFigures:
    """A setting that is not the same in both."""

    setting: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class ComparisonFigures:
    """Two runs side by side; no test stands behind it. only_a, only_b: titles of tasks that one of them alone has."""

    a: RunFigures
    b: RunFigures
    tasks: list[TaskFigures]
    only_a: list[str]
    only_b: list[str]
    settings: list[SettingFigures]


def comparison_figures(a: Path, b: Path) -> ComparisonFigures:
    """What the page of both runs compares. Raises `InputError` when one cannot be read, or they share no task."""
    both: Comparison = compare_runs(a, b)
    return ComparisonFigures(
        _run(both.a),
        _run(both.b),
        [_task(task) for task in both.tasks],
        both.only_a,
        both.only_b,
        [SettingFigures(*differing) for differing in both.settings],
    )


def _run(results: Results) -> RunFigures:
    study = results.study
    return RunFigures(study.name, study.model.title, study.seeds, results.created, results.exploratory)


def _task(task: SharedTask) -> TaskFigures:
    arms = [ArmFigures(arm, _cells(ours), _cells(theirs), *failed) for arm, ours, theirs, failed in task.rows]
    return TaskFigures(task.a.name, task.a.metric, task.b.metric, task.same, *task.conclusions, arms)


def _cells(cells: Sequence[Cell]) -> list[CellFigures]:
    return [CellFigures(cell.seed, cell.value, cell.ci, cell.cost.seconds) for cell in cells]
