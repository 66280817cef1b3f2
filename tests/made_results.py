"""Results of studies made from numbers, which are values, intervals and p-values; all else is what a study calls."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from concluded import LABELS, TASK
from preceptor.data import DataSpec, Splits
from preceptor.engine import Cost
from preceptor.evidence import TANGO, Comparison, compared_fields, find_metric, judge, power
from preceptor.study import Prediction, TaskEntry
from preceptor.study.cases import Prepared
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.cells import Cell as Answered
from preceptor.study.results.conclusion_schema import SpikeConclusion, SpikeFinding
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.contrasts import ERROR_ON_PURPOSE, chosen, contrasts
from preceptor.study.results.could_have_seen import could_have_seen
from preceptor.study.results.measure import measure
from preceptor.study.results.schema import ArmPart, Model, Results, StudyPart
from preceptor.study.results.task_evidence import by_task_and_model
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import Arm, contrasts_about, resolve
from preceptor.tasks import Example, Task

ARMS = ("base", "sft", "sft+dpo", "sft+sft", "tfidf")
VALUES = {
    "base": 0.5, "base+shots": 0.52, "sft": 0.6, "sft+dpo": 0.6, "sft+sft": 0.6, "classifier": 0.6, "tfidf": 0.4,
    "endpoint": 0.3, "majority": 0.3,
}  # fmt: skip
"""SFT is enough; what a test is about, it changes."""
WORTH_IT = {"sft+dpo": 0.8}
RESAMPLED = "expanded percentile, patients resampled"
DELIVERED = {
    "steps": 32, "dose": 2e-3, "kept_step": 24, "kept_dose": 1.5e-3,
    "eval_pair_accuracy_at_start": 0.5, "eval_pair_accuracy": 0.75,
}  # fmt: skip
_NO_PAIRS: Mapping[str, dict[str, Any]] = {}


def made(
    values: Mapping[str, float | None] | None = None,
    pairs: Mapping[str, dict[str, Any]] = _NO_PAIRS,
    *,
    arms: Sequence[str | Arm] = ARMS,
    seeds: int | Mapping[str, int] = 3,
    failed: Sequence[str] = (),
    spikes: Sequence[str] = ("preferences",),
    delivered: dict[str, Any] | None = DELIVERED,
    cells: Mapping[str, dict[str, Any]] = _NO_PAIRS,
    without: Sequence[str] = (),
    **task: Any,
) -> dict[str, Any]:
    """The JSON of `results.json` of one task, and of another one for its control.

    values: arm -> its metric. pairs: `a/b` -> what is particular of that contrast, see `_contrast`. seeds: of all arms,
    or arm -> how many. failed: arms that failed. without: contrasts that the study does not make. cells: arm -> what is
    particular of its cells.
    """
    known, of = VALUES | (values or {}), resolve(arms, {})
    part = TaskPart.model_validate(TASK | task)
    counts = {
        arm: seeds if isinstance(seeds, int) else seeds.get(arm, seeds.get("all", 0)) for arm in [*of, "majority"]
    }
    there = [arm for arm in of if arm not in failed]
    answers = [
        _cell(part, arm, seed, known[arm], {"delivered": delivered if arm == "sft+dpo" else None} | cells.get(arm, {}))
        for arm in there
        for seed in range(counts[arm])
    ]
    compared = [
        _contrast(part, a, b, family, known, min(counts[a], counts[b]), of, pairs.get(f"{a}/{b}", {}))
        for (a, b), family in chosen(of, contrasts_about(of)).items()
        if a in there and (b in there or b == "majority") and f"{a}/{b}" not in without
    ]
    lost = [Failure(task="triage", model="tiny", arm=arm, seed=0, stage="SFT", reason="why", fix="Mend it.")
            for arm in failed]  # fmt: skip
    return _results(part, of, compared, answers, lost, spikes, max(counts.values()))


def answered(patients: int, urgent: int, *, unread: int | None = None, changed: int | None = None) -> dict[str, Any]:
    """The same of a study whose answers are known, one case a patient, `urgent` of them urgent.

    By default DPO is always right and the others are not. unread: how many answers of the base model cannot be read, in
    a study of SFT. changed: how many answers DPO changes, all of them wrong before and after.
    """
    gold = ["urgent"] * urgent + ["routine"] * (patients - urgent)
    other = {"urgent": "routine", "routine": "urgent"}
    wrong = [other[one] for one in gold]
    answers = {
        "base": wrong[:15] + gold[15:],
        "sft": wrong[:12] + gold[12:],
        "sft+dpo": gold,
        "sft+sft": wrong[:12] + gold[12:],
    }
    if unread is not None:
        answers = {"base": ["none"] * unread + gold[unread:], "sft": gold}
    if changed is not None:
        begun = wrong[:20] + gold[20:]
        answers = {
            "base": wrong[:60] + gold[60:],
            "sft": begun,
            "sft+dpo": ["soon"] * changed + begun[changed:],
            "sft+sft": begun,
        }
    case, of = _prepared(gold), resolve([*answers], {})
    rows = [_answers(case, arm, texts) for arm, texts in answers.items()]
    compared = contrasts(rows, of, contrasts_about(of), {"triage": 0.1})
    part = TaskPart.model_validate(TASK | {"metric": "accuracy", "margin": 0.1})
    return _results(part, of, compared, [measure(case, row) for row in rows], [], ("preferences",), 1)


def _prepared(gold: Sequence[str]) -> Prepared:
    task = Task.model_validate(
        {
            "name": "triage", "title": "t", "question": "q", "source": "s", "fields": {"note": "n"}, "instruction": "i",
            "prompt": "{note}", "metric": "accuracy",
            "answer": {"kind": "label", "labels": dict.fromkeys(LABELS, "x"), "max_new_tokens": 4},
        }
    )  # fmt: skip
    test = [Example(f"c{number}", f"p{number}", {"note": "n"}, one) for number, one in enumerate(gold)]
    splits = Splits([Example("t", "t", {"note": "n"}, "soon")], [], test)
    entry = TaskEntry(task=task.name, data=DataSpec(cases=10))
    return Prepared(entry, task, splits, train=[], validation=[], test=[], shown=[])


def _answers(case: Prepared, arm: str, texts: Sequence[str]) -> Answered:
    given = [
        Prediction(one.id, text, case.task.parse(text), 0.0) for one, text in zip(case.splits.test, texts, strict=True)
    ]
    return Answered(case, "tiny", arm, 0, given, Cost(), 0.0, "predictions.jsonl", "", {})


def _results(
    part: TaskPart, of: Mapping[str, Arm], compared: list[Contrast], cells: list[Cell], lost: list[Failure],
    spikes: Sequence[str], seeds: int,
) -> dict[str, Any]:  # fmt: skip
    """What a study would conclude from these, and all of it as JSON. The control is another task of it."""
    found = [_spike(one) for one in spikes]
    evidence = by_task_and_model(compared, cells, [part], of, lost)
    seen = [box for one in evidence if (box := could_have_seen(one, found))]
    tasks = [part, part.model_copy(update={"name": "spiked"})]
    told = StudyPart(
        name="s", question="", model=Model(name="tiny", title="Tiny"), seeds=list(range(seeds)), arms=list(of),
        tasks=tasks,
    )  # fmt: skip
    results = Results(
        study=told, versions={}, created="", command="", cells=cells, failed=lost, contrasts=compared, spikes=found,
        arms=[ArmPart.model_validate(arm, from_attributes=True) for arm in of.values()], could_have_seen=seen,
        conclusions=conclusions(compared, cells, [part], of, lost, seen),
    )  # fmt: skip
    return cast(dict[str, Any], json.loads(results.model_dump_json()))


def _contrast(
    task: TaskPart, a: str, b: str, family: Any, values: Mapping[str, float | None], seeds: int,
    arms: Mapping[str, Arm], own: Mapping[str, Any],
) -> Contrast:  # fmt: skip
    """What the study would write of two arms with these numbers, judged by what judges them in a study.

    own: `half`, of the 95% interval; `ci` and `ci_90` themselves; `p`, adjusted; `patients`, `differing`, `smallest`
    (of the classes), `effective` (patients), `interval`; and whatever stands in a contrast.
    """
    named = {"half": 0.02, "patients": 120, "differing": 40, "smallest": 40, "interval": RESAMPLED} | own
    ours, theirs = values[a], values[b]
    assert ours is not None
    assert theirs is not None
    delta = named.get("delta", round(ours - theirs, 9))
    half, patients = named["half"], named["patients"]
    low, high = named.get("ci", (delta - half, delta + half))
    low_90, high_90 = named.get("ci_90", (delta - 0.84 * half, delta + 0.84 * half))
    p = named.get("p", 0.01 if low > 0 or high < 0 else 0.3)
    comparison = Comparison(
        delta=delta, low=low, high=high, low_90=low_90, high_90=high_90, p=p, test="arms swapped within patients",
        interval=named["interval"], n=patients, patients=patients, effective_patients=named.get("effective", patients),
        differing=named["differing"], smallest_class=named["smallest"], seed_deltas=(delta,) * seeds,
        variance=named["differing"] / patients if named["interval"] == TANGO else patients * (half / 1.96) ** 2,
    )  # fmt: skip
    judgement = judge(comparison, p, task.margin, better=find_metric(task.metric).better)
    fields = compared_fields(comparison, judgement)
    if task.spike and arms[a].trained and b in arms and arms[b].trained:
        fields |= {"verdict": "inconclusive", "below_margin": False, "less_than_matters": False}
        fields |= {"descriptive": fields["descriptive"] or ERROR_ON_PURPOSE}
    is_open = fields["verdict"] == "inconclusive" and not fields["descriptive"] and task.margin is not None
    wide = {name: named[name] for name in ("dangerous", "answers_changed", "counts") if name in named}
    return Contrast.model_validate(
        fields
        | {
            "task": task.name, "model": "tiny", "metric": task.metric, "family": family, "a": a, "b": b,
            "p_adjusted": p, "margin": task.margin, "answers_changed": 0.3 if b in arms else None, "price_ratio": 1.2,
            "seeds": [{"seed": seed, "delta": delta} for seed in range(seeds)], "sentence": "",
            "needed": power.would_settle(comparison, task.margin) if is_open and task.margin else None,
        }
        | wide
    )  # fmt: skip


def _cell(task: TaskPart, arm: str, seed: int, value: float | None, own: Mapping[str, Any]) -> Cell:
    found = {
        "task": task.name, "model": "tiny", "arm": arm, "seed": seed, "metric": task.metric, "value": value, "n": 120,
        "invalid_rate": 0.0, "cost": {}, "predictions": {"path": "predictions.jsonl", "sha256": ""},
    }  # fmt: skip
    return Cell.model_validate(found | own)


def _spike(conclusion: str) -> SpikeFinding:
    known: dict[str, Literal[""]] = {"learned": "", "held": "", "sentence": "", "scope": ""}
    said = cast(SpikeConclusion, conclusion)
    return SpikeFinding(task="spiked", model="tiny", shares=[], effective_patients=40, conclusion=said, **known)
