"""One arm of a finished run, as whoever exports, serves or checks its model needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from preceptor.data import stated_field
from preceptor.engine import Numerics, choose_numerics
from preceptor.errors import InputError, Problem
from preceptor.models import ModelSource, Policy, load_tokenizer, readable_adapter, slot_folders
from preceptor.study.cases import Prepared, prepare, through_view
from preceptor.study.finished.run import AGAIN, Finished, read_finished
from preceptor.study.finished.view_of_arm import asked_by, made_field_of, view_of
from preceptor.study.label_scores.scored import LabelRule
from preceptor.study.other_models import tokens_read
from preceptor.study.predictions.prediction_files import Prediction, read_note, read_predictions
from preceptor.study.results.cell_schema import Cell
from preceptor.study.spec.arms import GENERATE
from preceptor.study.spec.found import find_answer
from preceptor.study.spec.study import Study
from preceptor.study.spec.view import View
from preceptor.tasks import Task


@dataclass(frozen=True, slots=True)
class ArmOfRun:
    """A model that a study measured, with what is needed to ask it again as the study did.

    `task` asks what the arm was asked: the template of its view, where it has one, is the prompt. `source` is the base
    model; `numerics` are those of its answers; `folder` holds `adapter/`, `slots/` or `model/`, and is None where the
    untouched model answered.
    """

    finished: Finished = field(repr=False)
    task: Task
    arm: str
    seed: int
    source: ModelSource
    numerics: Numerics
    folder: Path | None
    predictions_file: Path

    @property
    def study(self) -> Study:
        """The study with every default written out."""
        return self.finished.study

    @property
    def root(self) -> Path:
        """The run folder."""
        return self.finished.run.root

    @property
    def view(self) -> View | None:
        """What it is shown of a case in place of the task's prompt."""
        return view_of(self.finished, self.task.name, self.arm)

    @property
    def made_field(self) -> str | None:
        """The field of its view that the study made of a case's own, if there is one."""
        return made_field_of(self.finished, self.task, self.arm)

    def stated_field(self) -> dict[str, Any]:
        """How that field is made, as JSON values. Raises `InputError` when the data are not on this machine, or are
        not those of the results: it is fitted to training cases.
        """
        cases, name = self.finished.cases(self.task.name), self.made_field
        assert name is not None
        return stated_field(cases.entry.fields[name], cases.task, cases.splits.train)

    @property
    def max_length(self) -> int:
        """The most tokens of a case that its model was given."""
        return tokens_read(self.study, self.source, self.study.arm(self.arm).model)

    @property
    def by_head(self) -> bool:
        """Whether a head gave its labels, so that it writes nothing."""
        return _by_head(self.study, self.arm)

    def head_probabilities(self, policy: Policy, prompts: Sequence[list[int]]) -> Tensor:
        """How probable the head of `policy` finds each label: [prompts, labels]; of an arm that answers by one."""
        way: Any = find_answer(self.study.arm(self.arm).answer)
        several = bool(self.task.set_labels)
        likely: Tensor = way.label_probabilities(policy, prompts, self.numerics, several=several)
        return likely

    def head_text(self, likely: Mapping[str, float], threshold: float | None) -> str:
        """The answer of a head that finds each label so probable; threshold: see the property of that name."""
        way: Any = find_answer(self.study.arm(self.arm).answer)
        text: str = way.text_by(self.task, likely, threshold)
        return text

    @property
    def threshold(self) -> float | None:
        """How probable a label must be to be given, of answers of several labels by a head; None for others."""
        threshold: float | None = read_note(self.predictions_file.parent)["threshold"]
        return threshold

    @property
    def predictions(self) -> list[Prediction]:
        """What the arm answered in the study, in the order of the held-out cases."""
        return read_predictions(self.predictions_file.parent)

    @property
    def label_rule(self) -> LabelRule | None:
        """How label scores became its answers; None where it wrote them, as in runs of versions that had no scores."""
        rule: LabelRule | None = read_note(self.predictions_file.parent)["label_rule"]
        return rule

    @property
    def form(self) -> dict[str, float] | None:
        """Of its free text on validation cases: `cases`, and the shares `readable` and `agreement` with the scores."""
        form: dict[str, float] | None = read_note(self.predictions_file.parent)["form"]
        return form


