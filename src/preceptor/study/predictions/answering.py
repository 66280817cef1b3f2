"""From an arm to its answers: found in the run folder, or given now."""

from pathlib import Path

from preceptor.engine import release_memory
from preceptor.study.cases import Prepared, cannot_answer
from preceptor.study.predictions.answer_context import AnswerContext
from preceptor.study.predictions.prediction_files import cell_key, copy_predictions, evaluate, finished
from preceptor.study.run.failures import ANSWERS, Part
from preceptor.study.run.locks import folder_lock
from preceptor.study.spec.found import find_answer
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.ledger import StageOutput
from preceptor.study.stage_tree.tree import StageTree


def arms_for(study: Study, prepared: Prepared) -> list[str]:
    """The study's arms that can answer this task."""
    return [arm for arm in study.arm_names if why_left_out(study, prepared, arm) is None]


def why_left_out(study: Study, prepared: Prepared, arm: str) -> str | None:
    """Why an arm cannot answer a task; None where it can."""
    if (view := study.arm(arm).view) and view not in prepared.views:
        return f"the task has no view {view}"
    last = study.stage_of(arm)
    return cannot_answer(study, prepared.seen(view), arm) or next(
        (
            why
            for one in (last.required if last else ())
            if (why := prepared.seen(one.view).unread.get(one.model or ""))
        ),
        None,
    )


def seedless(study: Study, arm: str) -> bool:
    """Whether the arm's answers are the same with every seed."""
    one = study.arm(arm)
    return not one.trained and not one.per_label and bool(find_answer(one.answer).deterministic)


def is_answered(tree: StageTree, prepared: Prepared, arm: str, key: str) -> bool:
    """Whether the answers named `key` stand under any of the study's seeds."""
    return any(finished(cell_folder(tree, prepared, arm, seed), key) for seed in tree.study.seeds)


def cell_folder(tree: StageTree, prepared: Prepared, arm: str, seed: int) -> Path:
    """Where the arm's answers are kept."""
    source = tree.source_of(tree.study.arm(arm).model)
    model = source.title if source.kind == "folder" else source.name.replace("/", "--")
    return tree.run.cell(prepared.task.name, model, arm, seed)


def answers_key(tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput]) -> str:
    """Names everything the arm's answers depend on. A deterministic arm without stages has one key for all seeds."""
    context = _context(tree, prepared, arm, seed, stages)
    return cell_key(find_answer(tree.study.arm(arm).answer).key(context), context.numerics, context.task)


def answered(tree: StageTree, prepared: Prepared, arm: str, seed: int) -> tuple[Path, list[StageOutput]]:
    """Where the arm's answers stand, which are found or given now, and the stages they come from.

    Raises `CellError` when a stage fails, or giving the answers does.
    """
    stages = tree.outputs(arm, prepared, seed)
    folder = cell_folder(tree, prepared, arm, seed)
    with tree.costs_one_cell(Part(prepared.task.name, arm, seed, ANSWERS), prepared):
        key = answers_key(tree, prepared, arm, seed, stages)
        if not finished(folder, key):
            with folder_lock(folder):
                if not finished(folder, key) and not _copied(tree, prepared, arm, folder, key):
                    # Known by the key too: what cannot answer with one seed is not asked again for the next.
                    with tree.costs_one_cell(Part(prepared.task.name, arm, 0, ANSWERS, key), prepared):
                        _answer(tree, prepared, arm, seed, stages, folder, key)
    return folder, stages


def _answer(
    tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput], folder: Path, key: str
) -> None:
    """Have the arm answer every held-out case."""
    release_memory()
    context = _context(tree, prepared, arm, seed, stages)
    answering = find_answer(tree.study.arm(arm).answer).answer(context)
    with tree.progress(f"{prepared.task.name}: held-out answers of {arm}", len(prepared.test)) as advance:
        evaluate(answering, context.task, folder, key, advance)


def _context(tree: StageTree, prepared: Prepared, arm: str, seed: int, stages: list[StageOutput]) -> AnswerContext:
    one = tree.study.arm(arm)
    settings, source = tree.study.block(one.answer), tree.source_of(one.model)
    policy, key = (stages[-1].policy, stages[-1].key) if stages else (None, tree.hash_of(one.model))
    numerics = tree.numerics.answering
    return AnswerContext(tree.study, settings, prepared.given_to(one, seed), source, numerics, seed, policy, key)


def _copied(tree: StageTree, prepared: Prepared, arm: str, folder: Path, key: str) -> bool:
    """Answers under the same key with another seed are those with this one."""
    for seed in tree.study.seeds:
        other = cell_folder(tree, prepared, arm, seed)
        if other != folder and finished(other, key):
            copy_predictions(other, folder)
            return True
    return False
