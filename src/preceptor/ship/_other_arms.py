"""The answers of the run's other arms and seeds to the same cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from preceptor.errors import InputError
from preceptor.ship._cause import Cause
from preceptor.ship._measured_model import NOT_LOADED
from preceptor.ship._replayed import stripped
from preceptor.study import ArmOfRun, Prediction, open_arm, read_predictions


@dataclass(frozen=True, slots=True)
class OtherArm:
    """Another arm or seed; `predictions` are its answers to all held-out cases."""

    name: str
    seed: int
    predictions: list[Prediction] = field(repr=False)

    def cause(self, arm: ArmOfRun) -> Cause:
        """The cause to report if this model is served instead of `arm`."""
        if self.name == "base" and arm.folder is not None:
            return NOT_LOADED
        what = f"another model of the run is served: the answers are those of {self.name}, seed {self.seed}"
        return Cause("arm", what, f"Serve {arm.arm}, seed {arm.seed}")

    def open(self, arm: ArmOfRun) -> ArmOfRun | None:
        """This arm with its model; None if it has no model of its own."""
        try:
            return open_arm(arm.root, arm.task.name, self.name, self.seed)
        except InputError:
            return None


def other_arms(arm: ArmOfRun) -> Iterator[OtherArm]:
    """The run's other arms on the task of `arm`, and `arm` with other seeds."""
    for cell in arm.finished.results.cells:
        if cell.task == arm.task.name and (cell.arm, cell.seed) != (arm.arm, arm.seed):
            yield OtherArm(cell.arm, cell.seed, read_predictions((arm.root / cell.predictions.path).parent))


def discriminating_first(arm: ArmOfRun, cases: int, count: int) -> list[int]:
    """At most `count` indices of held-out cases, in order: first those on which the run's arms differ."""
    measured = [stripped(one.text) for one in arm.predictions]
    others = [[stripped(answer.text) for answer in one.predictions] for one in other_arms(arm)]
    discriminating = [i for i in range(cases) if any(texts[i] != measured[i] for texts in others)]
    rest = sorted(set(range(cases)) - set(discriminating))
    return sorted([*evenly_spaced(discriminating, count), *evenly_spaced(rest, max(0, count - len(discriminating)))])


def evenly_spaced(cases: Sequence[int], count: int) -> list[int]:
    """`count` of them at even distances; all when there are no more."""
    return [cases[i * len(cases) // count] for i in range(count)] if len(cases) > count else list(cases)
