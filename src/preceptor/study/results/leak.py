"""Whether what does best on a task is shown the answer: its view holds the label."""

from dataclasses import dataclass
from statistics import fmean

from preceptor.evidence import lower_is_better
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_evidence import TaskEvidence
from preceptor.study.results.task_schema import ViewPart


@dataclass(frozen=True, slots=True)
class Leak:
    """`best`: the arm that did best, and the `view` it is shown; `over`: its contrasts with arms shown no answer."""

    best: str
    view: ViewPart
    over: list[Contrast]


def find_leak(evidence: TaskEvidence) -> Leak | None:
    """The best of all arms, where its view names the answer; None where it does not."""
    best = _best(evidence)
    view = evidence.view(best) if best else None
    if best is None or view is None or not view.names_the_answer:
        return None
    others = [one for (a, _), one in evidence.contrasts.items() if a == best and one.b in evidence.arms]
    return Leak(best, view, [one for one in others if not _named(evidence, one.b)])


def _best(evidence: TaskEvidence) -> str | None:
    """The arm whose mean over seeds is best."""
    values = {}
    for arm, cells in evidence.cells.items():
        if known := [cell.value for cell in cells if cell.value is not None]:
            values[arm] = fmean(known) * (-1 if lower_is_better(evidence.task.metric) else 1)
    return max(values, key=lambda arm: values[arm], default=None)


def _named(evidence: TaskEvidence, arm: str) -> bool:
    view = evidence.view(arm)
    return view is not None and view.names_the_answer
