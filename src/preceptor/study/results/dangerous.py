"""Cases that must not be missed: whether one arm finds as many of them as another, to within a margin, and in words."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from preceptor.evidence import INVALID_CODE, Sample, fewest_for_margin, number, share_difference
from preceptor.study.cases import Prepared
from preceptor.study.disclosure import FEWEST_PATIENTS
from preceptor.study.results.cells import dangerous_labels
from preceptor.study.results.contrast_schema import Contrast, Dangerous, Detected


def dangerous_of(prepared: Prepared, ours: Sequence[Sample], theirs: Sequence[Sample]) -> Dangerous | None:
    """What two arms, one sample a seed each, make of dangerous cases, over all seeds; None where the task names none.

    A case counts as dangerous, by its gold label or by an answer, with any of the dangerous labels.
    """
    labels = dangerous_labels(prepared)
    if not labels:
        return None
    codes = [prepared.task.labels.index(label) for label in labels]
    gold, groups = ours[0].labels()[0], ours[0].groups
    a, b = (np.array([one.labels()[1] for one in samples]) for samples in (ours, theirs))
    at_risk = np.isin(gold, codes)
    caught_a, caught_b = np.isin(a, codes), np.isin(b, codes)
    # An answer that cannot be read is wrong: it finds no dangerous case, and clears none that is not.
    cleared_a, cleared_b = ~caught_a & (a != INVALID_CODE), ~caught_b & (b != INVALID_CODE)
    return Dangerous(
        labels=list(labels),
        lost=int(np.sum(at_risk & caught_b & ~caught_a)),
        gained=int(np.sum(at_risk & caught_a & ~caught_b)),
        seeds=len(ours),
        sensitivity=_detected(groups, caught_a, caught_b, at_risk),
        specificity=_detected(groups, cleared_a, cleared_b, ~at_risk),
        margin=prepared.entry.sensitivity_margin,
    )


def _detected(
    groups: NDArray[np.generic], a: NDArray[np.bool_], b: NDArray[np.bool_], kind: NDArray[np.bool_]
) -> Detected | None:
    """Of the cases of a `kind` (cases,), the shares on which a and b (seeds, cases) are right; None without a case."""
    if not kind.any():
        return None
    found = share_difference(groups[kind], a[:, kind], b[:, kind])
    return Detected(a=found.a, b=found.b, ci_90=(found.low, found.high), cases=found.cases, patients=found.patients)


def detected(dangerous: Dangerous) -> str:
    """`sensitivity for urgent 0.85 against 0.88, a difference of at least -0.08 by its one-sided 95% bound; specificity
    0.90 against 0.91`.
    """
    labels = " or ".join(dangerous.labels)
    found, others = dangerous.sensitivity, dangerous.specificity
    if found is None:
        return f"no held-out case is {labels}"
    said = f"sensitivity for {labels} {number(found.a)} against {number(found.b)}{_at_least(dangerous)}"
    return f"{said}; specificity {number(others.a)} against {number(others.b)}" if others else said


def why_not_safe(contrast: Contrast, phrases: Mapping[str, str]) -> str | None:
    """Why a cannot be recommended over b: it misses more dangerous cases, or that it does not is not shown.

    None where the one-sided 95% bound shows that it loses less of the sensitivity than the margin, and where the task
    names no dangerous label.
    """
    dangerous = contrast.dangerous
    if dangerous is None:
        return None
    found, margin, other = dangerous.sensitivity, dangerous.margin, phrases[contrast.b]
    dangerous_cases = f"dangerous cases ({' or '.join(dangerous.labels)})"
    low, high = found.ci_90 if found else (None, None)
    if found is None or margin is None or low is None or high is None:
        return f"what it makes of {dangerous_cases} is not known"
    if low > -margin:
        return None
    shares = f"sensitivity {number(found.a)} against {number(found.b)}{_at_least(dangerous)}"
    if high < 0:
        return f"it misses more {dangerous_cases} than {other} does: {shares}"
    within = f"to within a sensitivity of {number(margin, beside=margin)}"
    why = f"that it misses no more {dangerous_cases} than {other}, {within}, is not shown: {shares}"
    if found.patients < (fewest := fewest_for_margin(margin)):
        there = f"{found.patients}" if found.patients >= FEWEST_PATIENTS else f"fewer than {FEWEST_PATIENTS}"
        why = (
            f"{why}, of {there} patients with such cases; where arms find the same ones, {fewest} are needed to show it"
        )
    return why


def _at_least(dangerous: Dangerous) -> str:
    """The bound that a claim rests on, so that its rounding never says more or less than it."""
    low = dangerous.sensitivity.ci_90[0] if dangerous.sensitivity else None
    if low is None:
        return ""
    shown = number(low, beside=None if dangerous.margin is None else -dangerous.margin)
    return f", a difference of at least {shown} by its one-sided 95% bound"
