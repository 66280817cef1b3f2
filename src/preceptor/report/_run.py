"""The run folder as the page needs it: the one place where its files are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from preceptor.errors import InputError, Problem, invalid_entries, shortened
from preceptor.report._predictions import other_answers
from preceptor.report.consistency.whole import contradictions
from preceptor.study import Study, make_study
from preceptor.study.results.schema import Results
from preceptor.tasks import Task, load_task

_MOST_PROBLEMS = 5
_AGAIN = "Run `preceptor study` again with this version; what is finished is not computed again."
_CHANGED = "It was changed after the study. Run `preceptor study` again: it writes results.json anew."
_COPY = "It was changed after the study, and what it was computed from is purged: put it back from a copy."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Finding(_Part):
    """Something preflight found: `level` is `fatal` or `warning`, `cases` how many cases it is about.

    Without a `code` an earlier version wrote it, which named cases in its sentences.
    """

    code: str = ""
    level: str
    where: str
    what: str
    cases: int = 0


class SplitCounts(_Part):
    """What is in one split."""

    cases: int
    patients: int
    labels: dict[str, int] = {}


class TaskPreflight(_Part):
    """What was read of one task's data, left out, counted and measured before training."""

    read: int | None = None
    refused: int | None = None
    sha256: str | None = None
    not_drawn: dict[str, int] = {}
    counts: dict[str, SplitCounts] = {}
    lengths: dict[str, dict[str, float]] = {}
    """Split -> `median`, `longest`, `cases_cut` and so on, in tokens."""
    findings: list[Finding] = []


_Preflight = TypeAdapter(dict[str, TaskPreflight])


@dataclass(frozen=True)
class Run:
    """A finished run folder.

    `settings` is `study.yaml`, as text and as YAML read it ({} when it cannot be read); `tasks` holds the task files
    kept with the run. Of one that was `purged` no answer and no case is left.
    """

    folder: Path
    results: Results
    preflight: dict[str, TaskPreflight]
    settings_text: str
    settings: dict[str, Any]
    tasks: dict[str, Task]
    purged: bool = False

    @property
    def study(self) -> Study | None:
        """The study that was run; None where its file is gone, or of a version that had other settings."""
        try:
            return make_study(self.settings, str(self.folder / "study.yaml"))
        except InputError:
            return None

    def entry(self, task: str) -> dict[str, Any]:
        """The task's block in `study.yaml`; tasks stand in the same order there and in the results."""
        names = [each.name for each in self.results.study.tasks]
        entries = self.settings.get("tasks")
        if not isinstance(entries, list) or len(entries) != len(names):
            return {}
        entry = entries[names.index(task)]
        return entry if isinstance(entry, dict) else {}


def read_run(folder: Path) -> Run:
    """Read a run folder. Raises `InputError` when its results are missing, damaged, of a shape no page can show, or
    were changed by hand: their numbers contradict each other, or the answers that they were computed from, or what
    is said does not follow from them.
    """
    run = parse_run(folder)
    answers = () if run.purged else other_answers(folder, run.results)
    wrong = [*answers, *contradictions(run.results, run.study)]
    _refuse(folder / "results.json", wrong, _COPY if run.purged else _CHANGED)
    return run


def parse_run(folder: Path) -> Run:
    """A run folder as `read_run` reads it, of which only the shape is checked."""
    results = _results(folder / "results.json")
    settings_text, settings = _settings(folder / "study.yaml")
    names = [task.name for task in results.study.tasks]
    return Run(
        folder,
        results,
        _preflight(folder / "preflight.json"),
        settings_text,
        settings,
        {name: task for name in names if (task := _task(folder / "tasks" / f"{name}.yaml")) is not None},
        purged=(folder / "purged.json").exists(),
    )


def _results(path: Path) -> Results:
    try:
        return Results.model_validate_json(_text(path))
    except ValidationError as error:
        raise InputError(_problems(path, error)) from error


def _refuse(path: Path, found: Sequence[tuple[str, str]], fix: str) -> None:
    if problems := [Problem(f"{path}, {place}", what, fix) for place, what in found]:
        raise InputError(shortened(problems, _MOST_PROBLEMS, str(path), "entries are wrong", fix))


def _preflight(path: Path) -> dict[str, TaskPreflight]:
    if not path.exists():
        return {}
    try:
        return _Preflight.validate_json(_text(path))
    except ValidationError as error:
        raise InputError(_problems(path, error)) from error


def _settings(path: Path) -> tuple[str, dict[str, Any]]:
    if not path.exists():
        return "", {}
    text = _text(path).decode("utf-8", errors="replace")
    try:
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that no calendar has
        return text, {}
    return text, settings if isinstance(settings, dict) else {}


def _task(path: Path) -> Task | None:
    """The task as it was asked; None when the run holds no file of it that can still be read."""
    try:
        return load_task(str(path)) if path.exists() else None
    except InputError:
        return None


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        what = "there are no results here"
        raise InputError(Problem(str(path), what, "Name the folder of a finished run, such as runs/quickstart.")) from (
            error
        )
    except OSError as error:
        raise InputError(Problem(str(path), "it cannot be read", "Name a folder you may read.")) from error


def _problems(path: Path, error: ValidationError) -> list[Problem]:
    """The first few things that are wrong."""
    found = invalid_entries(error, "entry")
    problems = [Problem(f"{path}, {place}" if place else str(path), what, _AGAIN) for place, what, _ in found]
    return shortened(problems, _MOST_PROBLEMS, str(path), "entries are wrong", _AGAIN)
