"""What a held-out set can show before anything is trained, and how many patients would settle what it could not.

Nothing here looks at the gain that was seen: a power computed from it says only what the p-value said already.
"""

from math import ceil, sqrt
from typing import Literal

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.power import TTestPower

from preceptor.evidence._compare import TANGO, Comparison
from preceptor.evidence._sample import Floats
from preceptor.evidence._tango import tango_statistic

Kind = Literal["discordance", "sd"]

_Z_90 = float(stats.norm.ppf(0.95))  # one-sided 95%: the ends of a 90% interval
_Z_80 = float(stats.norm.ppf(0.90))  # both ends at once with 80% power
_UNLIKELY = 1e-6


def smallest_difference(patients: int, discordance: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest difference in accuracy that exact McNemar shows with this `power`; None when none can be shown.

    `discordance` is the share of patients, one case each, on whom just one of the two arms is right; no difference can
    be larger. `alpha` is two-sided; for the first of m contrasts under Holm it is .05 / m. The power is exact.
    """
    discordant = np.arange(patients + 1)
    chance = stats.binom.pmf(discordant, patients, discordance)
    kept = chance > _UNLIKELY / (patients + 1)
    discordant, chance = discordant[kept], chance[kept]
    # Most wins of the worse arm at which McNemar still refuses: 2 P(X <= k) < alpha, X ~ B(discordant, 1/2).
    most = _most_losses(discordant, alpha)

    def shown(difference: float) -> float:
        losing = (1 - difference / discordance) / 2
        wins = stats.binom.cdf(most, discordant, losing) + stats.binom.cdf(most, discordant, 1 - losing)
        return float(chance @ wins) - power

    if discordance <= 0 or shown(discordance) < 0:
        return None
    return float(optimize.brentq(shown, 0, discordance))


def _most_losses(discordant: Floats, alpha: float) -> Floats:
    """(k,) numbers of discordant pairs -> (k,): the most losses at which exact McNemar gives p < alpha; -1 if none."""
    most: Floats = stats.binom.ppf(alpha / 2, discordant, 0.5)
    most = np.where(2 * stats.binom.cdf(most, discordant, 0.5) < alpha, most, most - 1)
    return np.where(discordant > 0, most, -1)


def smallest_mean_difference(patients: int, sd: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest difference of mean scores that a paired t-test shows with this `power`; None for one patient.

    `sd` is the standard deviation of a patient's difference between the arms, in the score's unit.
    """
    if patients < 2:
        return None
    found = TTestPower().solve_power(nobs=patients, alpha=alpha, power=power, alternative="two-sided")
    # Where its first search fails, statsmodels gives an array, and an effect of either sign has the same power.
    return sd * abs(float(np.ravel(found)[0]))


def equivalence_reachable(patients: int, assumed: float, margin: float, kind: Kind, power: float = 0.8) -> bool:
    """Whether two arms that are truly alike would be called equivalent with this `power`.

    `assumed` is the discordance (kind `discordance`) or the standard deviation of a patient's difference (kind `sd`).
    """
    if kind == "sd":
        t = stats.t.ppf(0.95, patients - 1) + stats.t.ppf((1 + power) / 2, patients - 1) if patients > 1 else np.inf
        return bool(assumed * t < margin * sqrt(patients))
    discordant = np.arange(patients + 1)
    chance = stats.binom.pmf(discordant, patients, assumed)
    reached = 0.0
    for count in discordant[chance > _UNLIKELY / (patients + 1)]:
        only_a = np.arange(count + 1)
        above = tango_statistic(only_a, count - only_a, patients, margin) < -_Z_90
        under = tango_statistic(only_a, count - only_a, patients, -margin) > _Z_90
        reached += chance[count] * stats.binom.pmf(only_a, count, 0.5)[above & under].sum()
    return bool(reached >= power)


def patients_needed(margin: float, variance_per_patient: float, kind: Kind = "sd") -> int:
    """How many patients would settle it, in all: with 80% power, equivalence if the arms are alike.

    As many show a difference as large as the margin, with more than 80%. From the margin and the variance seen (of a
    patient's difference; kind `discordance`: the share of patients, one case each, on whom just one arm is right),
    never from the gain seen. n = (z(.95) s(margin) + z(.90) s(0))^2 / margin^2 (Julious 2004, Statist. Med. 23:1921,
    section 4), where s(0)^2 is the variance seen, and s(margin)^2, for proportions, the one that Tango's statistic has
    at the margin; for other metrics the two are the same.
    """
    at_margin = variance_per_patient
    if kind == "discordance":
        statistic = float(tango_statistic(variance_per_patient / 2, variance_per_patient / 2, 1, margin))
        at_margin = (margin / statistic) ** 2
    return ceil((_Z_90 * sqrt(at_margin) + _Z_80 * sqrt(variance_per_patient)) ** 2 / margin**2)


def would_settle(comparison: Comparison, margin: float) -> int | None:
    """How many patients would settle what `comparison` left open at this margin.

    None where the patients at hand were enough and chance decided, where the arms never differed under resampling, or
    where seeds vary so much that no number of patients would.
    """
    seeds = len(comparison.seed_deltas)
    of_seeds = comparison.seed_error * float(stats.t.ppf(0.95, seeds - 1)) if comparison.seed_error else 0.0
    if of_seeds >= margin:
        return None
    margin = sqrt(margin**2 - of_seeds**2)
    if comparison.interval == TANGO:
        needed = patients_needed(margin, comparison.variance, "discordance")
    elif comparison.variance > 0:
        needed = patients_needed(margin, comparison.variance)
    else:
        return None
    return needed if needed > comparison.patients else None
