"""Results from Python: what `results.json` says, as a frame, as verdicts, and as a notebook shows it."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from preceptor.interface.console import as_text
from preceptor.interface.paths import path_of
from preceptor.report import read_run, results_html, show_results
from preceptor.study import check_results_current
from preceptor.study.results import cell_schema, schema
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.run.failures import Failure

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """What a run came to. record: the whole of `results.json`, typed; folder: the run folder.

    A notebook shows the values of all arms as a figure and what was found; as text, what a terminal shows.
    """

    folder: Path
    record: schema.Results = field(repr=False)

    @classmethod
    def load(cls, run_folder: str | os.PathLike[str]) -> Self:
        """Read a finished run.

        Raises `InputError` where `preceptor report` does: when results are missing or damaged, older than the study or
        its data, or contradict each other or the answers that they were computed from.
        """
        folder = path_of(run_folder, "run_folder")
        check_results_current(folder)
        return cls(folder, read_run(folder).results)

    @property
    def verdicts(self) -> list[Contrast]:
        """Every comparison of two arms, task by task, primary ones first: `a`, `b`, `delta` (a minus b), `ci` (95%),
        `p_adjusted`, `verdict`, `sentence` and more. docs/EVIDENCE.md says what a verdict means.
        """
        return [contrast for task in self.record.study.tasks for contrast in self.record.contrasts_of(task.name)]

    @property
    def conclusions(self) -> list[Conclusion]:
        """What each task's comparisons come to, with a recommendation."""
        return self.record.conclusions

    @property
    def failed(self) -> list[Failure]:
        """What has no result, why, and what to do. Running the study again tries these again."""
        return self.record.failed

    @property
    def report(self) -> Path:
        """The page for people; opens offline."""
        return self.folder / "report.html"

    def to_frame(self) -> "DataFrame":
        """One row a task, model, arm and seed, without those that failed.

        value: the task's metric on `n` held-out cases of `patients`; low, high: its 95% interval; invalid_rate: share
        of answers that could not be read; training_seconds, optimizer_steps, flops: what training the arm took in all;
        seconds_per_1000, model_bytes: what using it takes.
        """
        import pandas as pd

        return pd.DataFrame([_row(cell) for cell in self.record.cells], columns=_COLUMNS)

    def __str__(self) -> str:
        return as_text(lambda console: show_results(self.record, console))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return results_html(self.record)


def _row(cell: cell_schema.Cell) -> list[Any]:
    low, high = cell.ci or (None, None)
    measured = [cell.metric, cell.value, low, high, cell.n, cell.patients, cell.invalid_rate]
    cost = [cell.cost.seconds, cell.cost.optimizer_steps, cell.cost.flops]
    use = [cell.use.seconds, cell.use.model_bytes] if cell.use else [None, None]
    return [cell.task, cell.model, cell.arm, cell.seed, *measured, *cost, *use]


_COLUMNS = [
    "task", "model", "arm", "seed", "metric", "value", "low", "high", "n", "patients", "invalid_rate",
    "training_seconds", "optimizer_steps", "flops", "seconds_per_1000", "model_bytes",
]  # fmt: skip
