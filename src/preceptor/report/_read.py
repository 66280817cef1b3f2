"""The run folder as the page needs it: the one place where `results.json` and its neighbours are read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem
from preceptor.evidence import metric_title

Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class Cell:
    """One arm on one task with one seed."""

    arm: str
    seed: int
    value: float | None
    ci: Interval
    n: int
    invalid_rate: float
    also: dict[str, float | None]
    cost: dict[str, float | None]
    evaluation_seconds: float | None
    confusion_labels: list[str]
    confusion: list[list[int]]
    pairs: dict[str, int]


@dataclass(frozen=True)
class Contrast:
    """Arm a minus arm b on one task, with its verdict."""

    a: str
    b: str
    metric: str
    delta: float
    ci: Interval
    p: float
    p_adjusted: float
    test: str
    n: int
    verdict: str
    sentence: str


@dataclass(frozen=True)
class TaskResults:
    """One output of the study with everything measured on it; cells in the order of the arms, then seeds.

    `also` maps each metric shown beside the main one to how it is called.
    """

    name: str
    title: str
    metric: str
    synthetic: bool
    counts: dict[str, int]
    majority: float | None
    also: dict[str, str]
    cells: list[Cell]
    contrasts: list[Contrast]

    def of_arm(self, arm: str) -> list[Cell]:
        """The arm's cells, one a seed."""
        return [cell for cell in self.cells if cell.arm == arm]


@dataclass(frozen=True)
class Finding:
    """Something preflight found: `level` is `fatal` or `warning`."""

    level: str
    where: str
    what: str


@dataclass(frozen=True)
class PreflightOf:
    """Preflight of one task: `rows` hold one number a split, `totals` what is counted over all of them."""

    task: str
    splits: list[str]
    rows: list[tuple[str, list[float | None]]]
    totals: list[tuple[str, float]]
    findings: list[Finding]


@dataclass(frozen=True)
class Run:
    """A finished run folder."""

    name: str
    question: str
    model: str
    seeds: list[int]
    arms: list[str]
    tasks: list[TaskResults]
    preflight: list[PreflightOf]
    created: str
    command: str
    versions: dict[str, str]
    settings: str
    predictions: list[tuple[str, str]]


def read_run(folder: Path) -> Run:
    """Read a run folder; `InputError` when its results are missing, broken or lack a name the page needs."""
    results = _json(folder / "results.json")
    preflight = _json(folder / "preflight.json") if (folder / "preflight.json").exists() else {}
    settings = folder / "study.yaml"
    try:
        study = results["study"]
        return Run(
            name=study["name"],
            question=study["question"],
            model=study["model"]["title"],
            seeds=study["seeds"],
            arms=study["arms"],
            tasks=[_task(task, study["arms"], results) for task in study["tasks"]],
            preflight=_preflight(preflight),
            created=results["created"],
            command=results["command"],
            versions=results["versions"],
            settings=settings.read_text(encoding="utf-8") if settings.exists() else "",
            predictions=[(c["predictions"]["path"], c["predictions"]["sha256"]) for c in results["cells"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            _unusable(folder / "results.json", f"an entry the report needs is missing: {error}")
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(_unusable(path, "there are no results here")) from error
    except ValueError as error:
        raise InputError(_unusable(path, "this is not JSON")) from error
    if not isinstance(content, dict):
        raise InputError(_unusable(path, "this is not a JSON object"))
    return content


def _unusable(path: Path, what: str) -> Problem:
    return Problem(str(path), what, "Name the folder of a finished run, or run `preceptor study` again to finish it.")


def _task(task: dict[str, Any], arms: list[str], results: dict[str, Any]) -> TaskResults:
    cells = [_cell(cell) for cell in results["cells"] if cell["task"] == task["name"]]
    return TaskResults(
        name=task["name"],
        title=task["title"],
        metric=task["metric"],
        synthetic=bool(task.get("synthetic")),
        counts=task["counts"],
        majority=task.get("majority"),
        also=dict(_also(extra) for extra in task.get("also") or []),
        cells=sorted(cells, key=lambda cell: (arms.index(cell.arm), cell.seed)),
        contrasts=[_contrast(contrast) for contrast in results["contrasts"] if contrast["task"] == task["name"]],
    )


def _also(extra: dict[str, Any]) -> tuple[str, str]:
    """`{metric: sensitivity, labels: ["1", "2"]}` -> `sensitivity`, `sensitivity for 1, 2`."""
    labels = extra.get("labels") or []
    return extra["metric"], metric_title(extra["metric"]) + (f" for {', '.join(labels)}" if labels else "")


def _cell(cell: dict[str, Any]) -> Cell:
    confusion = cell.get("confusion") or {"labels": [], "matrix": []}
    return Cell(
        arm=cell["arm"],
        seed=cell["seed"],
        value=cell["value"],
        ci=_interval(cell["ci"]),
        n=cell["n"],
        invalid_rate=cell["invalid_rate"],
        also=cell.get("also") or {},
        cost=cell["cost"],
        evaluation_seconds=cell.get("evaluation_seconds"),
        confusion_labels=confusion["labels"],
        confusion=confusion["matrix"],
        pairs=cell.get("pairs") or {},
    )


def _contrast(contrast: dict[str, Any]) -> Contrast:
    names = ("a", "b", "metric", "delta", "p", "p_adjusted", "test", "n", "verdict", "sentence")
    return Contrast(ci=_interval(contrast["ci"]), **{name: contrast[name] for name in names})


def _interval(ci: list[float | None] | None) -> Interval:
    low, high = ci or (None, None)
    return low, high


def _preflight(content: dict[str, Any]) -> list[PreflightOf]:
    return [_preflight_of(name, task) for name, task in content.items()]


def _preflight_of(name: str, task: dict[str, Any]) -> PreflightOf:
    by_split = {split: dict(_numbers(counts)) for split, counts in task.get("counts", {}).items()}
    for split, lengths in task.get("lengths", {}).items():
        tokens = {key if key.endswith("cut") else f"{key} length": count for key, count in lengths.items()}
        by_split.setdefault(split, {}).update(_numbers(tokens))
    names = list(dict.fromkeys(name for numbers in by_split.values() for name in numbers))
    rows = [(name, [numbers.get(name) for numbers in by_split.values()]) for name in names]
    findings = [Finding(each["level"], each["where"], each["what"]) for each in task.get("findings", [])]
    totals = _numbers(
        {key: value for key, value in task.items() if key not in ("counts", "lengths", "findings", "split")}
    )
    return PreflightOf(name, list(by_split), rows, totals, findings)


def _numbers(values: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Every number in `values`, nested ones too, under words made of its keys, and the length of every list.

    Text is left alone: only numbers and findings come out of preflight.
    """
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{prefix}{key} ")
        elif isinstance(value, list):
            found.append((f"{prefix}{key}", len(value)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{prefix}{key}", value))
    return [(words.replace("_", " "), number) for words, number in found]
