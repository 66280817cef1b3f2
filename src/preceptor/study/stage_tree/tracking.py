"""What the study's tracker is told: how each stage trains, then once what every arm came to, its cost, the verdict."""

from typing import Any

from preceptor.engine import Tracking, tell_once
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import Study


def tracking_of(study: Study, run: RunFolder, what: str) -> Tracking | None:
    """How the tracker is told of a part of the study; None where the study has none."""
    return Tracking(study.report_to, run.trackers, study.name, what) if study.report_to else None


def tell_results(study: Study, run: RunFolder, results: dict[str, Any]) -> None:
    """Tell the tracker, if there is one, what is in `results.json` of each arm and of each comparison."""
    tracking = tracking_of(study, run, "verdict")
    if tracking is None:
        return
    for cell in results["cells"]:
        where = f"results/{cell['task']}/{cell['arm']}/seed-{cell['seed']}"
        settings = {name: cell[name] for name in ("task", "model", "arm", "seed", "metric")}
        tell_once(tracking.of(where), settings, _figures(cell), {})
    sentences = {
        f"{one['task']}/{one['a']} against {one['b']}": f"{one['family']}: {one['sentence']}"
        for one in results["contrasts"]
    }
    verdicts = {
        f"{one['task']}/verdict": " ".join([one["recommendation"], one["sentence"], *one["warnings"]])
        for one in results["conclusions"]
    }
    failures = {
        f"{one['task']}/{one['arm']} seed {one['seed']}/failed": f"{one['stage']}: {one['reason']}. {one['fix']}"
        for one in results["failed"]
    }
    tell_once(
        tracking, {"study": study.name, "exploratory": str(results["exploratory"])}, {}, verdicts | sentences | failures
    )


def _figures(cell: dict[str, Any]) -> dict[str, float]:
    """An arm's figures by name: its metrics, their interval, and its cost."""
    low, high = cell["ci"]
    figures = {cell["metric"]: cell["value"], "low": low, "high": high, "invalid_rate": cell["invalid_rate"]}
    figures |= cell["also"] | {f"cost/{name}": value for name, value in cell["cost"].items()}
    figures["cost/evaluation_seconds"] = cell["evaluation_seconds"]
    return {name: float(value) for name, value in figures.items() if value is not None}
