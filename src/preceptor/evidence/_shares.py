"""How two arms differ in a share of cases of one kind, as in sensitivity for dangerous ones, however few there are."""

from dataclasses import dataclass
from math import ceil, hypot

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from preceptor.evidence._compare import TANGO, Comparison, compare
from preceptor.evidence._sample import Floats, Ints, Sample
from preceptor.evidence._tango import tango_interval
from preceptor.evidence._verdict import FEWEST_DIFFERING
from preceptor.evidence.metrics import find_metric

_Z = float(stats.norm.ppf(0.95))  # one-sided 95%


@dataclass(frozen=True)
class ShareDifference:
    """The shares of arms `a` and `b`, means over seeds, and the 90% interval of a - b, whose ends are one-sided 95%
    bounds. `cases` are those of which they are shares, `patients` those they come from.
    """

    a: float
    b: float
    low: float
    high: float
    cases: int
    patients: int


def share_difference(groups: NDArray[np.generic], a: NDArray[np.bool_], b: NDArray[np.bool_]) -> ShareDifference:
    """groups (cases,): the patient of each, at least one. a, b (seeds, cases): whether each arm was right.

    The interval is that of `compare`, whole patients and all seeds. Where the arms differ on fewer patients than tell
    resampling how rarely they do, it is Tango's (1998), a patient's mean difference d counted as so much of a gain or a
    loss; of all patients with such a mean those who gain or lose entirely vary most, so it is rather too wide (d lies
    between -1 and 1, and E d^2 <= E |d|). It has width even where the arms never differed.
    """
    found = compare(find_metric("accuracy"), _samples(groups, a), _samples(groups, b), swapped=0)
    low, high = found.low_90, found.high_90
    if low is None or high is None or (found.interval != TANGO and found.differing < FEWEST_DIFFERING):
        low, high = _of_few(found, np.unique(groups, return_inverse=True)[1], a.mean(axis=0) - b.mean(axis=0))
    return ShareDifference(float(a.mean()), float(b.mean()), max(-1.0, low), min(1.0, high), found.n, found.patients)


def fewest_for_margin(margin: float) -> int:
    """So many patients at least can show that a share is lower by less than `margin`, should two arms never differ.

    Tango's lower bound is then -z^2 / (n + z^2).
    """
    return ceil(_Z * _Z * (1 - margin) / margin)


def _samples(groups: NDArray[np.generic], right: NDArray[np.bool_]) -> list[Sample]:
    return [Sample(groups, gold=np.ones(len(groups), int), predicted=one.astype(int)) for one in right]


def _of_few(found: Comparison, patient: Ints, difference: Floats) -> tuple[float, float]:
    """Bounds from the mean `difference` (cases,) of arms that differ on few patients; `patient` numbers each case's.

    Patients with more cases weigh more, so they count as Kish's effective number. What seeds vary, where they are
    enough to speak of the method, is added as in `across_seeds`.
    """
    cases = np.bincount(patient)
    own = np.bincount(patient, weights=difference) / cases
    n, share = found.effective_patients, cases / cases.sum()
    gained, lost = (n * float(share @ np.maximum(side, 0)) for side in (own, -own))
    low, high = tango_interval(gained, lost, n, 0.90)
    seeds = found.seed_error * float(stats.t.ppf(0.95, max(1, len(found.seed_deltas) - 1)))
    return found.delta - hypot(found.delta - low, seeds), found.delta + hypot(high - found.delta, seeds)
