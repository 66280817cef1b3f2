"""Does evidence keep its promises? `python -m benchmarks.calibration [--runs N] [--json] [--quick] [--only 60,150]`

`--metric auroc` draws the cases of one metric only.

Whole studies are drawn whose truth is known: three arms, two primary contrasts under Holm, verdicts by the product's
own code. It takes 600 resamples and 399 swaps a contrast instead of 2,000 and 9,999, to end in time; that makes
intervals noisier, and so these figures a little worse than the product's. What is asked:
- arms that are alike: any `better` or `worse` among the study's primary contrasts in at most 5% of studies;
- arms that differ by the margin, .05: `equivalent`, or "less than the margin", said of at most 5% of contrasts;
- 95% intervals hold the truth in 93 to 97% of studies, from 150 patients on; in at least 93% where seeds count too,
  since a few of them cannot give an exact one. Fewer seeds than speak of the method: the truth is that of their models;
- power within 5 points of the 80% promised.
Monte-Carlo error, two standard errors at 5%, is allowed to the first two. Of two hundred figures some miss by chance
all the same, so each case with a miss is drawn anew: other studies, five times as many, judged with the product's own
2,000 resamples; that decides. A study that the product would only describe (too few cases of a class) gives no verdict
and counts for none.
"""

import argparse
import gc
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt

import numpy as np

from benchmarks._drawn_studies import World, discordant_pair, scored_pair
from preceptor.evidence import FEWEST_SEEDS, Comparison, Judgement, Sample, compare, find_metric, holm, judge, power

MARGIN = 0.05
LEVEL = 0.7
"""True metric of the arms that are alike."""

PATIENTS = (60, 150, 500)
WORLDS = (
    World("accuracy"),
    World("accuracy", seldom=True),
    World("accuracy", notes=5),
    World("accuracy", notes=5, seldom=True),
    World("macro_f1"),
    World("macro_f1", share=0.1),
    World("macro_f1", notes=5),
    World("macro_f1", notes=5, share=0.1),
    World("macro_f1", notes=5, seeds=3),
    World("mean_score"),
    World("mean_score", notes=5),
    World("auroc"),
    World("auroc", notes=5),
    *(World("mean_score", seeds=seeds, seed_sd=sd) for seeds in (3, 5) for sd in (0.02, 0.05, 0.2)),
    World("macro_f1", notes=5, seeds=5, seed_sd=0.05),
    World("accuracy", seeds=5, seed_sd=0.05),
)
PROMISES = ("accuracy", "macro_f1", "mean_score")
DISCORDANCE, SD = 0.2, 0.15
RESAMPLES, SWAPS = 600, 399
PRODUCT_RESAMPLES = 2000

_TIMES_AGAIN, _OTHER_SEEDS = 5, 1000
_JUDGED_FROM = 150  # patients from which coverage is asked for
_ARMS = ("sft+dpo", "sft", "sft+sft")
_PRIMARY = (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))


@dataclass(frozen=True)
class Row:
    """One figure, a share of the studies drawn; `bound` and `holds` are None where nothing is asked of it.

    `no verdict`: studies with too few cases of a class. `any false`: a difference claimed where there is none.
    `less than it`: a difference as large as the margin said to be smaller. `covered`: the 95% interval holds the truth.
    """

    what: str
    case: str
    ours: float
    bound: str | None = None
    holds: bool | None = None
    unit: str = "share"
    peer: None = None
    ratio: None = None


@dataclass(frozen=True)
class _Judged:
    """A primary contrast of a drawn study; `truth` is what its interval should hold."""

    comparison: Comparison
    judgement: Judgement
    truth: float

    @property
    def covers(self) -> bool:
        low, high = self.comparison.low, self.comparison.high
        return low is not None and high is not None and low <= self.truth <= high


