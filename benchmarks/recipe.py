"""Which settings learn best, judged on validation cases alone: `python -m benchmarks.recipe STUDY [--task T] [--json]`

One task of a study is trained as the study says, with one setting changed at a time; the metric is that of the
validation cases, which nothing was trained on. SFT's checkpoint is chosen on the same cases, for every setting alike.
No held-out case is answered, scored or shown. In a row, `ours` is the changed setting, `peer` the study's own.

`--cases-seed` draws a built-in task's cases anew, so that settings are chosen on other cases than the study's.
`--folder` keeps what was trained: a program that was stopped goes on there.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from preceptor.data import Splits
from preceptor.engine import SFTSettings, choose_numerics
from preceptor.evidence import estimate, find_metric
from preceptor.models import Policy, fingerprint, load_policy, load_tokenizer
from preceptor.progress import Advance, quiet
from preceptor.study import Study, load_study
from preceptor.study.answers._greedy import greedy_texts
from preceptor.study.cases import Prepared, prepare
from preceptor.study.check import check_study
from preceptor.study.label_scores.scored import likeliest_labels
from preceptor.study.results.cells import sample
from preceptor.study.run.folder import open_run_folder
from preceptor.study.run.session import write_what_is_studied
from preceptor.study.spec.paths import model_of
from preceptor.study.stage_tree.tree import StageTree
from preceptor.study.stages._learned import chooses

CHANGES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "sft": (
        {"learning_rate": 0.5},
        {"learning_rate": 2.0},
        {"epochs": 2.0},
        {"label_token_weight": 1 / 3},
        {"label_balance": "class_weights"},
        {"label_balance": "logit_adjustment"},
    ),
    "dpo": ({"learning_rate": 0.4}, {"learning_rate": 2.5}, {"beta": 1 / 3}, {"beta": 3.0}, {"sft_weight": 0.0}),
    "pairs": ({"chosen_from": "gold"},),
}
"""What each setting of the study is multiplied by, or what stands in its place where it is no number. Those of labels
are changed where the task's labels are chosen from.
"""
ARMS = {"sft": "sft", "dpo": "sft+dpo", "pairs": "sft+dpo"}


@dataclass(frozen=True)
class Row:
    """One setting: its metric on validation cases beside that of the study's own settings, and the training time."""

    what: str
    case: str
    ours: float
    peer: float
    unit: str
    seconds: float
    ratio: float | None = None
    bound: None = None
    holds: None = None


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description="Settings of SFT and DPO, judged on validation cases alone.")
    parser.add_argument("study", help="a study file, or `quickstart`")
    parser.add_argument("--task", help="one task of it; default: the first")
    parser.add_argument("--validation", type=int, help="how many validation cases; default: as the study says")
    parser.add_argument("--cases-seed", type=int, help="draw the cases of a built-in task with this seed")
    parser.add_argument("--folder", type=Path, help="keep what is trained here; default: it is deleted at the end")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", choices=tuple(CHANGES), help="change the settings of this stage only")
    asked = parser.parse_args()
    study, base_folder = load_study(asked.study)
    entries = [entry for entry in study.tasks if asked.task in (None, entry.task)][:1]
    if asked.validation:
        entries = [e.model_copy(update={"limit": {**e.limit, "validation": asked.validation}}) for e in entries]
    if asked.cases_seed is not None:
        entries = [e.model_copy(update={"data": e.data.model_copy(update={"seed": asked.cases_seed})}) for e in entries]
    kinds = [asked.only] if asked.only else list(CHANGES)
    rows = []
    for row in measure(study.model_copy(update={"tasks": tuple(entries)}), base_folder, kinds, asked.folder):
        rows.append(row)
        if not asked.json:
            print(f"{row.case:24} {row.what:32} {row.unit} {row.ours:.3f}  (study's own {row.peer:.3f}), "
                  f"{row.seconds:.0f} s of training", flush=True)  # fmt: skip
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))


