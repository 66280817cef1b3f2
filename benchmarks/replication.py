"""Does DPO after SFT pay on summaries? One run a seed, pooled: `python -m benchmarks.replication [--seed N] [--json]`

`--seed N` runs `examples/replication.yaml` with that seed alone in `runs/replication-seed-N` (a run that was stopped
goes on) and puts its `results.json`, which holds no text, into `docs/results/`. Without it, what lies there is pooled.

How seeds and patients together make the pooled difference uncertain is said in `preceptor.evidence.across_seeds`.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean

from rich.console import Console
from scipy.stats import norm

from benchmarks._markdown import table, value_or_dash
from benchmarks._published import PAPER, PAPER_ROWS
from preceptor.errors import InputError, Problem
from preceptor.evidence import across_seeds
from preceptor.study import load_study, run_study
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.schema import Results

STUDY = Path("examples/replication.yaml")
KEPT = Path("docs/results")


@dataclass(frozen=True)
class Pooled:
    """Arm a minus arm b over seeds and patients.

    deltas: by seed. interval: 95%; None with one seed, which says nothing of others, and where both arms gave the same
    answers in every seed (`alike`), which is no difference of 0: nothing was compared. smallest: the difference that
    would have been found with 80% power at p < .05. half_width_90: equivalence needs it below the margin.
    """

    task: str
    metric: str
    a: str
    b: str
    patients: int
    deltas: dict[int, float]
    delta: float
    interval: tuple[float, float] | None
    half_width_90: float | None
    smallest: float | None
    margin: float | None
    alike: bool = False


def main() -> None:
    """Run a seed, or pool all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, help="run this seed of the study")
    parser.add_argument("--json", action="store_true", help="print what is pooled as JSON")
    asked = parser.parse_args()
    if asked.seed is not None:
        run(asked.seed)
        return
    runs = kept_runs()
    found = list(pooled(runs))
    print(json.dumps([asdict(one) for one in found], indent=2) if asked.json else "\n".join(page(runs, found)))


def run(seed: int) -> None:
    """One seed of the study, trained and answered here."""
    study, base_folder = load_study(str(STUDY))
    folder = Path("runs") / f"replication-seed-{seed}"
    command = f"python -m benchmarks.replication --seed {seed}"
    run_study(study.model_copy(update={"seeds": (seed,)}), base_folder, folder, Console(stderr=True), command)
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "results.json", KEPT / f"replication-seed-{seed}.json")


def pooled(runs: Sequence[Results]) -> Iterator[Pooled]:
    """The primary contrasts over all runs, each of one seed.

    Raises `InputError` for runs that do not belong together.
    """
    if not runs:
        raise InputError(Problem(str(KEPT), "there is no run to pool", "Run the program with --seed 0 first."))
    seeds = [run.study.seeds for run in runs]
    if any(len(one) != 1 for one in seeds) or len({one[0] for one in seeds}) < len(seeds):
        raise InputError(Problem(str(KEPT), "a run must have one seed of its own", "Take the other runs out."))
    if len({task.test_sha256 for run in runs for task in run.study.tasks}) > len(runs[0].study.tasks):
        raise InputError(Problem(str(KEPT), "the runs have other held-out cases", "Pool runs of one study file."))
    for first in runs[0].contrasts:
        if first.family == "primary":
            yield _over_seeds({run.study.seeds[0]: _same(run, first) for run in runs})


def _same(run: Results, contrast: Contrast) -> Contrast:
    named = (contrast.task, contrast.a, contrast.b)
    found = [one for one in run.contrasts if (one.task, one.a, one.b) == named]
    if not found:
        what = f"seed {run.study.seeds[0]} lacks {contrast.a} against {contrast.b} on {contrast.task}"
        raise InputError(Problem(str(KEPT), what, "Run that seed again."))
    return found[0]


def _over_seeds(contrasts: dict[int, Contrast]) -> Pooled:
    some = next(iter(contrasts.values()))
    deltas = {seed: one.delta for seed, one in contrasts.items()}
    patients = some.patients or some.n
    errors = [(one.ci[1] - one.ci[0]) / (2 * norm.ppf(0.975)) for one in contrasts.values() if one.ci]
    patient_error = sqrt(fmean(one**2 for one in errors))  # of one seed: of their mean it is no larger
    alike = not any(deltas.values()) and not patient_error
    spread = None if alike or len(deltas) < 2 else across_seeds(list(deltas.values()), patient_error, patients)
    return Pooled(
        some.task,
        some.metric,
        some.a,
        some.b,
        patients,
        deltas,
        fmean(deltas.values()),
        spread and spread.interval(0.95),
        spread and spread.interval(0.9)[1] - spread.delta,
        spread and spread.smallest(),
        some.margin,
        alike,
    )


def section(kept: Path = KEPT) -> list[str]:
    """Markdown: the page of the runs that were kept, under a heading; nothing without any."""
    runs = kept_runs(kept)
    if not runs:
        return []
    how = "Each seed run by `python -m benchmarks.replication --seed N`, and pooled over seeds and patients without it."
    return ["## The replication on summaries, pooled", "", how, "", *page(runs, list(pooled(runs)))]


def kept_runs(kept: Path = KEPT) -> list[Results]:
    """The results of each seed that was run, in the order of their names."""
    return [Results.model_validate_json(file.read_bytes()) for file in sorted(kept.glob("replication-seed-*.json"))]


def page(runs: Sequence[Results], found: Sequence[Pooled]) -> list[str]:
    """Markdown: each seed's values, the pooled differences, and the paper's table."""
    model = runs[0].study.model.title
    lines = [
        f"{model}, {found[0].patients} held-out patients, seeds {', '.join(str(r.study.seeds[0]) for r in runs)}.",
        "",
    ]
    arms = runs[0].study.arms
    cells = {(run.study.seeds[0], cell.arm): cell.value for run in runs for cell in run.cells}
    seeds = [run.study.seeds[0] for run in runs]
    lines += table(
        ["arm", *(f"seed {seed}" for seed in seeds)],
        ([arm, *(value_or_dash(cells[seed, arm]) for seed in seeds)] for arm in arms),
    )
    lines += [""]
    header = [
        "contrast",
        *(f"seed {seed}" for seed in seeds),
        "pooled",
        "95% interval",
        "half of the 90% interval",
        "could have been found",
    ]
    lines += table(header, map(_row, found))
    lines += ["", *_delivered(runs), "", f"{PAPER}, on summaries:", ""]
    theirs = ([row.model, row.metric, row.base, row.sft, row.dpo, row.p] for row in PAPER_ROWS["summarization"])
    return lines + table(["model", "metric", "base", "SFT", "SFT+DPO", "p, DPO against SFT"], theirs)


def _delivered(runs: Sequence[Results]) -> list[str]:
    """What the treatment did to the policy it began with, by seed: did it nothing, no difference speaks of it."""
    return [f"- Seed {run.study.seeds[0]}: {one.sentence}" for run in runs for one in run.could_have_seen]


def _row(one: Pooled) -> list[str]:
    if one.interval is None or one.half_width_90 is None or one.smallest is None:
        rest = ["the same answers in every seed" if one.alike else "one seed says nothing of others", "-", "-"]
    else:
        low, high = one.interval
        rest = [f"[{low:+.3f}, {high:+.3f}]", f"{one.half_width_90:.3f}", f"{one.smallest:.3f}"]
    return [f"{one.a} - {one.b}", *(f"{delta:+.3f}" for delta in one.deltas.values()), f"{one.delta:+.3f}", *rest]


if __name__ == "__main__":
    main()
