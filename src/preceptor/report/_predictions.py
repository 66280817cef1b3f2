"""The answers that results were computed from, as they lie in the run folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.evidence import find_metric, metric_names
from preceptor.files import digest_file, read_jsonl
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results

_AGAIN = "Run `preceptor study` again with this folder."
_CLOSED = ("these predictions cannot be read", "Give yourself the right to read the folder `cells`.")
_ROUNDING = 1e-6


def other_answers(folder: Path, results: Results) -> Iterator[tuple[str, str]]:
    """Where the results say something else than the predictions that lie in the run folder, and what is wrong there.

    Raises `InputError` when these predictions are not those that the results were computed from, or cannot be read.
    """
    means = {task.name for task in results.study.tasks if not task.labels and _is_mean(task.metric)}
    for number, cell in enumerate(results.cells):
        path = predictions_file(folder, cell)
        if path is None:
            continue
        rows = read_cell(path, cell)
        if len(rows) != cell.n:
            yield f"cells.{number}.n", f"it is {cell.n}, and {len(rows)} answers were given"
        elif rows and cell.task in means and _differs(cell.value, rows):
            yield f"cells.{number}.value", "it is not the mean of the scores of its answers"


def _is_mean(metric: str) -> bool:
    """Whether a metric is the mean of the scores of its cases."""
    return metric in metric_names() and find_metric(metric).score is not None


def _differs(value: float | None, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    return value is not None and abs(fmean(row["score"] for row in rows.values()) - value) > _ROUNDING


def predictions_file(folder: Path, cell: Cell) -> Path | None:
    """Where the cell's answers lie; None where they are not in the run folder. Raises `InputError` where nobody may
    look.
    """
    path = folder / cell.predictions.path
    try:
        return path if path.resolve().is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, RuntimeError) as error:  # the latter of links that lead in a circle
        raise InputError(Problem(str(path), *_CLOSED)) from error


def read_cell(path: Path, cell: Cell) -> dict[str, dict[str, Any]]:
    """Case id -> the text and the score of its answer, and its snippets, None where none were weighed. Raises
    `InputError` when these are not the cell's.
    """
    try:
        as_computed = digest_file(path) == cell.predictions.sha256
    except OSError as error:
        raise InputError(Problem(str(path), *_CLOSED)) from error
    if not as_computed:
        what = "these predictions were changed since the results were computed from them"
        raise InputError(Problem(str(path), what, _AGAIN))
    try:
        return {
            str(row["id"]): {"text": row["text"], "score": float(row["score"]), "snippets": row.get("snippets")}
            for row in read_jsonl(path)
        }
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(Problem(str(path), "these predictions cannot be read", "Delete its folder.")) from error
