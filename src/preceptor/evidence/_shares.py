"""How two arms differ in a share of cases of one kind, as in sensitivity for dangerous ones, however few there are."""

from dataclasses import dataclass
from math import ceil, hypot, sqrt
from statistics import variance

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from preceptor.evidence._resampling import SEED, expanded_interval, resampled_weights
from preceptor.evidence._sample import Floats, Ints
from preceptor.evidence._seeds import FEWEST_SEEDS
from preceptor.evidence._tango import tango_interval
from preceptor.evidence._verdict import FEWEST_DIFFERING

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

    Whole patients are drawn anew, all seeds together, as in `compare`. Where arms differ on fewer patients than tell
    resampling how rarely they do, and for one case a patient and one seed, the interval is Tango's (1998): a patient's
    mean difference d counts as so much of a gain or a loss. Of all patients with such a mean those who gain or lose
    entirely vary most, so it is rather too wide (d lies between -1 and 1, and E d^2 <= E |d|); it has width even where
    the arms never differed. From `FEWEST_SEEDS` on, what seeds vary is added as squares (MOVER), as in `across_seeds`.
    """
    patient: Ints = np.unique(groups, return_inverse=True)[1]
    cases = np.bincount(patient)
    per_seed = np.array([np.bincount(patient, weights=one) for one in a.astype(float) - b])  # (seeds, patients)
    differing, alone = int(per_seed.any(axis=0).sum()), len(a) == 1 and len(cases) == len(groups)
    few = alone or differing < FEWEST_DIFFERING
    low, high = (_of_few if few else _resampled)(per_seed.mean(axis=0), cases, differing)
    deltas = [float(one) for one in per_seed.sum(axis=1) / len(groups)]
    if len(deltas) >= FEWEST_SEEDS:
        delta = float(np.mean(deltas))
        of_seeds = sqrt(variance(deltas) / len(deltas)) * float(stats.t.ppf(0.95, len(deltas) - 1))
        low, high = delta - hypot(delta - low, of_seeds), delta + hypot(high - delta, of_seeds)
    return ShareDifference(float(a.mean()), float(b.mean()), max(-1.0, low), min(1.0, high), len(groups), len(cases))


def fewest_for_margin(margin: float) -> int:
    """So many patients at least can show that a share is lower by less than `margin`, should two arms never differ.

    Tango's lower bound is then -z^2 / (n + z^2).
    """
    return ceil(_Z * _Z * (1 - margin) / margin)


def _resampled(difference: Floats, cases: Ints, differing: int) -> tuple[float, float]:
    """The 90% interval of the sum of `difference` over that of `cases`, both (patients,), patients drawn anew."""
    blocks = resampled_weights(len(cases), np.random.default_rng(SEED))
    found = expanded_interval(np.concatenate([(one @ difference) / (one @ cases) for one in blocks]), differing, 0.90)
    assert found is not None  # ten patients or more
    return found


def _of_few(difference: Floats, cases: Ints, differing: int) -> tuple[float, float]:
    """Tango's, where `differing` patients are few; those with more cases weigh more: Kish's effective number counts."""
    n, share = float(cases.sum() ** 2 / (cases**2).sum()), cases / cases.sum()
    gained, lost = (n * float(share @ np.maximum(side, 0)) for side in (difference / cases, -difference / cases))
    return tango_interval(gained, lost, n, 0.90)
