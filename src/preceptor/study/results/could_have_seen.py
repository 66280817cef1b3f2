"""Could this study have seen a difference? Without an answer, that it saw none says nothing (ICH E10, section 1.5)."""

from collections.abc import Sequence
from statistics import fmean

from scipy.stats import norm

from preceptor.evidence import number
from preceptor.study.results.cell_schema import Delivered
from preceptor.study.results.conclusion_schema import ControlState, CouldHaveSeen, SpikeFinding
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_evidence import TaskEvidence

FEWEST_CHANGED = 0.05
"""Share of held-out answers that a further stage must have changed to count as delivered."""
_POWER = 0.8


def could_have_seen(evidence: TaskEvidence, spikes: Sequence[SpikeFinding]) -> CouldHaveSeen | None:
    """Of one task and model; None where the study asks of no further stage, or it could not be compared.

    The control passed where preferences, in this study and of this model, removed an error that was put into training
    data on purpose. The stage was delivered where it changed 5% of the held-out answers and left more than half of the
    validation pairs in the right order. What it goes on from had settled where more of the same added less than the
    margin. The smallest difference that shows with 80% power follows from the interval's width, not from the gain.
    """
    question = evidence.question
    if question is None or not evidence.arms[question.b].trained:
        return None
    found = [cell.delivered for cell in evidence.cells.get(question.a, ()) if cell.delivered]
    state, changed, accuracy = control_state(evidence.model, spikes), question.answers_changed, _pair_accuracy(found)
    settled, smallest = _settled(evidence, question), smallest_detectable(question)
    delivered = None if changed is None else changed >= FEWEST_CHANGED and (accuracy is None or accuracy[1] > 0.5)
    sentence = " ".join(
        (
            _CONTROL[state],
            _delivered_words(evidence, question, found, changed, accuracy),
            _settled_words(evidence, question, settled=settled),
            _smallest_words(question, smallest),
        )
    )
    return CouldHaveSeen(
        task=evidence.task.name,
        model=evidence.model,
        control=state,
        steps=fmean(one.kept_step for one in found) if found else None,
        dose=fmean(one.kept_dose for one in found) if found else None,
        answers_changed=changed,
        pair_accuracy=accuracy,
        delivered=delivered,
        settled=settled,
        smallest_detectable=smallest,
        sentence=sentence,
    )


_CONTROL: dict[ControlState, str] = {
    "passed": "Control: passed, preferences removed an error that was put into training data on purpose.",
    "failed": "Control: failed, it is not shown that preferences removed an error put into training data on purpose "
    "and kept the task.",
    "not_run": "Control: not run; a task of this study with `data: {spike: ...}` would be one.",
}


def control_state(model: str, spikes: Sequence[SpikeFinding]) -> ControlState:
    """Whether the positive controls of a study showed that preferences remove an error from a model."""
    found = [one.conclusion for one in spikes if one.model == model]
    if not found:
        return "not_run"
    return "passed" if all(one in ("preferences", "corrections") for one in found) else "failed"


def _pair_accuracy(found: Sequence[Delivered]) -> tuple[float, float] | None:
    both = [
        (one.eval_pair_accuracy_at_start, one.eval_pair_accuracy)
        for one in found
        if one.eval_pair_accuracy_at_start is not None and one.eval_pair_accuracy is not None
    ]
    return (fmean(before for before, _ in both), fmean(after for _, after in both)) if both else None


def _settled(evidence: TaskEvidence, question: Contrast) -> bool | None:
    """Whether more of the same added less than matters; None where the study cannot tell."""
    longer = evidence.control(question.a)
    more = evidence.contrast(longer, question.b) if longer else None
    if more is None or more.descriptive:
        return None
    if more.verdict == "better":
        return False
    return True if more.below_margin else None


def smallest_detectable(contrast: Contrast) -> float | None:
    """The difference that shows with 80% power, in the metric's unit, by the width of the 95% interval.

    None without an interval, and where it has no width: of answers that are all the same, it says nothing."""
    low, high = contrast.ci or (None, None)
    if low is None or high is None or low == high:
        return None
    return (high - low) / 2 * float(norm.ppf(0.975) + norm.ppf(_POWER)) / float(norm.ppf(0.975))


def _delivered_words(
    evidence: TaskEvidence,
    question: Contrast,
    found: Sequence[Delivered],
    changed: float | None,
    accuracy: tuple[float, float] | None,
) -> str:
    parts = []
    if found:
        steps = fmean(one.kept_step for one in found)
        dose = f"{steps:.0f} steps (sum of learning rates {fmean(one.kept_dose for one in found):.1e})"
        parts.append(dose if steps else "0 steps: the weights it began with did best on validation cases")
    if changed is not None:
        parts.append(f"{changed:.0%} of held-out answers differ from {evidence.phrases[question.b]}'s")
    if accuracy is not None:
        parts.append(f"validation pairs in the right order {accuracy[0]:.0%}, then {accuracy[1]:.0%}")
    return f"Delivered: {', '.join(parts)}." if parts else "Delivered: not known."


def _settled_words(evidence: TaskEvidence, question: Contrast, *, settled: bool | None) -> str:
    begun = evidence.phrases[question.b]
    match settled:
        case True:
            return f"{begun} had settled: more of it added less than matters."
        case False:
            return f"{begun} had not settled: more of it was better."
    return f"Whether {begun} had settled is not shown."


def _smallest_words(question: Contrast, smallest: float | None) -> str:
    if smallest is None:
        return "Which difference would have been found cannot be said."
    margin = question.margin
    beside = "" if margin is None else f" (margin {number(margin, beside=margin)})"
    return f"A difference of {number(smallest, beside=margin)} would have been found with 80% power{beside}."
