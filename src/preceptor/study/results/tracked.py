"""What the study's tracker is told when the study ends: each arm's metrics and cost, the contrasts, the conclusions."""

from preceptor.engine import tell_once
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import Study


def tell_results(study: Study, run: RunFolder, results: Results) -> None:
    """Tell the tracker, if there is one, what is in `results.json` of each arm and of each comparison."""
    tracking = run.tracking(study, "verdict")
    if tracking is None:
        return
    for cell in results.cells:
        settings = cell.model_dump(include={"task", "model", "arm", "seed", "metric"})
        tell_once(tracking.of(f"results/{cell.task}/{cell.arm}/seed-{cell.seed}"), settings, _figures(cell), {})
    verdicts = {f"{one.task}/verdict": " ".join([one.recommendation, one.sentence, *one.warnings])
                for one in results.conclusions}  # fmt: skip
    sentences = {f"{one.task}/{one.a} against {one.b}": f"{one.family}: {one.sentence}" for one in results.contrasts}
    failures = {
        f"{one.task}/{one.arm} seed {one.seed}/failed": f"{one.stage}: {one.reason}. {one.fix}"
        for one in results.failed
    }
    settings = {"study": study.name, "exploratory": str(results.exploratory)}
    tell_once(tracking, settings, {}, verdicts | sentences | failures)


def _figures(cell: Cell) -> dict[str, float]:
    """An arm's figures by name: its metrics, their interval, and its cost."""
    low, high = cell.ci or (None, None)
    figures = {cell.metric: cell.value, "low": low, "high": high, "invalid_rate": cell.invalid_rate} | cell.also
    figures |= {f"cost/{name}": value for name, value in cell.cost}
    figures["cost/evaluation_seconds"] = cell.evaluation_seconds
    return {name: float(value) for name, value in figures.items() if value is not None}
