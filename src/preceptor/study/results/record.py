"""What `results.json` and `preflight.json` say: of the study, its tasks, its cells, and what follows from them."""

import importlib.metadata
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from preceptor import __version__
from preceptor.data import NEAR_DUPLICATE
from preceptor.files import digest
from preceptor.models import ModelSource
from preceptor.study.answers.predictions import read_note
from preceptor.study.cases import Checked, Prepared
from preceptor.study.results.cells import Cell, dangerous_labels
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrasts import contrasts, not_compared
from preceptor.study.results.means import majority_value, measure
from preceptor.study.results.power import power_of
from preceptor.study.results.preregistration import Design
from preceptor.study.results.subgroups import dates_of, subgroups_of
from preceptor.study.run.failures import Failure
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.provenance import made_from
from preceptor.study.run.test_set_ledger import note_look
from preceptor.study.spec.study import Study

_VERSIONS = ("torch", "transformers", "peft", "accelerate", "numpy", "scipy", "statsmodels", "scikit-learn")


def results_of(
    study: Study,
    source: ModelSource,
    run: RunFolder,
    design: Design,
    tasks: Sequence[tuple[Checked, Prepared]],
    cells: Sequence[Cell],
    command: str,
    failed: Sequence[Failure] = (),
) -> dict[str, Any]:
    """All that `results.json` holds. Whoever asks for it looks at the test sets, and the look is noted."""
    lost = [one.to_json() for one in failed]
    told = [_task(study, run, checked, prepared, cells, len(tasks)) for checked, prepared in tasks]
    margins = {prepared.task.name: prepared.entry.margin for _, prepared in tasks}
    measured = [measure(cell.prepared, cell) for cell in cells]
    compared = contrasts(cells, study.primary_contrasts, margins, lost)
    return {
        "study": {
            "name": study.name,
            "question": study.question,
            "model": {"name": source.name, "title": source.title},
            "endpoint": _endpoint(study),
            "seeds": list(study.seeds),
            "arms": list(study.arms),
            "makers": list(study.makers),
            "tasks": told,
        },
        "exploratory": design.changed or any(task["looks"] > 1 for task in told),
        "design": design.to_json(),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "made_from": made_from(run),
        "cells": measured,
        "failed": lost,
        "contrasts": compared,
        "not_compared": not_compared(cells, study.primary_contrasts, lost),
        "conclusions": conclusions(compared, measured, told, lost),
    }


def versions() -> dict[str, str]:
    """Of Preceptor, Python and the libraries that numbers come from."""
    libraries = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {"preceptor": __version__, "python": platform.python_version()} | libraries


def _task(
    study: Study, run: RunFolder, checked: Checked, prepared: Prepared, cells: Sequence[Cell], tasks: int
) -> dict[str, Any]:
    task, splits = prepared.task, prepared.splits
    own = [cell for cell in cells if cell.prepared is prepared]
    answers = digest(sorted([cell.model, cell.arm, str(cell.seed), cell.predictions_sha256] for cell in own))
    return {
        "name": task.name,
        "title": task.title,
        "metric": task.metric,
        "also": [extra.model_dump(mode="json") for extra in task.secondary_metrics],
        "labels": list(task.labels),
        "dangerous": list(dangerous_labels(prepared)),
        "margin": prepared.entry.margin,
        "synthetic": prepared.synthetic,
        "counts": {
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
            "groups_test": prepared.test_patients,
        },
        "dates": dates_of(prepared),
        "subgroups": subgroups_of(prepared, own),
        "test_sha256": prepared.test_set,
        "looks": note_look(prepared.test_set, answers, study.name) if own else 0,
        "leakage": _leakage(checked),
        "power": power_of(prepared, study, tasks),
        "shots": {
            str(cell.seed): read_note((run.root / cell.predictions_file).parent).get("shots", {})
            for cell in own
            if cell.arm == "base+shots"
        },
        "majority": majority_value(prepared),
    }


def _leakage(checked: Checked) -> list[str]:
    """Of what preflight found, what makes the held-out cases too easy; how many cases, never which."""
    return [
        f"{len(found.ids)} test cases nearly repeat the text of a case in an earlier split"
        for found in checked.preflight.findings
        if found.code == NEAR_DUPLICATE and found.split == "test"
    ]


def _endpoint(study: Study) -> dict[str, str] | None:
    if study.endpoint is None or "endpoint" not in study.arms:
        return None
    return {"url": study.endpoint.url, "model": study.endpoint.model}
