"""Whether any training adds what matters to the untouched model."""

from dataclasses import dataclass

from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_evidence import TaskEvidence


@dataclass(frozen=True, slots=True)
class Untouched:
    """`arm`, to which none of the arms asked about adds what matters, by the contrasts `under` it. `gain`: where an arm
    that the study does not turn on, such as a classifier or more SFT, was better than one of them.
    """

    arm: str
    under: list[Contrast]
    gain: Contrast | None


def find_untouched(evidence: TaskEvidence) -> Untouched | None:
    """The first untouched model, with or without examples, to which no arm of the study's question adds what matters;
    None where there is none.
    """
    for arm in evidence.untouched:
        found = [evidence.contrast(trained, arm) for trained in evidence.trained]
        under = [one for one in found if one and (one.verdict == "worse" or one.below_margin)]
        if len(under) == len(found):
            return Untouched(arm, under, _gain(evidence, arm))
    return None


def _gain(evidence: TaskEvidence, untouched: str) -> Contrast | None:
    """Of another trained arm: over the untouched model by what may matter, or over an arm that is not worse than it."""
    asked = evidence.trained
    others = [arm.name for arm in evidence.arms.values() if arm.trained and arm.name not in asked]
    for arm in others:
        over = evidence.contrast(arm, untouched)
        if over and over.verdict == "better" and not over.below_margin:
            return over
        for other in asked:
            if evidence.verdict(arm, other) == "better" and evidence.verdict(other, untouched) != "worse":
                return evidence.contrast(arm, other) or evidence.contrast(other, arm)
    return None
