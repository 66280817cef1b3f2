"""What must stand beside a conclusion: warnings, and what a committee is advised to do."""

from preceptor.study.results.conclusion_schema import ConclusionKind, Recommendation
from preceptor.study.results.task_evidence import TaskEvidence
from preceptor.study.run.failures import in_words
from preceptor.study.spec.arms import MAJORITY

_MOST_INVALID = 0.05
_LONGEST = 1.25
_FEW = 5  # labels that a sentence names
_FEWEST_SEEDS = 3
"""Before anybody is advised to pilot a tuned model."""

_ADVICE: dict[ConclusionKind, tuple[Recommendation, str]] = {
    "descriptive": ("more cases", "these only describe what the models did"),
    "unsettled": ("do not deploy", "the conclusion leaves no arm to use"),
    "sft_not_settled": ("do not deploy", "train SFT until more of it no longer helps, then ask again"),
    "dpo_not_delivered": ("do not deploy", "deliver it first: more pairs, more steps or a higher learning rate"),
    "could_not_have_seen": ("do not deploy", "the study has to show first that it could have seen a gain"),
    "dpo_harms": ("do not deploy", "harm was shown"),
    "names_the_answer": ("do not deploy", "what does best is shown the answer, which no new case brings"),
    "simpler_is_better": ("do not deploy", "a simpler way does better: take that, or train until the model beats it"),
}
"""What follows from a conclusion by itself; after any other, what speaks against the arm it leaves decides."""


def warnings(evidence: TaskEvidence, arm: str | None) -> list[str]:
    """Everything a reader must know beside the conclusion. `arm` is the one it leaves to be used, if any."""
    arm = arm if arm in evidence.tuned else next(reversed(evidence.trained), None)
    return [
        *_about_failures(evidence),
        *_about_cases(evidence),
        *_about_views(evidence),
        *(line for each in evidence.cells for line in _about_answers(evidence, each)),
        *_about_seeds(evidence),
        *(_not_beaten(evidence, arm) if arm else ()),
    ]


def recommendation(
    evidence: TaskEvidence, conclusion: ConclusionKind, arm: str | None, *, spoiled: bool = False, needed: bool = False
) -> tuple[Recommendation, str]:
    """What a committee is advised to do, and what decided it; `pilot silently` only where nothing speaks against `arm`.

    needed: more patients are known to settle what stayed open.
    """
    if evidence.task.spike:
        return "do not deploy", "the training data hold an error on purpose"
    if conclusion == "not_enough_cases" or (conclusion == "unsettled" and needed and not spoiled):
        return "more cases", "these are too few to tell"
    if conclusion in _ADVICE:
        return _ADVICE[conclusion]
    if arm is None or (against := _speaks_against(evidence, arm)):
        return "do not deploy", against if arm else "no arm is left to use"
    if evidence.task.leakage:
        return "more cases", "held-out cases leaked into training"
    if evidence.task.looked_at_before:
        return "more cases", "these held-out cases were looked at before"
    if evidence.arms[arm].trained and len(evidence.cells[arm]) < _FEWEST_SEEDS:
        return "more seeds", f"a pilot needs {_FEWEST_SEEDS}, since training anew may give another model"
    return "pilot silently", "nothing in this study speaks against it"


def _speaks_against(evidence: TaskEvidence, arm: str) -> str:
    """A view known too late or that holds the answer, synthetic cases, unreadable answers, one answer for all, or no
    simpler way that was tested and beaten.
    """
    if (view := evidence.view(arm)) and view.known == "after":
        return "what it is shown is known only after the decision"
    if view and view.names_the_answer:
        return "what it is shown holds the answer"
    if evidence.task.synthetic:
        return "the cases are synthetic"
    if (rate := evidence.invalid_rate(arm)) > _MOST_INVALID:
        return f"{rate:.0%} of its answers could not be read"
    if evidence.only_label(arm):
        return "it gives every case the same answer"
    verdicts = {one: evidence.verdict(evidence.begun(arm), one) for one in (*evidence.simpler, MAJORITY)}
    if lost := [one for one, verdict in verdicts.items() if verdict not in ("better", None)]:
        return f"it is not shown to be better than {evidence.phrases[lost[0]]}"
    return "" if "better" in verdicts.values() else "it was compared with no simpler way"


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


def _about_views(evidence: TaskEvidence) -> list[str]:
    """Views that hold the answer, or are not there when it is needed, of arms that have answers."""
    shown = [evidence.arms[arm].view for arm in evidence.cells]
    views = [one for one in evidence.task.views if one.name in shown]
    named = [one for one in views if one.names_the_answer]
    return [
        *(f"The view {one.name} holds the case's own label in {one.label_share:.0%} of the cases." for one in named),
        *(
            f"The view {one.name} is known only after the decision: no arm that is shown it is for use."
            for one in views
            if one.known == "after"
        ),
    ]


def _about_answers(evidence: TaskEvidence, arm: str) -> list[str]:
    title = _capital(evidence.phrases[arm])
    lines = []
    if (rate := evidence.invalid_rate(arm)) > _MOST_INVALID:
        lines.append(f"{title}: {rate:.0%} of the answers could not be read; they count as wrong.")
    if label := evidence.only_label(arm):
        lines.append(f'{title} gave one answer only, "{label}".')
    elif arm in evidence.tuned and (missed := evidence.never_predicted(arm)):
        few = _listed(missed) if len(missed) <= _FEW else f"{len(missed)} of the labels"
        lines.append(f"{title} never answered {few}.")
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
    others = dict.fromkeys((*evidence.untouched, *evidence.others, *evidence.simpler, evidence.control(arm), MAJORITY))
    return [
        f"{_capital(evidence.phrases[tuned])} is not shown to be better than {evidence.phrases[other]}."
        for other in others
        if other and other != base and evidence.verdict(tuned, other) not in ("better", None)
    ]


def _listed(labels: list[str]) -> str:
    return " or ".join(f'"{label}"' for label in labels)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
