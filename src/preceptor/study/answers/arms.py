"""From an arm to its answers: found in the run folder, or given now."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preceptor.engine import Cost, let_go, timed
from preceptor.files import digest
from preceptor.models import ModelSource, Policy, load_policy, load_tokenizer
from preceptor.preferences import cannot_make
from preceptor.study.answers.endpoint import asked_of
from preceptor.study.answers.generate import held_to_labels, in_own_words
from preceptor.study.answers.predictions import (
    cell_key,
    copy_predictions,
    evaluate,
    finished,
)
from preceptor.study.answers.shots import Shots, with_shots
from preceptor.study.answers.tfidf import answered_by, case_text, learn
from preceptor.study.cases import Prepared
from preceptor.study.run.alone import alone_in
from preceptor.study.run.failures import ANSWERS, Part
from preceptor.study.spec.study import Study
from preceptor.study.stages.ledger import Done
from preceptor.study.stages.tree import Workshop


def arms_for(study: Study, prepared: Prepared) -> list[str]:
    """The study's arms that can answer this task."""
    return [arm for arm in study.arms if why_left_out(study, prepared, arm) is None]


def why_left_out(study: Study, prepared: Prepared, arm: str) -> str | None:
    """Why an arm cannot answer a task; None where it can."""
    if arm == "tfidf" and not prepared.task.labels:
        return "it gives labels only"
    maker = study.maker_of(arm)
    if maker and arm.startswith(("sft+dpo", "sft+sft")):
        why = cannot_make(maker, prepared.task, prepared.splits.train)
        return f"its pairs come from {maker}: {why}" if why else None
    return None


def is_answered(workshop: Workshop, prepared: Prepared, arm: str, key: str) -> bool:
    """Whether the answers named `key` stand under any of the study's seeds."""
    seeds = workshop.study.seeds
    return any(finished(cell_folder(workshop, prepared, arm, seed), key) for seed in seeds)


def cell_folder(workshop: Workshop, prepared: Prepared, arm: str, seed: int) -> Path:
    """Where the arm's answers are kept."""
    return workshop.run.cell(prepared.task.name, _folder_name(workshop.source), arm, seed)


def answers_key(workshop: Workshop, prepared: Prepared, arm: str, seed: int, done: Sequence[Done]) -> str:
    """Names everything the arm's answers depend on. An arm that chance has no part in has one key for all seeds."""
    match arm:
        case "tfidf":
            splits = prepared.splits
            parts = (splits.train, splits.validation, splits.test)
            told = [[[case_text(prepared.task, e), e.target] for e in part] for part in parts]
            who = digest(["tfidf", told, [prepared.task.format_answer(label) for label in prepared.task.labels]])
        case "endpoint":
            assert workshop.study.endpoint is not None
            who = digest(["endpoint", workshop.study.endpoint.url, workshop.study.endpoint.model])
        case "base+shots":
            who = digest(["base+shots", workshop.model_hash, _shots(workshop, prepared, seed).prompts])
        case _:
            who = done[-1].key if done else workshop.model_hash
    return cell_key(who, workshop.numerics, prepared)


def answered(workshop: Workshop, prepared: Prepared, arm: str, seed: int) -> tuple[Path, list[Done]]:
    """Where the arm's answers stand, which are found or given now, and the stages they come from.

    Raises `CellError` when a stage fails, or giving the answers does.
    """
    done = workshop.stages(arm, prepared, seed)
    folder = cell_folder(workshop, prepared, arm, seed)
    part = Part(prepared.task.name, arm, seed, ANSWERS)
    with workshop.costs_one_cell(part, prepared):
        key = answers_key(workshop, prepared, arm, seed, done)
        if not finished(folder, key):
            with alone_in(folder):
                if not finished(folder, key) and not _copied(workshop, prepared, arm, folder, key):
                    # Known by the key too: what cannot answer with one seed is not asked again for the next.
                    with workshop.costs_one_cell(Part(prepared.task.name, arm, 0, ANSWERS, key), prepared):
                        _answer(workshop, prepared, arm, seed, done, folder, key)
    return folder, done


def _answer(
    workshop: Workshop, prepared: Prepared, arm: str, seed: int, done: Sequence[Done], folder: Path, key: str
) -> None:
    """Have the arm answer every held-out case."""
    task, study = prepared.task, workshop.study
    cost, note = Cost(), dict[str, Any]()
    let_go()
    match arm:
        case "tfidf":
            with timed() as cost:
                predict = learn(prepared)
            answerer = answered_by(predict, prepared)
        case "endpoint":
            assert study.endpoint is not None
            answerer = asked_of(study.endpoint, prepared)
        case "base+shots":
            shots, policy = _shots(workshop, prepared, seed), _policy(workshop, None)
            note["shots"] = {str(shown): prompts for shown, prompts in sorted(shots.shown.items())}
            if task.labels:
                answerer = held_to_labels(policy, task, shots.prompts, workshop.numerics, study.max_length)
            else:
                answerer = in_own_words(policy, shots.prompts, task.answer.max_new_tokens)
        case _:
            policy = _policy(workshop, done[-1].policy if done else None)
            answerer = in_own_words(policy, prepared.test, task.answer.max_new_tokens)
    with workshop.progress(f"{task.name}: held-out answers of {arm}", len(prepared.test)) as advance:
        evaluate(answerer, prepared, folder, key, advance, preparation=cost, note=note)


def _copied(workshop: Workshop, prepared: Prepared, arm: str, folder: Path, key: str) -> bool:
    """An arm that chance has no part in answers alike with every seed: one seed's answers are all seeds' answers."""
    for seed in workshop.study.seeds:
        other = cell_folder(workshop, prepared, arm, seed)
        if other != folder and finished(other, key):
            copy_predictions(other, folder)
            return True
    return False


def _policy(workshop: Workshop, folder: Path | None) -> Policy:
    return load_policy(workshop.source, folder, dtype=workshop.numerics.torch_dtype)


def _shots(workshop: Workshop, prepared: Prepared, seed: int) -> Shots:
    study = workshop.study
    return with_shots(prepared, load_tokenizer(workshop.source), study.shots.count, study.max_length, seed)


def _folder_name(source: ModelSource) -> str:
    return source.title if source.kind == "folder" else source.name.replace("/", "--")
