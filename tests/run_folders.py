"""Run folders as a study leaves them, without a model: every file and number is the study's own, answers are drawn."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from preceptor.engine import Cost
from preceptor.files import digest_file, write_atomic, write_json, write_jsonl
from preceptor.models import ModelSource, load_tokenizer
from preceptor.study import ArmOfRun, Prediction, Study, make_study
from preceptor.study.cases import Checked, Prepared, check_task, prepare, read_task
from preceptor.study.results.cells import Cell
from preceptor.study.results.preregistration import freeze
from preceptor.study.results.record import results_of
from preceptor.study.run.failures import Failure
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.session import preflight_of
from preceptor.study.run.study_folder import write_study_folder
from preceptor.study.score import case_score
from tiny_study import write_study, write_table

ARMS = ("base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf")
RIGHT = {"base": 0.1, "base+shots": 0.4, "sft": 0.7, "sft+dpo": 0.85, "sft+sft": 0.75, "tfidf": 0.5}
"""How often each arm answers rightly."""
SECRET = "burning when passing water since Tuesday"
"""Stands in answers that could not be read: text of a case."""

REASON = "optimizer step 3: <b>the loss</b> or its gradient is no longer a number"
FIX = "Lower learning_rate | (it is 1e+06)."
"""Why arms of a drawn run failed, and what to do; with signs that HTML and Markdown obey."""

EARLIER = {"preceptor": "0.0.1"}
"""A version whose words and rules this one does not know: what such results say may be made up, as tests do."""

_SECONDS = {"sft": 71.4, "sft+dpo": 164.2, "sft+sft": 160.9, "tfidf": 0.8}
_CURVES = {
    "sft": {"loss": [(1, 2.5), (2, 1.4), (3, 0.9)], "eval_loss": [(3, 1.1)]},
    "dpo": {
        "loss": [(1, 0.69), (2, 0.5)],
        "rewards/margins": [(1, 0.0), (2, 0.9)],
        "rewards/accuracies": [(1, 0.5), (2, 1.0)],
    },
}


TWO = {"triage_urgency": 60, "summarization": 24}
"""A label task and a text task, and how many held-out cases each has."""


def synthetic_run(
    root: Path,
    source: ModelSource,
    limits: Mapping[str, int] = TWO,
    arms: Sequence[str] = ARMS,
    seeds: Sequence[int] = (0,),
    failed: Sequence[tuple[str, str, int]] = (),
) -> Path:
    """Built-in cases: as many held-out ones as `limits` says for each task. `failed`: task, arm, seed without any."""
    entries = [
        {
            "task": task,
            "data": {"cases": 400, "seed": 3},
            "limit": {"train": 40, "validation": 8, "test": limit},
            "margin": 0.05,
        }
        for task, limit in limits.items()
    ]
    raw = {"name": "synthetic", "model": "tiny", "arms": list(arms), "seeds": list(seeds), "tasks": entries}
    return _write(root, make_study(raw, "test"), Path(), source, "preceptor study synthetic", failed)


def real_run(root: Path, source: ModelSource, seeds: Sequence[int] = (0, 1)) -> Path:
    """One label task from a table of the user's own, which lies beside the study file in `root.parent / "own"`."""
    own = root.parent / "own"
    own.mkdir()
    write_table(own / "cases.csv", patients=150)
    file = write_study(own, Path("tiny"), arms=ARMS, seeds=list(seeds))
    raw = yaml.safe_load(file.read_text())
    raw["tasks"][0]["data"] |= {"subgroups": ["sex"], "date": "day"}
    return _write(root, make_study(raw, "test"), own, source, f"preceptor study {file}")


def forget_form(arm: ArmOfRun) -> None:
    """As a run of an earlier version, which did not measure how free text agrees with scored labels: so few steps teach
    too little of writing for an export that only writes.
    """
    note = arm.predictions_file.parent / "cell.json"
    write_json(note, json.loads(note.read_text(encoding="utf-8")) | {"form": None})