def measure(study: Study, base_folder: Path, kinds: Sequence[str], kept: Path | None = None) -> Iterator[Row]:
    """A row for the study's own settings of each of the `kinds` of stage, and one for each change.

    kept: a run folder for what is trained; None for one that is deleted.
    """
    with tempfile.TemporaryDirectory() as folder, open_run_folder(kept or Path(folder) / "run") as run:
        (checked,) = check_study(study, base_folder, Console(stderr=True))
        write_what_is_studied(run, study, [checked], base_folder)
        numerics = choose_numerics(study.numerics)
        torch.set_num_threads(numerics.threads)
        source = model_of(study, base_folder)
        prepared = _without_held_out(prepare(checked, study, load_tokenizer(source)))
        # One for each setting: a tree looks at the settings of a task once.
        tree = partial(StageTree, study, numerics, source, fingerprint(source), run, _silent)
        for kind in kinds:
            arm = ARMS[kind]
            own, seconds = _judged(tree(), prepared, arm)
            yield Row(f"{arm}, the study's own", prepared.task.name, own, own, prepared.task.metric, seconds)
            for change in changes(prepared, study, kind):
                changed, said = _changed(prepared, study, kind, change)
                value, seconds = _judged(tree(), changed, arm)
                yield Row(f"{arm}, {said}", prepared.task.name, value, own, prepared.task.metric, seconds)


def changes(prepared: Prepared, study: Study, kind: str) -> list[dict[str, Any]]:
    """Those of `CHANGES` that have an effect on the task."""
    settings = getattr(prepared.entry, kind) or getattr(study, kind)
    with_labels = isinstance(settings, SFTSettings) and chooses(prepared.task, settings)
    return [one for one in CHANGES[kind] if with_labels or not any(name.startswith("label_") for name in one)]


def _without_held_out(prepared: Prepared) -> Prepared:
    """The validation cases in the held-out cases' place, so that nothing behind this line can see those."""
    splits = prepared.splits
    prompts = [encoded.prompt for encoded in prepared.validation]
    return replace(
        prepared,
        splits=Splits(splits.train, splits.validation, splits.validation),
        test=prompts,
        shown=splits.validation,
    )


def _changed(prepared: Prepared, study: Study, kind: str, change: dict[str, Any]) -> tuple[Prepared, str]:
    """The task with one setting changed, and what it is now."""
    settings = getattr(prepared.entry, kind) or getattr(study, kind)
    ((name, by),) = change.items()
    own = getattr(settings, name)
    value = by if isinstance(by, str) else type(own)(own * by)
    entry = prepared.entry.model_copy(update={kind: settings.model_copy(update={name: value})})
    return replace(prepared, entry=entry), f"{name} {value if isinstance(value, str) else format(value, 'g')}"


def _judged(tree: StageTree, prepared: Prepared, arm: str) -> tuple[float, float]:
    """The arm's metric on the validation cases, and the seconds its own last stage took."""
    done = tree.outputs(arm, prepared, tree.study.seeds[0])
    policy = load_policy(tree.source, done[-1].policy, dtype=tree.numerics.torch_dtype)
    answered = sample(prepared, _answers(tree, prepared, policy), prepared.task.metric)
    value = estimate(find_metric(prepared.task.metric), answered).value
    assert value is not None
    return value, done[-1].cost.seconds


def _answers(tree: StageTree, prepared: Prepared, policy: Policy) -> list[str]:
    """Labels of the highest score, or greedy text."""
    task, prompts, numerics = prepared.task, prepared.test, tree.numerics
    if task.labels:
        return likeliest_labels(policy, prompts, task=task, numerics=numerics, max_length=tree.study.max_length)[0]
    return greedy_texts(policy, prompts, task.answer.max_new_tokens)


@contextmanager
def _silent(what: str, total: int) -> Iterator[Advance]:
    yield quiet


if __name__ == "__main__":
    main()
