"""p-values adjusted for all that a study asks: which of its contrasts are a family, and how each family is adjusted."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from preceptor.evidence import benjamini_hochberg, closed_testing, holm
from preceptor.study.results.contrast_schema import Family, NotCompared

ADJUSTMENT: dict[Family, str] = {"primary": "closed", "gatekeeping": "holm", "secondary": "bh"}


class Tested(NamedTuple):
    """A contrast as its adjustment needs it; `p` is unadjusted."""

    family: Family
    task: str
    model: str
    p: float


def adjusted_p(tested: Sequence[Tested], lost: Sequence[NotCompared]) -> list[float]:
    """The adjusted p of each contrast; those that were lost count with p = 1.

    Primary ones by closed testing, in which those of a task and model are one question; contrasts with a simpler way by
    Holm, the others by Benjamini and Hochberg.
    """
    adjusted = [1.0] * len(tested)
    questions: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(tested):
        if one.family == "primary":
            questions.setdefault((one.task, one.model), []).append(number)
    missing = Counter((one.task, one.model) for one in lost if one.family == "primary")
    asked = list(dict.fromkeys([*questions, *missing]))
    numbers = [questions.get(question, []) for question in asked]
    own = [[tested[n].p for n in some] + [1.0] * missing[q] for q, some in zip(asked, numbers, strict=True)]
    families = list(zip(numbers, closed_testing(own), strict=True))
    for family, adjust in (("gatekeeping", holm), ("secondary", benjamini_hochberg)):
        members = [number for number, one in enumerate(tested) if one.family == family]
        others = [1.0] * sum(one.family == family for one in lost)
        families.append((members, adjust([tested[number].p for number in members] + others)))
    for members, values in families:
        for number, p in zip(members, values, strict=False):  # behind them stand those that were lost
            adjusted[number] = p
    return adjusted