def _write(
    root: Path,
    study: Study,
    base: Path,
    source: ModelSource,
    command: str,
    failed: Sequence[tuple[str, str, int]] = (),
) -> Path:
    tokenizer = load_tokenizer(source)
    checked = [check_task(read_task(entry, study, base), study, tokenizer) for entry in study.tasks]
    tasks = [(one, prepare(one, study, tokenizer)) for one in checked]
    run = RunFolder(root)
    _write_what_is_studied(run, study, checked)
    write_study_folder(run, base)
    design = freeze(run, study, [prepared for _, prepared in tasks])
    cells = [
        _cell(run, prepared, arm, seed, tuned=source.name)
        for _, prepared in tasks
        for seed in study.seeds
        for arm in study.arms
        if (arm != "tfidf" or prepared.task.labels) and (prepared.task.name, arm, seed) not in failed
    ]
    lost = [
        Failure(task=task, model=source.name, arm=arm, seed=seed, stage="DPO", reason=REASON, fix=FIX)
        for task, arm, seed in failed
    ]
    with pytest.MonkeyPatch.context() as patch:  # another test's run of the same cases is no earlier look at these
        patch.setenv("XDG_DATA_HOME", str(root.parent.absolute() / "data-home"))
        results = results_of(study, source, run, design, tasks, cells, command, lost)
        write_json(run.results, results.model_dump(mode="json"))
    return root


def _write_what_is_studied(run: RunFolder, study: Study, checked: Sequence[Checked]) -> None:
    write_atomic(run.study, yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False))
    write_json(run.preflight, {one.task.name: preflight_of(one) for one in checked})
    for one in checked:
        write_atomic(run.task(one.task.name), one.task_yaml)


def _cell(run: RunFolder, prepared: Prepared, arm: str, seed: int, tuned: str) -> Cell:
    rows = _answers(prepared, arm, seed)
    file = run.cell(prepared.task.name, "tiny", arm, seed) / "predictions.jsonl"
    write_jsonl(file, rows)
    write_json(file.with_name("cell.json"), {"key": "drawn", "evaluation_seconds": 14.2, "cost": {}})
    policy = _policy(run, prepared.task.name, arm, seed)
    return Cell(
        prepared,
        tuned,
        arm,
        seed,
        [Prediction(**row) for row in rows],
        _cost(arm),
        14.2,
        file.relative_to(run.root).as_posix(),
        digest_file(file),
        {"hardest_label": 12, "without_pair": 0} if arm == "sft+dpo" else {},
        {kind: _CURVES[kind] for kind in ("sft", "dpo") if kind in arm},
        policy,
    )


def _cost(arm: str) -> Cost:
    seconds = _SECONDS.get(arm, 0.0)
    return Cost(seconds=seconds, tokens_computed=int(1000 * seconds), flops=1e12 * seconds)


def _answers(prepared: Prepared, arm: str, seed: int) -> list[dict[str, Any]]:
    task = prepared.task
    rng = random.Random(f"{task.name} {arm} {seed if arm.startswith('sft') else 0}")
    rows = []
    for example in prepared.splits.test:
        wrong = rng.choice(task.labels) if task.labels else " ".join(example.target.split()[:-6])
        text = example.target if rng.random() < RIGHT[arm] else SECRET if arm == "base" else wrong
        rows.append(
            {"id": example.id, "text": text, "answer": task.parse(text), "score": case_score(task, text, example)}
        )
    return rows


def _policy(run: RunFolder, task: str, arm: str, seed: int) -> str | None:
    """An adapter's folder, with nothing in it."""
    if not arm.startswith("sft"):
        return None
    stage = run.stage(f"{task}-{arm}-{seed}".ljust(16, "-")[-16:])
    (stage / "adapter").mkdir(parents=True, exist_ok=True)
    return stage.relative_to(run.root).as_posix()
