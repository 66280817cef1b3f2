"""What of a study is still to be done, as steps of which several may be done at the same time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from preceptor.errors import InputError
from preceptor.study.answers.arms import answers_key, arms_for, is_answered
from preceptor.study.cases import Prepared
from preceptor.study.run.failures import ANSWERS
from preceptor.study.stages.ledger import Done
from preceptor.study.stages.tree import NotDoneYet, Workshop, chain


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of an arm, or its answers to the held-out cases.

    `number`: how many stages of the arm stand when the step is done. `after`: the step that it needs; None when all
    that it needs stands already.
    """

    task: str
    arm: str
    seed: int
    what: str
    number: int
    after: "Step | None" = None

    def rests_on(self, other: "Step") -> bool:
        """Whether it needs the other step, or one that does."""
        return self.after is not None and (self.after == other or self.after.rests_on(other))

    def __str__(self) -> str:
        return f"{self.task}, {self.what} of {self.arm}, seed {self.seed}"


def steps_left(workshop: Workshop, tasks: Sequence[Prepared]) -> list[Step]:
    """Every stage and every arm's answers that are missing, each behind the one it needs. Nothing is trained.

    What is sure to fail, as behind a kept file that is damaged, is no step.
    """
    looking = replace(workshop, looking=True)
    return list(dict.fromkeys(step for prepared in tasks for step in _of_task(looking, prepared)))


def _of_task(looking: Workshop, prepared: Prepared) -> Iterator[Step]:
    name, asked = prepared.task.name, set[str]()
    for seed in looking.study.seeds:
        for arm in arms_for(looking.study, prepared):
            last, stages = None, chain(arm)
            try:
                found = _found(looking, prepared, arm, seed)
                if len(found) == len(stages):  # arms that chance has no part in answer once for all seeds
                    key = answers_key(looking, prepared, arm, seed, found)
                    if key in asked or is_answered(looking, prepared, arm, key):
                        continue
                    asked.add(key)
            except InputError:
                continue
            for number, (owner, what) in enumerate(stages[len(found) :], start=len(found) + 1):
                yield (last := Step(name, owner, seed, what, number, last))
            yield Step(name, arm, seed, ANSWERS, len(stages), last)


def _found(looking: Workshop, prepared: Prepared, arm: str, seed: int) -> list[Done]:
    """The arm's stages that stand, up to the first that is missing."""
    found = []
    try:
        for done in looking.walk(arm, prepared, seed):
            found.append(done)
    except NotDoneYet:
        pass
    return found
