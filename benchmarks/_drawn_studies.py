"""Held-out results drawn at random, of arms whose true quality is known.

Behind every case and arm stands a normal number, the sum of what patient, case, patient with this arm, and chance add;
its variance is 1. The answer is right when the number is above 0, and a score is the number's place between 0 and 1,
so that the true accuracy, macro-F1 and mean score follow from its mean. Taken as the likelihood of the right label, it
gives an AUROC: two cases, one of each class, are in order when their numbers add up to more than 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from preceptor.evidence import INVALID_CODE, Sample

UNREADABLE = 0.2
"""Share of the wrong answers that cannot be read."""

_USUAL = (0.25, 0.30, 0.15, 0.30)
_SELDOM = (0.25, 0.73, 0.01, 0.01)
"""Variance of patient, case, patient with this arm, chance. In the second, arms seldom differ, and then one way."""


@dataclass(frozen=True, slots=True)
class World:
    """What the held-out cases are like: `notes` a patient at most, at least 1; `share` of the rarer of two classes."""

    metric: str
    notes: int = 1
    share: float = 0.5
    seeds: int = 1
    seldom: bool = False
    seed_sd: float = 0.0
    """How far training an arm anew moves its true metric: the standard deviation over seeds."""

    def __str__(self) -> str:
        notes = "1 note" if self.notes == 1 else f"1-{self.notes} notes"
        classes = "" if self.metric == "mean_score" else f", {1 - self.share:.0%}/{self.share:.0%}".replace("%", "")
        seeds = f", {self.seeds} seeds" if self.seeds > 1 else ""
        seeds += f" of sd {self.seed_sd:g}" if self.seed_sd else ""
        return f"{self.metric}, {notes}{classes}{seeds}{', arms seldom differ' if self.seldom else ''}"

    def truth(self, mean: float) -> float:
        """The true metric of an arm whose numbers have this mean."""
        if self.metric == "mean_score":
            return float(stats.norm.cdf(mean / np.sqrt(2)))
        if self.metric == "auroc":
            return float(stats.norm.cdf(np.sqrt(2) * mean))
        right = float(stats.norm.cdf(mean))
        if self.metric == "accuracy":
            return right
        mistaken = (1 - right) * (1 - UNREADABLE)
        shares = np.array([self.share, 1 - self.share])
        return float(np.mean(2 * shares * right / (shares * right + shares[::-1] * mistaken + shares)))

    def mean(self, truth: float) -> float:
        """The mean that gives an arm this true metric."""
        return float(optimize.brentq(lambda mean: self.truth(mean) - truth, -8, 8))

    def trained(self, means: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The mean of each arm's models, one a seed: around `means`, as training anew moves them."""
        step = 1e-4
        found = {}
        for arm, mean in means.items():
            slope = (self.truth(mean + step) - self.truth(mean - step)) / (2 * step)
            found[arm] = mean + self.seed_sd * rng.standard_normal(self.seeds) / slope
        return found

    def draw(
        self, patients: int, means: Mapping[str, float | np.ndarray], rng: np.random.Generator
    ) -> dict[str, list[Sample]]:
        """Every arm's held-out results, one sample a seed, on the same cases; a mean is an arm's or one a seed."""
        per_patient = rng.integers(1, self.notes + 1, size=patients)
        groups = np.repeat(np.arange(patients), per_patient)
        cases = len(groups)
        patient, case, interplay, chance = np.sqrt(_SELDOM if self.seldom else _USUAL)
        shared = patient * rng.standard_normal(patients)[groups] + case * rng.standard_normal(cases)
        gold = (rng.random(cases) < self.share).astype(int)
        drawn = {}
        for arm, mean in means.items():
            of_arm = shared + interplay * rng.standard_normal(patients)[groups]
            of_seed = np.broadcast_to(np.asarray(mean), self.seeds)[:, None]
            numbers = of_seed + of_arm + chance * rng.standard_normal((self.seeds, cases))
            drawn[arm] = [self._sample(groups, gold, each, rng) for each in numbers]
        return drawn

    def _sample(self, groups: np.ndarray, gold: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> Sample:
        if self.metric == "mean_score":
            return Sample(groups, scores=stats.norm.cdf(numbers))
        if self.metric == "auroc":
            of_one = stats.norm.cdf(np.where(gold == 1, numbers, -numbers))
            both = np.column_stack([1 - of_one, of_one])
            return Sample(groups, gold, both.argmax(axis=1), label_scores=both)
        mistake = np.where(rng.random(len(gold)) < UNREADABLE, INVALID_CODE, 1 - gold)
        return Sample(groups, gold, np.where(numbers > 0, gold, mistake))


def discordant_pair(
    patients: int, discordance: float, difference: float, rng: np.random.Generator
) -> tuple[Sample, Sample]:
    """Two arms, one case a patient, two classes alike: just one is right on this share of patients, a more often."""
    chances = [(discordance + difference) / 2, (discordance - difference) / 2, 0.7 - discordance / 2]
    outcome = rng.choice(4, size=patients, p=[*chances, 1 - sum(chances)])  # only a, only b, both, neither
    gold = rng.integers(2, size=patients)

    def arm(right: Sequence[int]) -> Sample:
        return Sample(np.arange(patients), gold, np.where(np.isin(outcome, right), gold, 1 - gold))

    return arm([0, 2]), arm([1, 2])


def scored_pair(patients: int, sd: float, difference: float, rng: np.random.Generator) -> tuple[Sample, Sample]:
    """Two arms with scores, one case a patient, whose differences have this mean and standard deviation."""
    scores = rng.normal(0.6, 0.1, patients)
    better = scores + rng.normal(difference, sd, patients)
    return Sample(np.arange(patients), scores=better), Sample(np.arange(patients), scores=scores)
