"""What of a study remains to be done: looked up under its keys, nothing is trained."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from preceptor.errors import InputError
from preceptor.study.also_asked import share_left, why_not_asked
from preceptor.study.asked_items import Item
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import answers_key, arms_for, cell_folder, is_answered, seedless
from preceptor.study.predictions.prediction_files import share_answered
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.tree import MissingStage, StageTree


@dataclass(frozen=True, slots=True)
class RemainingOutcome:
    """An outcome's items of which an arm, with one seed, was not asked that share yet."""

    arm: str
    items: Sequence[Item] = field(repr=False)
    share: float


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """What one task still needs: stages, and arms whose answers are missing, each with the share that remains; and
    outcomes that arms were not asked.

    A share is between 0 and 1, one for each seed that needs it.
    """

    prepared: Prepared
    stages: dict[StageRef, list[float]]
    answers: dict[str, list[float]]
    outcomes: list[RemainingOutcome] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.stages or self.answers or self.outcomes)


def stages_for(study: Study, prepared: Prepared) -> list[StageRef]:
    """Every stage that the arms which can answer a task rest on, each once, in an order in which they can be done.

    Pairs of one source that two arms learn from are made once, for whichever of them comes first.
    """
    last = [stage for arm in arms_for(study, prepared) if (stage := study.stage_of(arm))]
    first: dict[StageRef, StageRef] = {}
    for stage in (stage for one in last for stage in one.required):
        first.setdefault(replace(stage, owner=""), stage)
    return list(first.values())


def remaining_work(tree: StageTree, prepared: Prepared) -> RemainingWork:
    """Look for every stage and answer of one task. What is sure to fail, and what rests on it, does not remain."""
    remaining = RemainingWork(prepared, {}, {})
    for seed in tree.study.seeds:
        for stage in stages_for(tree.study, prepared):
            try:
                found = tree.find_stage(stage, prepared, seed)
            except InputError:
                continue
            if isinstance(found, MissingStage):
                begun = _share_trained(found.folder) if found.stage == stage else 0.0
                remaining.stages.setdefault(stage, []).append(1 - begun)
    for arm, share in _answers(tree, prepared):
        remaining.answers.setdefault(arm, []).append(share)
    remaining.outcomes.extend(_outcomes(tree, prepared))
    return remaining


def _share_trained(folder: Path) -> float:
    """The newest checkpoint's step over all steps."""
    found = sorted(folder.glob("checkpoints/checkpoint-*/trainer_state.json"), key=lambda file: file.stat().st_mtime)
    if not found:
        return 0.0
    state = json.loads(found[-1].read_text(encoding="utf-8"))
    return float(state["global_step"] / state["max_steps"])


def _answers(tree: StageTree, prepared: Prepared) -> Iterator[tuple[str, float]]:
    """Arms whose answers are missing with a seed, and the share of the cases that remains."""
    seen = set()
    for arm in arms_for(tree.study, prepared):
        for seed in tree.study.seeds:
            try:
                stages = tree.find(arm, prepared, seed)
                if isinstance(stages, MissingStage):
                    yield arm, 1.0
                    continue
                key = answers_key(tree, prepared, arm, seed, stages)
                if key not in seen and not is_answered(tree, prepared, arm, key):
                    yield arm, 1 - share_answered(cell_folder(tree, prepared, arm, seed), key, len(prepared.test))
                seen.add(key)
            except InputError:
                continue


def _outcomes(tree: StageTree, prepared: Prepared) -> Iterator[RemainingOutcome]:
    """What arms were not asked beside the task; an arm that answers alike with every seed is asked with one."""
    study = tree.study
    for name, arm in product(study.also, arms_for(study, prepared)):
        for seed in () if why_not_asked(tree, arm) else study.seeds[: 1 if seedless(study, arm) else None]:
            with suppress(InputError):
                stages = tree.find(arm, prepared, seed)
                stands = None if isinstance(stages, MissingStage) else stages
                items, share = share_left(tree, prepared, arm, seed, stands, name)
                if share:
                    yield RemainingOutcome(arm, items, share)
