"""Drawn studies as the product judges them: their contrasts compared, adjusted and given verdicts, beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._drawn_studies import World
from preceptor.evidence import FEWEST_SEEDS, Comparison, Judgement, closed_testing, compare, find_metric, judge

MARGIN = 0.05
LEVEL = 0.7
"""True metric of the arms that are alike."""
SWAPS = 399

_ROUNDING = 1e-9
_ARMS = ("sft+dpo", "sft", "sft+sft")
_PRIMARY = (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))


@dataclass(frozen=True)
class Compared:
    """A primary contrast of a drawn output; `truth` is what its interval should hold."""

    comparison: Comparison
    truth: float

    @property
    def covers(self) -> bool:
        low, high = self.comparison.low, self.comparison.high
        return low is not None and high is not None and low <= self.truth <= high


@dataclass(frozen=True)
class Judged(Compared):
    """The same, with what was said of it."""

    judgement: Judgement

    @property
    def is_false(self) -> bool:
        """Whether a difference was claimed that is none, or the wrong way round."""
        verdict = self.judgement.verdict
        return (verdict == "better" and self.truth <= 0) or (verdict == "worse" and self.truth >= 0)

    @property
    def is_large(self) -> bool:
        """Whether the arm is truly better by the margin or more."""
        return self.truth > MARGIN - _ROUNDING


def drawn(
    world: World, patients: int, runs: int, seed: int, resamples: int, gains: Mapping[str, float]
) -> list[list[Compared]]:
    """The primary contrasts of drawn outputs whose arms are better by their `gains`; those only described left out."""
    rng = np.random.default_rng([seed, patients, *(round(1000 * abs(gain)) for gain in gains.values())])
    means = {arm: world.mean(LEVEL + gains.get(arm, 0.0)) for arm in _ARMS}
    metric, found = find_metric(world.metric), []
    for run in range(runs):
        models = world.trained(means, rng)
        arms = world.draw(patients, models, rng)
        truths = {arm: float(np.mean([world.truth(mean) for mean in models[arm]])) for arm in models}
        if not of_models(world):
            truths = {arm: world.truth(mean) for arm, mean in means.items()}
        output = [
            Compared(
                compare(metric, arms[a], arms[b], seed=run, resamples=resamples, swapped=SWAPS), truths[a] - truths[b]
            )
            for a, b in _PRIMARY
        ]
        if judge(output[0].comparison, 1.0).descriptive is None:
            found.append(output)
    return found


def studies(outputs: Sequence[Sequence[Compared]], each: int) -> list[list[list[Judged]]]:
    """Drawn outputs as studies of so many, one after the other; what is left over is left out."""
    return [judged(outputs[start : start + each]) for start in range(0, len(outputs) - each + 1, each)]


def judged(outputs: Sequence[Sequence[Compared]]) -> list[list[Judged]]:
    """The primary contrasts of a study, [outputs][contrasts], adjusted and judged as the product does."""
    adjusted = closed_testing([[one.comparison.p for one in output] for output in outputs])
    return [
        [
            Judged(one.comparison, one.truth, judge(one.comparison, p, MARGIN))
            for one, p in zip(output, own, strict=True)
        ]
        for output, own in zip(outputs, adjusted, strict=True)
    ]


def any_false(study: Sequence[Sequence[Judged]]) -> bool:
    """Whether any difference is claimed falsely."""
    return any(one.is_false for output in study for one in output)


def any_worth_it(study: Sequence[Sequence[Judged]]) -> bool:
    """Whether an output is falsely said to gain: both contrasts are claimed."""
    return any(
        all(one.judgement.verdict == "better" for one in output) and any(one.is_false for one in output)
        for output in study
    )


def of_models(world: World) -> bool:
    """Whether seeds differ and are too few to speak of the method: what is said is of these models, which do differ."""
    return bool(world.seed_sd) and world.seeds < FEWEST_SEEDS
