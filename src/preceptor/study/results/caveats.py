"""What must stand beside a conclusion: warnings, and what a committee is advised to do."""

from preceptor.study.results.schema import ConclusionKind, Recommendation
from preceptor.study.results.task_evidence import TaskEvidence
from preceptor.study.run.failures import in_words
from preceptor.study.spec.arms import MAJORITY
from preceptor.study.spec.found import find_answer

_MOST_INVALID = 0.05
_LONGEST = 1.25


def warnings(evidence: TaskEvidence, arm: str | None) -> list[str]:
    """Everything a reader must know beside the conclusion. `arm` is the one it leaves to be used, if any."""
    arm = arm if arm in evidence.tuned else next(reversed(evidence.trained), None)
    return [
        *_about_failures(evidence),
        *_about_cases(evidence),
        *(line for each in evidence.cells for line in _about_answers(evidence, each)),
        *_about_seeds(evidence),
        *(_not_beaten(evidence, arm) if arm else ()),
    ]


def recommendation(
    evidence: TaskEvidence, conclusion: ConclusionKind, arm: str | None, *, spoiled: bool = False
) -> Recommendation:
    """What a committee is advised to do; `pilot silently` only where nothing speaks against `arm`."""
    if evidence.task.spike:
        return "do not deploy"
    if conclusion in ("not_enough_cases", "descriptive"):
        return "more cases"
    if conclusion == "unsettled":
        return "do not deploy" if spoiled else "more cases"
    if arm is None or conclusion == "dpo_harms" or _speaks_against(evidence, arm):
        return "do not deploy"
    return "more cases" if evidence.task.looked_at_before or evidence.task.leakage else "pilot silently"


def _speaks_against(evidence: TaskEvidence, arm: str) -> bool:
    """Synthetic cases, answers that cannot be read, one answer for all, or a simpler way not beaten."""
    if evidence.task.synthetic or evidence.invalid_rate(arm) > _MOST_INVALID or evidence.only_label(arm):
        return True
    simple = [one for one in evidence.others if not find_answer(evidence.arms[one].answer).language_model]
    return any(evidence.verdict(evidence.begun(arm), one) not in ("better", None) for one in (*simple, MAJORITY))


def _about_failures(evidence: TaskEvidence) -> list[str]:
    return [
        f"{_capital(in_words(failed, evidence.phrases))}: "
        + ("it is compared over the other seeds only." if arm in evidence.cells else "nothing is known of it here.")
        for arm, failed in evidence.failed.items()
    ]


def _about_cases(evidence: TaskEvidence) -> list[str]:
    lines = list(evidence.task.leakage)
    if evidence.task.looked_at_before:
        lines.append(f"These held-out cases were looked at {evidence.task.looks} times: this result is exploratory.")
    if evidence.task.synthetic:
        lines.append("The cases are synthetic: nothing here is about patients.")
    if spike := evidence.task.spike:
        lines.append(
            f'The training data are not the archive as it was: an error, "{spike.text}", was put into '
            f"{spike.share:.0%} of the answers on purpose. No model trained on them is for use."
        )
    if absent := evidence.absent_labels():
        lines.append(f"No held-out case is {_listed(absent)}, so nothing is known about it.")
    question = evidence.question
    if question and question.family != "primary":
        lines.append("The comparison that decides was not named primary in the study.")
    return lines


def _about_answers(evidence: TaskEvidence, arm: str) -> list[str]:
    title = _capital(evidence.phrases[arm])
    lines = []
    if (rate := evidence.invalid_rate(arm)) > _MOST_INVALID:
        lines.append(f"{title}: {rate:.0%} of the answers could not be read; they count as wrong.")
    if label := evidence.only_label(arm):
        lines.append(f'{title} gave one answer only, "{label}".')
    elif arm in evidence.tuned and (missed := evidence.never_predicted(arm)):
        lines.append(f"{title} never answered {_listed(missed)}.")
    ratio = evidence.length_ratio(arm) if arm in evidence.tuned else None
    if ratio is not None and ratio > _LONGEST:
        lines.append(f"{title}: answers are {ratio:.1f} times as long as the right ones.")
    return lines


def _about_seeds(evidence: TaskEvidence) -> list[str]:
    question = evidence.question
    if question is None:
        return []
    deltas = [seed.delta for seed in question.seeds]
    if min(deltas) < 0 < max(deltas):
        arms = f"{evidence.phrases[question.a]} and {evidence.phrases[question.b]}"
        return [f"The seeds disagree on which of {arms} is better."]
    return []


def _not_beaten(evidence: TaskEvidence, arm: str) -> list[str]:
    """The simpler or larger ways that `arm` is not shown to be better than."""
    begun, base = evidence.begun(arm), evidence.base
    tuned = begun if base and evidence.contrast(begun, base) else arm
    others = (*evidence.untouched, *evidence.others, evidence.control(arm), MAJORITY)
    return [
        f"{_capital(evidence.phrases[tuned])} is not shown to be better than {evidence.phrases[other]}."
        for other in others
        if other and other != base and evidence.verdict(tuned, other) not in ("better", None)
    ]


def _listed(labels: list[str]) -> str:
    return " or ".join(f'"{label}"' for label in labels)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
