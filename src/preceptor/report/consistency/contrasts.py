"""A contrast beside the cells of its two arms: differences, counts, intervals, and the verdict that they allow."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from preceptor.evidence import lower_is_better
from preceptor.report.consistency.wrong import ROUNDING, Wrong, differ, ends, of_metric_and_cases, of_p
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.contrast_schema import Contrast, Dangerous, Detected
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import MAJORITY

_SIGNIFICANCE = 0.05


def of_contrast(contrast: Contrast, results: Results, task: TaskPart | None) -> Iterator[Wrong]:
    """A contrast beside its task and the cells of its arms."""
    if task is None:
        yield "task", "the study has no such task"
        return
    a, b = (
        [one for one in results.of_arm(task.name, arm) if one.model == contrast.model]
        for arm in (contrast.a, contrast.b)
    )
    if not a:
        yield "a", "there is no cell of this arm"
    if not b and contrast.b != MAJORITY:
        yield "b", "there is no cell of this arm"
    yield from of_metric_and_cases(contrast, task)
    if a and (b or contrast.b == MAJORITY):
        yield from _of_deltas(contrast, a, b, task)
        yield from _of_counts(contrast, a, b)
    yield from of_p(contrast.p, contrast.p_adjusted)
    yield from _of_intervals(contrast)
    yield from _of_verdict(contrast)


def _of_deltas(contrast: Contrast, a: Sequence[Cell], b: Sequence[Cell], task: TaskPart) -> Iterator[Wrong]:
    """A delta is what the values of its two arms differ by, with each seed, and in the mean over the seeds."""
    if contrast.seeds and differ(contrast.delta, fmean(seed.delta for seed in contrast.seeds)):
        yield "delta", "it is not the mean of its seeds"
    for number, one in enumerate(contrast.seeds):
        ours = next((cell for cell in a if cell.seed == one.seed), None)
        if ours is None:
            yield f"seeds.{number}.seed", "there is no cell of arm a with this seed"
            continue
        theirs = of_seed(b, one.seed).value if b else task.majority
        if ours.value is not None and theirs is not None and differ(one.delta, ours.value - theirs):
            yield f"seeds.{number}.delta", "it is not the difference of the values of its two arms"


def of_seed(cells: Sequence[Cell], seed: int) -> Cell:
    """The cell of this seed; an arm without seeds has one for all."""
    return next((cell for cell in cells if cell.seed == seed), cells[0])


def _of_counts(contrast: Contrast, a: Sequence[Cell], b: Sequence[Cell]) -> Iterator[Wrong]:
    """The paired table, on the first seed, adds up to the cases, and to what each of the two arms had right."""
    counts = contrast.counts
    if counts is None:
        return
    if counts.both_right + counts.only_a + counts.only_b + counts.neither != contrast.n:
        yield "counts", f"they do not add up to {contrast.n} cases"
    first = contrast.seeds[0].seed if contrast.seeds else a[0].seed
    sides = [(a, counts.only_a, "a"), (b, counts.only_b, "b")]
    for cells, alone, arm in sides:
        right = _right(of_seed(cells, first)) if cells else None
        if right is not None and counts.both_right + alone != right:
            yield "counts", f"arm {arm} was right {right} times by its confusion matrix"
    if (risky := contrast.dangerous) and risky.lost + risky.gained > contrast.n * risky.seeds:
        yield "dangerous", "these are more than all cases"
    if risky and risky.sensitivity:
        yield from _of_sensitivity(risky, risky.sensitivity)


def _of_sensitivity(risky: Dangerous, found: Detected) -> Iterator[Wrong]:
    if not found.cases or differ(found.a - found.b, (risky.gained - risky.lost) / (found.cases * risky.seeds)):
        yield "dangerous.sensitivity", "it does not follow from the cases lost and gained"


def _right(cell: Cell) -> int | None:
    return None if cell.confusion is None else sum(row[i] for i, row in enumerate(cell.confusion.matrix))


def _of_intervals(contrast: Contrast) -> Iterator[Wrong]:
    wide, narrow = ends(contrast.ci), ends(contrast.ci_90)
    if wide and narrow and (narrow[0] < wide[0] - ROUNDING or narrow[1] > wide[1] + ROUNDING):
        yield "ci_90", "it does not lie inside the 95% interval"
    exact = contrast.interval.startswith("Tango")  # a resampled one need not hold the difference
    if wide and exact and not wide[0] - ROUNDING <= contrast.delta <= wide[1] + ROUNDING:
        yield "ci", "it does not hold the difference"


def _of_verdict(contrast: Contrast) -> Iterator[Wrong]:
    """The verdict is what its own numbers allow; docs/EVIDENCE.md has the rule."""
    wide, narrow, adjusted = ends(contrast.ci), ends(contrast.ci_90), contrast.p_adjusted
    if contrast.descriptive is not None:
        if contrast.verdict != "inconclusive":
            yield "verdict", "it is only described, so nothing can be concluded"
        return
    if wide is None or adjusted is None:
        return
    shown = "better" if wide[0] > 0 else "worse" if wide[1] < 0 else None
    if lower_is_better(contrast.metric):
        shown = {"better": "worse", "worse": "better"}.get(shown or "")
    significant = adjusted < _SIGNIFICANCE
    if contrast.verdict in ("better", "worse") and not (significant and contrast.verdict == shown):
        yield "verdict", f"{contrast.verdict} does not follow from its interval and p_adjusted"
    if contrast.verdict not in ("better", "worse") and significant and shown is not None:
        yield "verdict", f"{shown} follows from its interval and p_adjusted"
    margin = contrast.margin or 0.0
    if contrast.verdict == "equivalent" and narrow and not -margin < narrow[0] <= narrow[1] < margin:
        yield "verdict", "equivalent does not follow from its 90% interval and margin"
