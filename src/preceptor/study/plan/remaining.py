"""What of a study is still to be done: looked for under its keys, nothing is trained."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from preceptor.errors import InputError
from preceptor.study.answers.arms import answers_key, arms_for, cell_folder, is_answered
from preceptor.study.answers.predictions import share_answered
from preceptor.study.cases import Prepared
from preceptor.study.run.failures import ANSWERS
from preceptor.study.stages.tree import NotDoneYet, Workshop, chain


@dataclass(frozen=True, slots=True)
class Begun:
    """What was done, before the study was stopped, of something that is left: of a stage, or of an arm's answers."""

    arm: str
    what: str
    share: float


@dataclass(frozen=True, slots=True)
class Left:
    """What one task still needs: last stages by the arm that ends with them, and arms whose answers are missing.

    Both are named once for every seed that needs them.
    """

    prepared: Prepared
    stages: tuple[str, ...]
    answers: tuple[str, ...]
    begun: tuple[Begun, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stages or self.answers)


def what_is_left(workshop: Workshop, prepared: Prepared) -> Left:
    """Look for every stage and every answer of one task. What is sure to fail, and what rests on it, is not left."""
    looking = replace(workshop, looking=True)
    stages, answers = list(_stages(looking, prepared)), list(_answers(looking, prepared))
    begun = [one for _, parts in (*stages, *answers) for one in parts if one.share]
    return Left(prepared, tuple(arm for arm, _ in stages), tuple(arm for arm, _ in answers), tuple(begun))


def _stages(looking: Workshop, prepared: Prepared) -> Iterator[tuple[str, list[Begun]]]:
    trained = [arm for arm in arms_for(looking.study, prepared) if arm.startswith("sft")]
    wanted = dict.fromkeys(["sft", *trained]) if trained else {}
    for seed in looking.study.seeds:
        for arm in wanted:
            done = 0
            try:
                for _ in looking.walk(arm, prepared, seed):
                    done += 1
            except NotDoneYet as missing:
                yield arm, _begun(arm, done, missing.folder)
            except InputError:
                continue


def _begun(arm: str, done: int, folder: Path) -> list[Begun]:
    """Of the arm's own stages: those that are whole, and how far the training in `folder` came."""
    own = [(number, what) for number, (owner, what) in enumerate(chain(arm)) if owner == arm]
    return [
        Begun(arm, what, 1.0 if number < done else _share_trained(folder)) for number, what in own if number <= done
    ]


def _share_trained(folder: Path) -> float:
    """The newest checkpoint's step over all steps."""
    found = sorted(folder.glob("checkpoints/checkpoint-*/trainer_state.json"), key=lambda file: file.stat().st_mtime)
    if not found:
        return 0.0
    state = json.loads(found[-1].read_text(encoding="utf-8"))
    return float(state["global_step"] / state["max_steps"])


def _answers(looking: Workshop, prepared: Prepared) -> Iterator[tuple[str, list[Begun]]]:
    asked = set()
    for arm in arms_for(looking.study, prepared):
        for seed in looking.study.seeds:
            try:
                key = answers_key(looking, prepared, arm, seed, looking.stages(arm, prepared, seed))
                if key not in asked and not is_answered(looking, prepared, arm, key):
                    share = share_answered(cell_folder(looking, prepared, arm, seed), key, len(prepared.test))
                    yield arm, [Begun(arm, ANSWERS, share)]
                asked.add(key)
            except NotDoneYet:
                yield arm, []
            except InputError:
                continue
