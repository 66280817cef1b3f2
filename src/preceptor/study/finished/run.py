"""A finished run, read again: its results, its study, and where its data and model may lie."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from preceptor.errors import InputError, Problem
from preceptor.models import MadeModel, ModelSource
from preceptor.study.cases import TaskCases, read_task
from preceptor.study.made_models import kept_models, kept_source
from preceptor.study.other_models import OtherModels, find_other_models
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.provenance import check_results_current
from preceptor.study.run.purge_mark import check_not_purged
from preceptor.study.run.reading import reading
from preceptor.study.run.study_folder import study_folders
from preceptor.study.spec.file import make_study
from preceptor.study.spec.found import find_settings, kind_names
from preceptor.study.spec.paths import further_model, model_of, votes_of
from preceptor.study.spec.study import Study, TaskEntry

_Found = TypeVar("_Found")

AGAIN = "Run `preceptor study` again with this folder; what is finished is not computed again."


@dataclass(frozen=True, slots=True)
class Finished:
    """A run folder whose results stand. `bases`: folders that its relative paths may begin in, likeliest first."""

    run: RunFolder
    results: Results
    study: Study
    bases: tuple[Path, ...]

    @property
    def tasks(self) -> list[str]:
        """The names of its tasks, in the order of the study."""
        return [one.name for one in self.results.study.tasks]

    def check_not_failed(self, task: str, arm: str, seed: int) -> None:
        """Raises `InputError` that says why the arm failed on the task with this seed, if it did."""
        lost = [one for one in self.results.failed if (one.task, one.arm, one.seed) == (task, arm, seed)]
        if not lost:
            return
        why, whole = lost[0], [str(cell.seed) for cell in self.results.of_arm(task, arm)]
        other = f" Or name a seed that did not fail: {', '.join(whole)}." if whole else ""
        what = f"{arm} failed on {task} with seed {seed}, in {why.stage}: {why.reason}"
        again = "Then run `preceptor study` again with this folder; what is finished is not computed again."
        raise InputError(Problem(str(self.run.root), what, f"{why.fix.removesuffix('.')}. {again}{other}"))

    def check_known(
        self, cells: Sequence[Cell], task: str, arm: str, seed: int, what: Callable[[str, object], str], fix: str
    ) -> None:
        """Raises `InputError` with a problem for each of the three names that no cell of `cells` has.

        what: says that of an option's name and the value it was given. fix: goes on with the values there are.
        """
        problems = []
        for name, given in (("task", task), ("arm", arm), ("seed", seed)):
            known = list(dict.fromkeys(getattr(cell, name) for cell in cells))
            if given not in known:
                there = ", ".join(map(str, known)) or "none"
                problems.append(Problem(f"{self.run.root}, --{name}", what(name, given), f"{fix} {there}"))
        if problems:
            raise InputError(problems)

    def source(self, model: str | None = None) -> ModelSource:
        """The model that was tuned, by its name among the study's `models`; None for its `model`.

        Raises `InputError` when it cannot be found from here.
        """
        if model is None:
            return self._first_found(partial(model_of, self.study))
        entry = self.study.other_models[model]
        if isinstance(entry, MadeModel):
            return kept_source(self.study, model, self.run.models)
        return self._first_found(partial(further_model, entry))

    def entry(self, task: str) -> TaskEntry:
        """What the study says of a task."""
        return self.study.tasks[self.tasks.index(task)]

    def cases(self, task: str) -> TaskCases:
        """The task's cases, read and split again, by the task as it was asked. Raises `InputError` when they cannot
        be found from here, or are not those of the results any more.
        """
        entry = self.entry(task).model_copy(update={"task": str(self.run.task(task).resolve())})
        cases = self._first_found(partial(read_task, entry, self.study))
        self._check_same_cases(task, cases)
        return cases

    def other_models(self) -> OtherModels:
        """The study's further models. Raises `InputError` when they cannot be found from here."""
        found = self._first_found(partial(find_other_models, self.study))
        return replace(found, here={**found.here, **kept_models(self.study, self.run.models)})

    def votes(self) -> Path | None:
        """The store of votes that the study names, where it lies; None where it names none."""
        stores = [store for base in self.bases if (store := votes_of(self.study, base))]
        return next((store for store in stores if store.is_file()), stores[0] if stores else None)

    def _first_found(self, find: Callable[[Path], _Found]) -> _Found:
        """What `find` gives for the first of `bases` with which it can. Raises the error of the likeliest if none."""
        problems = []
        for base in self.bases:
            try:
                return find(base)
            except InputError as error:
                problems.append(error)
        raise problems[0]

    def _check_same_cases(self, task: str, cases: TaskCases) -> None:
        with reading(self.run.preflight):
            before = json.loads(self.run.preflight.read_text(encoding="utf-8"))[task]["sha256"]
        if cases.read.sha256 != before:
            what = "the data changed since the study was run, so these are not the cases of its results"
            raise InputError(Problem(cases.where, what, "Put the data back as they were, or run the study again."))


def read_finished(run_folder: Path) -> Finished:
    """The run in `run_folder`. Raises `InputError` when it has no results, they are older than its settings, or its
    models and answers were purged.
    """
    check_not_purged(run_folder)
    check_results_current(run_folder)
    run = RunFolder(run_folder)
    if not run.results.is_file():
        fix = "Name a run folder, as runs/quickstart"
        raise InputError(Problem(str(run_folder), "there is no finished run here", fix))
    with reading(run.results):
        results = Results.model_validate_json(run.results.read_bytes())
    try:
        raw = yaml.safe_load(run.study.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise InputError(Problem(str(run.study), "it cannot be read any more", AGAIN)) from None
    study = make_study(_as_it_was_begun(raw), str(run.study))
    return Finished(run, results, study, study_folders(run_folder))


def _as_it_was_begun(raw: Any) -> Any:
    """The study with what earlier versions did and could not say: they learned labels token by token, as any text, and
    answered in the number format of the training.
    """
    if not isinstance(raw, dict):
        return raw
    begun = _with_token_loss(raw) | {"tasks": [_with_token_loss(entry) for entry in raw.get("tasks") or ()]}
    numerics = raw.get("numerics")
    if isinstance(numerics, dict) and "dtype" in numerics:
        begun["numerics"] = {"answer_dtype": numerics["dtype"]} | numerics
    return begun


def _with_token_loss(raw: Any) -> Any:
    """A study or a task; in its blocks this version writes out the setting that decides the loss."""
    if not isinstance(raw, dict):
        return raw
    setting = "label_token_weight"
    kinds = [name for name in kind_names() if setting in getattr(find_settings(name), "model_fields", ())]
    return raw | {name: {setting: None} | raw[name] for name in kinds if isinstance(raw.get(name), dict)}