def open_arm(
    run_folder: Path, task: str, arm: str, seed: int | None = None, *, heads: bool = False, makes: bool = False
) -> ArmOfRun:
    """An arm of a finished run; `seed` is the study's first by default. The data need not be on this machine.

    heads: whether it may answer by a head, and so write nothing. makes: whether it may be shown a field that the study
    made, which is then made of a case's own as `stated_field` says.
    Raises `InputError` when the run is unfinished or changed, does not know a name, or the arm has no model of its own.
    """
    finished = read_finished(run_folder)
    seed = finished.study.seeds[0] if seed is None else seed
    cell = _cell(finished, task, arm, seed, heads=heads)
    numerics = choose_numerics(finished.study.numerics)  # decided when the study began, so nothing is measured here
    root = finished.run.root
    folder = root / cell.policy if cell.policy else None
    slots = slot_folders(folder) if folder is not None else {}
    if folder is not None and not slots and not (folder / "model").is_dir():
        raise InputError(Problem(str(folder), "the tuned model is no longer there", AGAIN))
    predictions = root / cell.predictions.path
    for path in (folder, predictions):
        if path is not None and not path.resolve().is_relative_to(root.resolve()):
            raise InputError(Problem(str(finished.run.results), "it names files outside of its folder", AGAIN))
    if damaged := [slot for slot in slots.values() if not readable_adapter(slot)]:
        fix = f"Delete the folder {folder}; `preceptor study` with this run folder then makes again what was in it."
        raise InputError(Problem(str(damaged[0]), "it was kept by an earlier run and is damaged", fix))
    source = finished.source(finished.study.arm(arm).model)
    asked = asked_by(finished, task, arm, makes=makes)
    found = ArmOfRun(finished, asked, arm, seed, source, numerics.answering, folder, predictions)
    _check_threshold(found, cell)
    return found


def held_out(arm: ArmOfRun) -> Prepared:
    """The held-out cases of the arm's task, read again and cut as they were.

    Raises `InputError` when the data are not on this machine, or are not those of the results.
    """
    cases = through_view(arm.finished.cases(arm.task.name), arm.study.arm(arm.arm).view)
    study = arm.study.model_copy(update={"max_length": arm.max_length})
    return prepare(cases, study, load_tokenizer(arm.source))


def _check_threshold(arm: ArmOfRun, cell: Cell) -> None:
    """Raises `InputError` where the threshold is not that of the results, or does not make the arm's answers of their
    scores: served, it would give other labels than were measured.
    """
    folder, threshold = arm.predictions_file.parent, arm.threshold
    if threshold != cell.threshold:
        what = f"its threshold is not that of {arm.finished.run.results.name}, so one of the two was changed"
    elif threshold is not None and any(
        one.scores is None or arm.head_text(one.scores, threshold) != one.text for one in arm.predictions
    ):
        what = "its threshold does not make the answers that were measured of their scores, so one of these was changed"
    else:
        return
    again = "`preceptor study` with this run folder then makes again what was in it."
    raise InputError(Problem(str(folder), what, f"Delete the folder {folder}; {again}"))


def _by_head(study: Study, arm: str) -> bool:
    return bool(getattr(find_answer(study.arm(arm).answer), "needs_head", False))


def _cell(finished: Finished, task: str, arm: str, seed: int, *, heads: bool) -> Cell:
    """The arm's line of the results; one problem for each name that this run does not know, or why the arm failed."""
    finished.check_not_failed(task, arm, seed)
    cells, study = finished.results.cells, finished.study
    if not heads and arm in study.arm_names and _by_head(study, arm):
        what = f"{arm} answers by a head, which gives labels and writes nothing"
        fix = "Take its model out with `preceptor export`, or name an arm that writes"
        raise InputError(Problem(f"{finished.run.root}, --arm", what, fix))
    ours = [cell for cell in cells if study.arm(cell.arm).answer == GENERATE or (heads and _by_head(study, cell.arm))]

    def unknown(name: str, given: object) -> str:
        there = any(getattr(cell, name) == given for cell in cells)
        return f"{given} has no model of its own" if there else f"this run has no {name} {given}"

    finished.check_known(ours, task, arm, seed, unknown, "Name one of")
    for cell in ours:
        if (cell.task, cell.arm, cell.seed) == (task, arm, seed):
            return cell
    what = f"this run has no answers of {arm} to {task} with seed {seed}"
    raise InputError(Problem(str(finished.run.root), what, AGAIN))
