"""Whether a simpler way is better than the best of the language models that a study asks about."""

from dataclasses import dataclass
from statistics import fmean

from preceptor.evidence import lower_is_better
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_evidence import TaskEvidence
from preceptor.study.spec.arms import MAJORITY
from preceptor.study.spec.found import find_answer


@dataclass(frozen=True, slots=True)
class Simpler:
    """`best`: the arm with a language model that did best; each of `ways` is better than it, by its contrast."""

    best: str
    ways: dict[str, Contrast]


def better_and_simpler(evidence: TaskEvidence) -> Simpler | None:
    """The ways without a language model that writes, or with only more of the stage before, that are `better` than the
    best arm of the study's question; None where none is, or none was compared with that arm.
    """
    best = _best(evidence)
    if best is None:
        return None
    found = {way: contrast for way in _simple(evidence, best) if (contrast := _better(evidence, way, best))}
    return Simpler(best, found) if found else None


def _best(evidence: TaskEvidence) -> str | None:
    """Of the arms that the question is about, and the untouched model, the one whose mean over seeds is best."""
    values = {}
    for arm in (*reversed(evidence.trained), *evidence.untouched):
        known = [cell.value for cell in evidence.cells.get(arm, ()) if cell.value is not None]
        if known:
            values[arm] = fmean(known) * (-1 if lower_is_better(evidence.task.metric) else 1)
    return max(values, key=lambda arm: values[arm], default=None)


def _simple(evidence: TaskEvidence, best: str) -> list[str]:
    """Simpler ways that the study has, classifiers, and the control of the treatment where it beats that too."""
    arms, asked = evidence.arms, evidence.asked
    without = [name for name in evidence.simpler if name != best and not _known_after(evidence, name)]
    heads = [name for name in arms if name not in (*evidence.tuned, *without) and _reads_head(evidence, name)]
    longer = evidence.control(asked[0]) if asked else None
    more = [longer] if longer and asked and evidence.verdict(longer, asked[0]) == "better" else []
    return [*without, *([] if _reads_head(evidence, best) else heads), MAJORITY, *more]


def _known_after(evidence: TaskEvidence, arm: str) -> bool:
    """Whether what the arm is shown is known only when the decision was made, so that it replaces nothing."""
    view = evidence.view(arm)
    return view is not None and view.known == "after"


def _reads_head(evidence: TaskEvidence, arm: str) -> bool:
    return bool(getattr(find_answer(evidence.arms[arm].answer), "needs_head", False))


def _better(evidence: TaskEvidence, way: str, best: str) -> Contrast | None:
    if evidence.verdict(way, best) != "better":
        return None
    return evidence.contrast(way, best) or evidence.contrast(best, way)
