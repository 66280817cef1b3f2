"""What of a study remains to be done, as steps of which several may be done at the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from preceptor.errors import InputError
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answering import answers_key, arms_for, is_answered
from preceptor.study.spec.stages import StageRef
from preceptor.study.stage_tree.tree import MissingStage, StageTree

ANSWERS_TITLE = "held-out answers"


@dataclass(frozen=True, slots=True)
class Step:
    """One stage, or an arm's answers to the held-out cases where `stage` is None.

    `arm`: the arm, or the one that ends with the stage. `after`: the step that it needs; None when all that it needs
    stands already.
    """

    task: str
    arm: str
    seed: int
    stage: StageRef | None
    after: "Step | None" = None

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return self.stage.title if self.stage else ANSWERS_TITLE

    def rests_on(self, other: "Step") -> bool:
        """Whether it needs the other step, or one that does."""
        return self.after is not None and (self.after == other or self.after.rests_on(other))

    def __str__(self) -> str:
        return f"{self.task}, {self.title} of {self.arm}, seed {self.seed}"


def remaining_steps(tree: StageTree, tasks: Sequence[Prepared]) -> list[Step]:
    """Every stage and every arm's answers that are missing, each behind the one it needs. Nothing is trained.

    What is sure to fail, as behind a kept file that is damaged, is no step.
    """
    return list(dict.fromkeys(step for prepared in tasks for step in _of_task(tree, prepared)))


def _of_task(tree: StageTree, prepared: Prepared) -> Iterator[Step]:
    name, seen = prepared.task.name, set[str]()
    for seed in tree.study.seeds:
        for arm in arms_for(tree.study, prepared):
            last: Step | None = None
            try:
                found = tree.find(arm, prepared, seed)
                if not isinstance(found, MissingStage):  # deterministic arms answer once for all seeds
                    key = answers_key(tree, prepared, arm, seed, found)
                    if key in seen or is_answered(tree, prepared, arm, key):
                        continue
                    seen.add(key)
            except InputError:
                continue
            for stage in _missing(tree, arm, found):
                yield (last := Step(name, stage.owner, seed, stage, last))
            yield Step(name, arm, seed, None, last)


def _missing(tree: StageTree, arm: str, found: object) -> tuple[StageRef, ...]:
    """The stages that an arm rests on, from the first that is missing."""
    last = tree.study.stage_of(arm)
    if last is None or not isinstance(found, MissingStage):
        return ()
    return last.required[last.required.index(found.stage) :]
