"""What was found in a study before anything is trained."""

from dataclasses import dataclass, field

from preceptor.data import Preflight
from preceptor.errors import Problem


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """What `preceptor check` finds, typed. Names no text of a case; findings of a task may name cases by their ids.

    problems: all that is fatal; warnings: what is not, beside what the tasks' data hold; tasks: counts, lengths and
    findings of each task's cases. As text, what a terminal shows.
    """

    problems: list[Problem]
    warnings: list[Problem]
    tasks: list[Preflight]
    _shown: str = field(compare=False)

    @property
    def ready(self) -> bool:
        """Whether the study can be run."""
        return not self.problems

    def __str__(self) -> str:
        errors = [f"error {problem}" for problem in self.problems]
        return "\n".join([self._shown, *(errors or ["Ready to train."])]).strip("\n")

    __repr__ = __str__
