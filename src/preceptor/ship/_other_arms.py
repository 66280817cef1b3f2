"""What the other arms of a run answered to the same cases, and one arm with other seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from preceptor.errors import InputError
from preceptor.ship._asked import bare
from preceptor.ship._cause import Cause
from preceptor.ship._measured_model import NOT_LOADED
from preceptor.study import ArmOfRun, open_arm, read_predictions


@dataclass(frozen=True, slots=True)
class OtherArm:
    """An arm and seed of the run; `texts` are its answers to all held-out cases."""

    name: str
    seed: int
    texts: list[str] = field(repr=False)

    def cause(self, arm: ArmOfRun) -> Cause:
        """Why `arm` is not the one that is served, if this one is."""
        if self.name == "base" and arm.folder is not None:
            return NOT_LOADED
        what = f"another model of the run is served: the answers are those of {self.name}, seed {self.seed}"
        return Cause("arm", what, f"Serve {arm.arm}, seed {arm.seed}")

    def open(self, arm: ArmOfRun) -> ArmOfRun | None:
        """It with its model; None where it has none of its own."""
        try:
            return open_arm(arm.root, arm.task.name, self.name, self.seed)
        except InputError:
            return None


def other_arms(arm: ArmOfRun) -> list[OtherArm]:
    """The run's other arms that answered the task of `arm`, and `arm` with other seeds."""
    return list(_others(arm))


def _others(arm: ArmOfRun) -> Iterator[OtherArm]:
    for cell in arm.finished.results.cells:
        if cell.task == arm.task.name and (cell.arm, cell.seed) != (arm.arm, arm.seed):
            answers = read_predictions((arm.root / cell.predictions.path).parent)
            yield OtherArm(cell.arm, cell.seed, [one.text for one in answers])


def telling_first(arm: ArmOfRun, cases: int, count: int) -> list[int]:
    """At most `count` of the held-out cases, in order: those on which arms of the run differ, then others."""
    measured = [bare(one.text) for one in arm.predictions]
    others = [[bare(text) for text in one.texts] for one in other_arms(arm)]
    telling = [i for i in range(cases) if any(texts[i] != measured[i] for texts in others)]
    rest = sorted(set(range(cases)) - set(telling))
    return sorted([*spread(telling, count), *spread(rest, max(0, count - len(telling)))])


def spread(cases: Sequence[int], count: int) -> list[int]:
    """`count` of them, evenly; all when there are no more."""
    return [cases[i * len(cases) // count] for i in range(count)] if len(cases) > count else list(cases)
