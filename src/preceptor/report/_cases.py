"""The cases behind a paired table, side by side: only for synthetic cases, or when case text was asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling import differences
from preceptor.report._predictions import predictions_file, read_cell
from preceptor.report._run import Run
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_schema import TaskPart
from preceptor.tasks import Example

_MOST_CASES = 100

_LABEL_TITLES = {
    "only_a": "only {a} right",
    "only_b": "only {b} right",
    "neither": "neither right",
    "both_right": "both right",
}
_TEXT_TITLES = {"only_a": "{a} scored higher", "only_b": "{b} scored higher", "same": "same score"}


@dataclass(frozen=True)
class Case:
    """One held-out case with both answers; `note` and `gold` are empty where the data was not found again."""

    id: str
    note: list[tuple[str, str]] = field(repr=False)
    gold: str = field(repr=False)
    a: Markup = field(repr=False)
    b: Markup = field(repr=False)
    a_score: float
    b_score: float


@dataclass(frozen=True)
class Group:
    """Cases that came out alike: `key` as in the paired table; `left_out` of them are not shown."""

    key: str
    title: str
    cases: list[Case]
    left_out: int

    @property
    def total(self) -> int:
        """How many cases came out so."""
        return len(self.cases) + self.left_out


def find_examples(run: Run, task: TaskPart) -> dict[str, Example]:
    """The task's cases by id, read (or generated) again as the study did; {} when they are not there or changed."""
    from preceptor.data import DataSpec, read_examples  # imports a tokenizer's libraries, which most pages never need
    from preceptor.study import study_folders

    told, asked = run.preflight.get(task.name), run.tasks.get(task.name)
    if told is None or asked is None:
        return {}
    for folder in study_folders(run.folder):
        try:
            spec = DataSpec.model_validate(run.entry(task.name).get("data"))
            if task.synthetic and spec.cases is None:  # a file is only read again where case text was asked for
                return {}
            read = read_examples(spec, asked, folder)
        except (InputError, ValueError, OSError):
            continue
        if read.sha256 == told.sha256:
            return {example.id: example for example in read.examples}
    return {}


def side_by_side(run: Run, task: TaskPart, contrast: Contrast, examples: dict[str, Example]) -> list[Group]:
    """The contrast's cases, first seed, grouped by which arm was right (or, for text, scored higher).

    Raises `InputError` when predictions are missing or no longer those that the results were computed from.
    """
    a, b = (_predictions(run, contrast, arm) for arm in (contrast.a, contrast.b))
    if a is None or b is None:
        return []
    titles = _LABEL_TITLES if task.labels else _TEXT_TITLES
    groups: dict[str, list[Callable[[], Case]]] = {key: [] for key in titles}
    for case_id, ours in a.items():
        if case_id in b:
            key = _outcome(ours["score"], b[case_id]["score"], labels=bool(task.labels))
            groups[key].append(_case(case_id, ours, b[case_id], examples.get(case_id)))
    return [
        Group(key, titles[key], [make() for make in cases[:_MOST_CASES]], max(0, len(cases) - _MOST_CASES))
        for key, cases in groups.items()
    ]


def mark_differences(a: str, b: str) -> tuple[Markup, Markup]:
    """Both texts, escaped, with the words that the other does not have in `<mark>`."""
    ours, theirs = (
        Markup().join(Markup("<mark>{}</mark>").format(text) if marked else escape(text) for text, marked in pieces)
        for pieces in differences(a, b)
    )
    return ours, theirs


def _outcome(a: float, b: float, *, labels: bool) -> str:
    if labels:
        return {(True, True): "both_right", (True, False): "only_a", (False, True): "only_b"}.get(
            (a == 1, b == 1), "neither"
        )
    return "same" if a == b else "only_a" if a > b else "only_b"


def _case(case_id: str, a: dict[str, Any], b: dict[str, Any], example: Example | None) -> Callable[[], Case]:
    """The case, put together only when it is shown: marking differences takes its time."""

    def make() -> Case:
        marked = mark_differences(str(a["text"]), str(b["text"]))
        gold = example.target if example else ""
        return Case(case_id, _note(example), gold, *marked, float(a["score"]), float(b["score"]))

    return make


def _note(example: Example | None) -> list[tuple[str, str]]:
    if example is None:
        return []
    if example.prompt is not None:
        return [(message["role"], message["content"]) for message in example.prompt]
    return list(example.fields.items())


def _predictions(run: Run, contrast: Contrast, arm: str) -> dict[str, dict[str, Any]] | None:
    """Case id -> what the arm answered, first seed compared; None for what is no arm, such as the majority answer."""
    cells = [c for c in run.results.of_arm(contrast.task, arm) if c.model == contrast.model]
    seed = contrast.seeds[0].seed if contrast.seeds else None
    cells.sort(key=lambda cell: cell.seed != seed)  # an arm may have failed with the first seed
    return _read(run, cells[0]) if cells else None


def _read(run: Run, cell: Cell) -> dict[str, dict[str, Any]]:
    path = predictions_file(run.folder, cell)
    if path is None:
        what = "the predictions these results were computed from are not in the run folder"
        where = str(run.folder / cell.predictions.path)
        raise InputError(Problem(where, what, "Run `preceptor study` again with this folder."))
    return read_cell(path, cell)
