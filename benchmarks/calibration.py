"""Does evidence keep its promises? `python -m benchmarks.calibration [--runs N] [--json] [--quick] [--only 60,150]`

`--metric auroc` draws the cases of one metric only; `--processes 2` works on so many cases at once. Of 500 patients
half as many studies are drawn, of AUROC a fifth.

Whole studies are drawn whose truth is known: three arms, two primary contrasts an output under closed testing,
verdicts by the product's own code. It takes 600 resamples and 399 swaps a contrast instead of 2,000 and 9,999, to end
in time; that makes intervals noisier, and so these figures a little worse than the product's. What is asked:
- arms that are alike: any `better` or `worse` among the study's primary contrasts in at most 5% of studies, of one
  output and of three;
- DPO is better than SFT, and no better than more SFT: any false claim, and "worth it", which asks for both, in at most
  5% of studies of three outputs;
- arms that differ by the margin, .05: `equivalent`, or "less than the margin", said of at most 5% of contrasts. In how
  many studies of six such outputs it is said of any is measured: nothing is adjusted there;
- 95% intervals hold the truth in 93 to 97% of studies, from 150 patients on; in at least 93% where seeds count too,
  since a few of them cannot give an exact one. Fewer seeds than speak of the method: the truth is that of their models.
  How wide they are beside those of one who knew the true standard error is measured;
- an arm whose sensitivity is lower by its margin, .1: "no lower than that" is shown in at most 5% of studies;
- power within 5 points of the 80% promised.
Monte-Carlo error, two standard errors at 5%, is allowed to all of these but coverage and power. Of hundreds of figures
some miss by chance all the same, so each case with a miss is drawn anew: other studies, five times as many, judged with
the product's own 2,000 resamples; that decides. A study that the product would only describe (too few patients of a
class) gives no verdict and counts for none.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import sqrt

import numpy as np
from scipy import stats

from benchmarks._drawn_studies import World, discordant_pair, scored_pair
from benchmarks._judged_studies import (
    LEVEL,
    MARGIN,
    SWAPS,
    Compared,
    any_false,
    any_worth_it,
    drawn,
    judged,
    of_models,
    studies,
)
from preceptor.evidence import compare, find_metric, judge, power, share_difference

SENSITIVITY_MARGIN = 0.1
GAIN = 0.15
"""What SFT lacks where more SFT is as good as DPO."""

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
SENSITIVITIES = (
    World("accuracy"),
    World("accuracy", seldom=True),
    World("accuracy", notes=5),
    World("accuracy", seeds=3),
    World("accuracy", seeds=3, seldom=True),
    World("accuracy", seeds=5, seed_sd=0.05),
)
"""Cases that must not be missed; right is an answer that finds one."""
PROMISES = ("accuracy", "macro_f1", "mean_score")
DISCORDANCE, SD = 0.2, 0.15
RESAMPLES = 600
PRODUCT_RESAMPLES = 2000

_TIMES_AGAIN, _OTHER_SEEDS = 5, 1000
_JUDGED_FROM = 150  # patients from which coverage is asked for
_LARGE = 500  # patients from which fewer studies are drawn
_OUTPUTS, _MANY_OUTPUTS = 3, 6


@dataclass(frozen=True)
class Row:
    """One figure, a share of the studies drawn; `bound` and `holds` are None where nothing is asked of it.

    `no verdict`: studies with too few patients of a class. `any false`: a difference claimed where there is none, or
    the wrong way round; `worth it`: both differences claimed of an output, one of them falsely. `less than it`: a
    difference as large as the margin said to be smaller. `covered`: the 95% interval holds the truth; `width`: its mean
    width over that of an interval from the true standard error.
    """

    what: str
    case: str
    ours: float
    bound: str | None = None
    holds: bool | None = None
    unit: str = "share"
    peer: None = None
    ratio: None = None


def main() -> None:
    """Draw, judge and print the rows."""
    parser = argparse.ArgumentParser(description="How often verdicts are false, intervals miss, and power falls short.")
    parser.add_argument("--runs", type=int, default=1000, help="studies drawn for each figure; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="50 studies a figure: does it work at all?")
    parser.add_argument(
        "--only", default=",".join(map(str, PATIENTS)), help="numbers of patients; default: %(default)s"
    )
    parser.add_argument("--metric", help="the cases of this metric only; default: all")
    parser.add_argument("--processes", type=int, default=1, help="cases drawn at once; default: %(default)s")
    arguments = parser.parse_args()
    patients = [int(each) for each in arguments.only.split(",")]
    rows = measure(patients, 50 if arguments.quick else arguments.runs, arguments.metric, arguments.processes)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("\n".join(_table(rows)))
    failed = [row for row in rows if row.holds is False]
    print(f"{len(failed)} of {len(rows)} figures miss what is asked")
    for row in failed:
        print(f"MISSED  {row.case}: {row.what}: {row.ours:.1%}, asked {row.bound}")
    for row in redrawn(failed, arguments.runs, arguments.processes):
        print(f"AGAIN   {row.case}: {row.what}: {row.ours:.2%}, asked {row.bound}{'' if row.holds else ' MISSED'}")


def measure(patients: Sequence[int], runs: int, metric: str | None = None, processes: int = 1) -> list[Row]:
    """The rows of every world and promise, or of those of one metric, for each number of patients."""
    jobs: list[Job] = []
    for count in patients:
        worlds = [(number, world) for number, world in enumerate(WORLDS) if metric in (None, world.metric)]
        jobs += [partial(verdicts, world, count, _fewer(runs, count, world), seed=number) for number, world in worlds]
        at_risk = [one for one in enumerate(SENSITIVITIES) if metric in (None, one[1].metric)]
        jobs += [partial(sensitivity_kept, world, count, runs, seed=number) for number, world in at_risk]
        jobs += [partial(kept_promise, one, count, runs) for one in PROMISES if metric in (None, one)]
    return _done(jobs, processes)


def _fewer(runs: int, patients: int, world: World) -> int:
    """Fewer studies where each takes long."""
    return max(1, runs // ((2 if patients >= _LARGE else 1) * (5 if world.metric == "auroc" else 1)))


def redrawn(failed: Sequence[Row], runs: int, processes: int = 1) -> list[Row]:
    """Every figure with a bound of the cases in `failed`: other studies, five times as many, with all resamples."""
    jobs: list[Job] = []
    cases, many = {row.case for row in failed}, _TIMES_AGAIN * runs
    for count in PATIENTS:
        for number, world in enumerate(WORLDS):
            if _case(count, world) in cases:
                seed = _OTHER_SEEDS + number
                times = _fewer(many, count, world)
                jobs.append(partial(verdicts, world, count, times, seed=seed, resamples=PRODUCT_RESAMPLES))
        for number, world in enumerate(SENSITIVITIES):
            if _sensitivity_case(count, world) in cases:
                jobs.append(partial(sensitivity_kept, world, count, many, seed=_OTHER_SEEDS + number))
    return [row for row in _done(jobs, processes) if row.bound]


Job = Callable[[], list[Row]]


def _done(jobs: Sequence[Job], processes: int) -> list[Row]:
    """The rows of all jobs, in order."""
    if processes == 1:
        return [row for job in jobs for row in job()]
    with ProcessPoolExecutor(processes) as pool:
        return [row for future in [pool.submit(job) for job in jobs] for row in future.result()]


def verdicts(world: World, patients: int, runs: int, *, seed: int, resamples: int = RESAMPLES) -> list[Row]:
    """How often studies of this world say what is false, and how often their intervals miss."""
    case, draw = _case(patients, world), partial(drawn, world, patients, runs, seed, resamples)
    alike, apart = draw({}), draw({"sft+dpo": MARGIN})
    plain = world.notes == 1 and world.share == 0.5 and not world.seldom
    as_more_sft = draw({"sft": -GAIN}) if plain else []
    rows = [Row("no verdict", case, 1 - len(alike) / runs)]
    if not alike or not apart:
        return rows
    alone = [judged([output]) for output in alike]
    first = [output[0] for study in (judged([output]) for output in apart) for output in study]
    less = [one.is_large and one.judgement.below_margin for one in first]
    rows += [
        _at_most("alike: any false", case, [any_false(study) for study in alone]),
        _at_most(
            "margin apart: equivalent", case, [one.is_large and one.judgement.verdict == "equivalent" for one in first]
        ),
        _at_most("margin apart: less than it", case, less),
    ]
    if several := studies(alike, _OUTPUTS):
        rows.append(_at_most("alike, 3 outputs: any false", case, [any_false(study) for study in several]))
    if several := studies(as_more_sft, _OUTPUTS):
        rows.append(_at_most("as more SFT, 3 outputs: any false", case, [any_false(study) for study in several]))
        rows.append(_at_most("as more SFT, 3 outputs: worth it", case, [any_worth_it(study) for study in several]))
    if many := [
        less[start : start + _MANY_OUTPUTS] for start in range(0, len(less) - _MANY_OUTPUTS + 1, _MANY_OUTPUTS)
    ]:
        rows.append(Row("margin apart, 6 outputs: any less", case, float(np.mean([any(study) for study in many]))))
    most = 0.97 if world.seeds == 1 or of_models(world) else 1.0
    for outputs, what in ((alike, "alike"), (apart, "margin apart")):
        covered = float(np.mean([output[0].covers for output in outputs]))
        row = Row(f"{what}: covered", case, covered)
        asked = replace(row, bound=f"93-{100 * most:.0f}%", holds=0.93 <= covered <= most)
        rows.append(asked if patients >= _JUDGED_FROM else row)
    if world.seeds > 1:
        rows.append(Row("width", case, _width([output[0] for output in alike]), unit="times the oracle's"))
    return rows


def _width(found: Sequence[Compared]) -> float:
    """The mean width of the 95% intervals over that of an interval from the true standard error."""
    errors = [one.comparison.delta - one.truth for one in found]
    widths = [one.comparison.high - one.comparison.low for one in found if one.comparison.low is not None]  # type: ignore[operator]
    return float(np.mean(widths) / (2 * stats.norm.ppf(0.975) * np.std(errors)))


def sensitivity_kept(world: World, patients: int, runs: int, *, seed: int) -> list[Row]:
    """How often a sensitivity that is lower by its margin is shown not to be, and how often that of arms alike is.

    `old veto`: how often one of these would have been refused for missing a case more than it newly finds.
    """
    rng, case = np.random.default_rng([seed, patients]), _sensitivity_case(patients, world)
    shown: dict[float, list[bool]] = {SENSITIVITY_MARGIN: [], 0.0: []}
    refused = []
    for loss, found in shown.items():
        means = {"sft": world.mean(LEVEL), "sft+dpo": world.mean(LEVEL - loss)}
        for _ in range(runs):
            arms = world.draw(patients, world.trained(means, rng), rng)
            a, b = (np.array([one.predicted == one.gold for one in arms[arm]]) for arm in ("sft+dpo", "sft"))
            found.append(share_difference(arms["sft"][0].groups, a, b).low > -SENSITIVITY_MARGIN)
            if not loss:
                refused.append(bool(a.sum() < b.sum()))
    return [
        _at_most("lower by the margin: shown", case, shown[SENSITIVITY_MARGIN]),
        Row("alike: shown", case, float(np.mean(shown[0.0]))),
        Row("alike: old veto", case, float(np.mean(refused))),
    ]


def _sensitivity_case(patients: int, world: World) -> str:
    return f"{patients} patients at risk, sensitivity, {world}"


def kept_promise(metric: str, patients: int, runs: int) -> list[Row]:
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
        found = compare(find_metric(metric), [a], [b], seed=run, resamples=RESAMPLES, swapped=SWAPS)
        shown += judge(found, found.p, MARGIN).verdict == "better"
    assumed = f"sd {SD}" if scored else f"discordance {DISCORDANCE}"
    case = f"{patients} patients, {metric}, 1 note, {assumed}, difference {difference:.3f}"
    share = shown / runs
    return [Row("power", case, share, "75-85%", abs(share - 0.8) <= 0.05)]


def _case(patients: int, world: World) -> str:
    return f"{patients} patients, {world}"


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
        found = {row.what: _figure(row) for row in rows if row.case == case}
        lines.append(
            f"{case:60}" + "  ".join(f"{found.get(c, '-'):>{w}}" for c, w in zip(columns, widths, strict=True))
        )
    return lines


def _figure(row: Row) -> str:
    return (f"{row.ours:.1%}" if row.unit == "share" else f"{row.ours:.2f}") + ("!" if row.holds is False else "")


if __name__ == "__main__":
    main()
