"""What of a study is still to be done: looked for under its keys, nothing is trained."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from preceptor.study._cells import answers_key, arms_for, is_answered
from preceptor.study._prepare import Prepared
from preceptor.study._stages import NotDoneYet, Workshop


@dataclass(frozen=True, slots=True)
class Left:
    """What one task still needs: last stages by the arm that ends with them, and arms whose answers are missing.

    Both are named once for every seed that needs them.
    """

    prepared: Prepared
    stages: tuple[str, ...]
    answers: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.stages or self.answers)


def what_is_left(workshop: Workshop, prepared: Prepared) -> Left:
    """Look for every stage and every answer of one task. Raises `InputError` for a kept file that is damaged."""
    looking = replace(workshop, looking=True)
    return Left(prepared, tuple(_stages(looking, prepared)), tuple(_answers(looking, prepared)))


def _stages(looking: Workshop, prepared: Prepared) -> Iterator[str]:
    trained = [arm for arm in arms_for(looking.study, prepared) if arm.startswith("sft")]
    wanted = dict.fromkeys(["sft", *trained]) if trained else {}
    for seed in looking.study.seeds:
        for arm in wanted:
            try:
                looking.stages(arm, prepared, seed)
            except NotDoneYet:
                yield arm


def _answers(looking: Workshop, prepared: Prepared) -> Iterator[str]:
    asked = set()
    for arm in arms_for(looking.study, prepared):
        for seed in looking.study.seeds:
            try:
                key = answers_key(looking, prepared, arm, seed, looking.stages(arm, prepared, seed))
            except NotDoneYet:
                yield arm
                continue
            if key not in asked and not is_answered(looking, prepared, arm, key):
                yield arm
            asked.add(key)