def main() -> None:
    """Draw, judge and print the rows."""
    parser = argparse.ArgumentParser(description="How often verdicts are false, intervals miss, and power falls short.")
    parser.add_argument("--runs", type=int, default=2000, help="studies drawn for each figure; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="50 studies a figure: does it work at all?")
    parser.add_argument(
        "--only", default=",".join(map(str, PATIENTS)), help="numbers of patients; default: %(default)s"
    )
    parser.add_argument("--metric", help="the cases of this metric only; default: all")
    arguments = parser.parse_args()
    patients = [int(each) for each in arguments.only.split(",")]
    rows = measure(patients, 50 if arguments.quick else arguments.runs, arguments.metric)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("\n".join(_table(rows)))
    failed = [row for row in rows if row.holds is False]
    print(f"{len(failed)} of {len(rows)} figures miss what is asked")
    for row in failed:
        print(f"MISSED  {row.case}: {row.what}: {row.ours:.1%}, asked {row.bound}")
    for row in redrawn(failed, arguments.runs):
        print(f"AGAIN   {row.case}: {row.what}: {row.ours:.2%}, asked {row.bound}{'' if row.holds else ' MISSED'}")


def measure(patients: Sequence[int], runs: int, metric: str | None = None) -> list[Row]:
    """The rows of every world and promise, or of those of one metric, for each number of patients."""
    rows = []
    for count in patients:
        for number, world in enumerate(WORLDS):
            if metric in (None, world.metric):
                rows += verdicts(world, count, runs, seed=number)
        rows += [kept_promise(one, count, runs) for one in PROMISES if metric in (None, one)]
    return rows


def redrawn(failed: Sequence[Row], runs: int) -> list[Row]:
    """Every figure with a bound of the cases in `failed`: other studies, five times as many, with all resamples."""
    rows = []
    for count in PATIENTS:
        for number, world in enumerate(WORLDS):
            if any(row.case == _case(count, world) for row in failed):
                seed = _OTHER_SEEDS + number
                rows += verdicts(world, count, _TIMES_AGAIN * runs, seed=seed, resamples=PRODUCT_RESAMPLES)
    return [row for row in rows if row.bound]


def verdicts(world: World, patients: int, runs: int, *, seed: int, resamples: int = RESAMPLES) -> list[Row]:
    """How often studies of this world say what is false, and how often their intervals miss."""
    case = _case(patients, world)
    alike, apart = (_studies(world, patients, difference, runs, seed, resamples) for difference in (0.0, MARGIN))
    rows = [Row("no verdict", case, 1 - len(alike) / runs)]
    if not alike or not apart:
        return rows
    false = [any(one.judgement.verdict in ("better", "worse") for one in study) for study in alike]
    equivalent = [study[0].judgement.verdict == "equivalent" for study in apart]
    capped = [study[0].judgement.below_margin for study in apart]
    if not _of_models(world):
        rows += [
            _at_most("alike: any false", case, false),
            _at_most("margin apart: equivalent", case, equivalent),
            _at_most("margin apart: less than it", case, capped),
        ]
    most = 0.97 if world.seeds == 1 or _of_models(world) else 1.0
    for studies, what in ((alike, "alike"), (apart, "margin apart")):
        covered = float(np.mean([study[0].covers for study in studies]))
        row = Row(f"{what}: covered", case, covered)
        asked = replace(row, bound=f"93-{100 * most:.0f}%", holds=0.93 <= covered <= most)
        rows.append(asked if patients >= _JUDGED_FROM else row)
    return rows


def _of_models(world: World) -> bool:
    """Whether seeds differ and are too few to speak of the method: what is said is of these models, which do differ."""
    return bool(world.seed_sd) and world.seeds < FEWEST_SEEDS


def kept_promise(metric: str, patients: int, runs: int) -> Row:
    """How often the smallest difference that was promised to show with 80% power does show."""
    rng = np.random.default_rng([patients, PROMISES.index(metric)])
    scored = metric == "mean_score"
    if scored:
        difference = power.smallest_mean_difference(patients, SD)
    else:
        difference = power.smallest_difference(patients, DISCORDANCE)
    assert difference is not None
    shown = 0
    for run in range(runs):
        a, b = (
            scored_pair(patients, SD, difference, rng)
            if scored
            else discordant_pair(patients, DISCORDANCE, difference, rng)
        )
        (one,) = _judged(metric, [([a], [b], difference)], run, RESAMPLES)
        shown += one.judgement.verdict == "better"
    assumed = f"sd {SD}" if scored else f"discordance {DISCORDANCE}"
    case = f"{patients} patients, {metric}, 1 note, {assumed}, difference {difference:.3f}"
    share = shown / runs
    return Row("power", case, share, "75-85%", abs(share - 0.8) <= 0.05)


def _case(patients: int, world: World) -> str:
    return f"{patients} patients, {world}"


def _studies(
    world: World, patients: int, difference: float, runs: int, seed: int, resamples: int
) -> list[list[_Judged]]:
    """Drawn studies in which sft+dpo is better than both others by `difference`; those that only describe left out."""
    rng = np.random.default_rng([seed, patients, round(1000 * difference)])
    means = dict.fromkeys(_ARMS, world.mean(LEVEL)) | {"sft+dpo": world.mean(LEVEL + difference)}
    found = []
    for run in range(runs):
        models = world.trained(means, rng)
        arms = world.draw(patients, models, rng)
        truths = {arm: float(np.mean([world.truth(mean) for mean in models[arm]])) for arm in models}
        if not _of_models(world):
            truths = {arm: world.truth(mean) for arm, mean in means.items()}
        pairs = [(arms[a], arms[b], truths[a] - truths[b]) for a, b in _PRIMARY]
        study = _judged(world.metric, pairs, run, resamples)
        if study[0].judgement.descriptive is None:
            found.append(study)
    return found


def _judged(
    metric: str, pairs: Sequence[tuple[list[Sample], list[Sample], float]], seed: int, resamples: int
) -> list[_Judged]:
    """The primary contrasts of a study, adjusted and judged as the product does."""
    found = [compare(find_metric(metric), a, b, seed=seed, resamples=resamples, swapped=SWAPS) for a, b, _ in pairs]
    gc.freeze()  # the correction's library collects garbage at each call, and nothing older than this study is any
    adjusted = holm([comparison.p for comparison in found])
    gc.unfreeze()
    truths = [truth for _, _, truth in pairs]
    return [_Judged(one, judge(one, p, MARGIN), truth) for one, p, truth in zip(found, adjusted, truths, strict=True)]


def _at_most(what: str, case: str, happened: Sequence[bool]) -> Row:
    share = float(np.mean(happened))
    bound = 0.05 + 2 * sqrt(0.05 * 0.95 / len(happened))
    return Row(what, case, share, f"{bound:.1%}", share <= bound)


def _table(rows: Sequence[Row]) -> list[str]:
    """A line for each case, with a column for each figure; a figure that misses what is asked is marked."""
    columns = list(dict.fromkeys(row.what for row in rows))
    widths = [max(len(column), 8) for column in columns]
    lines = [f"{'case':60}" + "  ".join(f"{c:>{w}}" for c, w in zip(columns, widths, strict=True))]
    for case in dict.fromkeys(row.case for row in rows):
        found = {row.what: f"{row.ours:.1%}{'!' if row.holds is False else ''}" for row in rows if row.case == case}
        lines.append(
            f"{case:60}" + "  ".join(f"{found.get(c, '-'):>{w}}" for c, w in zip(columns, widths, strict=True))
        )
    return lines


if __name__ == "__main__":
    main()
