"""A stage kind, a way of answering and a metric that the repository has never seen: one file each, and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import preceptor
from html_page import Page
from tiny_study import write_study

STAGE = '''
"""Shrinking: what training changed in the adapter is multiplied by a factor."""

import torch
from pydantic import BaseModel, Field

from preceptor.engine import timed
from preceptor.models import save_policy
from preceptor.study.stage_tree.stage_context import Context, Result

title = "Shrunk"
explanation = "The policy before it with a part of what it learned taken back."
curves = ()
makes = "policy"


class Settings(BaseModel):
    factor: float = Field(default=0.5, ge=0, le=1)


def needs(stage):
    return ()


def data(context: Context):
    return [context.settings.factor]


def run(context: Context, data) -> Result:
    with timed() as cost, torch.no_grad():
        policy = context.start()
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.mul_(data[0])
        save_policy(policy, context.folder)
    return Result(cost, notes={"factor": data[0]})
'''

ANSWER = '''
"""Nearest case: the label of the training case that shares the most words."""

from preceptor.files import digest
from preceptor.study.predictions.answer_context import AnswerContext, Answering

title = "Nearest case"
phrase = "the nearest case"
explanation = "The label of the training case that shares the most words with the held-out one."
deterministic = True
asks_policy = False
language_model = False


def unsupported_reason(task):
    return None if task.labels else "it gives labels only"


def key(context: AnswerContext) -> str:
    train = context.task.splits.train
    return digest(["nearest", [[_words(context, one), one.target] for one in train]])


def answer(context: AnswerContext) -> Answering:
    known = [(set(_words(context, one)), one.target) for one in context.task.splits.train]

    def answerer(done, on_batch):
        for number, case in enumerate(context.task.splits.test):
            if number not in done:
                words = set(_words(context, case))
                on_batch({number: max(known, key=lambda one: len(words & one[0]))[1]})

    return Answering(answerer)


def _words(context, case):
    return sorted({word for turn in context.task.task.messages(case) for word in turn["content"].split()})
'''

METRIC = '''
"""Worst recall: of the labels that occur, the share found of the one that is found least."""

import numpy as np

title = "Worst recall"
explanation = "Of each label's cases the share that was found, for the label that was found least."
fits = "labels"
better = "higher"


def value(sample, weights):
    gold, right = sample.gold, sample.gold == sample.predicted
    shares = []
    for label in np.unique(gold):
        total = weights @ (gold == label)
        shares.append(np.where(total > 0, (weights @ (right & (gold == label))) / np.maximum(total, 1e-12), np.inf))
    return np.min(shares, axis=0)
'''


def preceptor_of(source: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A command of the package in `source`."""
    command = [sys.executable, "-c", "from preceptor.cli import main; main()", *map(str, words)]
    changes = {"PYTHONPATH": str(source), "COLUMNS": "400"}
    return subprocess.run(command, env=os.environ | changes, capture_output=True, text=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with three more files."""
    copy = tmp_path_factory.mktemp("source")
    shutil.copytree(Path(preceptor.__file__).parent, copy / "preceptor", ignore=shutil.ignore_patterns("__pycache__"))
    for folder, name, text in (
        ("study/stages", "shrunk", STAGE),
        ("study/answers", "nearest", ANSWER),
        ("evidence/metrics", "worst_recall", METRIC),
    ):
        (copy / "preceptor" / folder / f"{name}.py").write_text(text.lstrip())
    return copy


def test_dropped_in_files_run_in_a_study_and_stand_in_its_report_with_title_and_explanation(
    source: Path, tmp_path: Path, tiny_model_folder: Path
) -> None:
    short = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}
    arms = ["base", "sft", "sft+shrunk", {"name": "half", "title": "Half SFT", "stages": ["sft", "gently"]}, "nearest"]
    stages = {"gently": {"kind": "shrunk", "factor": 0.25}}
    file = write_study(tmp_path, tiny_model_folder, arms=arms, stages=stages, sft=short, shrunk={"factor": 0.75})
    task = tmp_path / "urgency.task.yaml"
    task.write_text(yaml.safe_dump({**yaml.safe_load(task.read_text()), "metric": "worst_recall"}))

    run = tmp_path / "run"
    for words in (("study", file, "--output-dir", run), ("report", run)):
        ended = preceptor_of(source, *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    results = json.loads((run / "results.json").read_text())
    assert {cell["arm"]: cell["metric"] for cell in results["cells"]} == dict.fromkeys(
        ("base", "sft", "sft+shrunk", "half", "nearest"), "worst_recall"
    )
    factors = [json.loads(path.read_text()).get("factor") for path in run.glob("stages/*/ledger.json")]
    assert sorted(factor for factor in factors if factor) == [0.25, 0.75]
    titles = {arm["name"]: arm["title"] for arm in results["arms"]}
    assert titles == {
        "base": "Base", "sft": "SFT", "sft+shrunk": "SFT+Shrunk", "half": "Half SFT", "nearest": "Nearest case",
    }  # fmt: skip
    text = Page((run / "report.html").read_text()).text
    for words in ("SFT+Shrunk", "Half SFT", "Nearest case", "Worst recall", "shares the most words with the held-out",
                  "taken back", "for the label that was found least"):  # fmt: skip
        assert words in text, words
    assert {(one["a"], one["b"]) for one in results["contrasts"]} >= {("sft+shrunk", "sft"), ("half", "sft")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "files", "encoder"),
    [
        ("clm", ["study/stages/clm.py"], False),
        (
            "classify",
            [
                "study/stages/classify.py",
                "study/stages/encoder.py",
                "study/answers/head.py",
                "models/families/encoder.py",
            ],
            True,
        ),
    ],
)
def test_a_kind_of_the_repository_is_its_own_files_and_no_other(
    tmp_path: Path, tiny_model_folder: Path, tiny_encoder_folder: Path, kind: str, files: list[str], encoder: bool
) -> None:
    root, copy = Path(preceptor.__file__).parent, tmp_path / "source" / "preceptor"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name in files:
        (copy / name).unlink()
    study = write_study(
        tmp_path / "own",
        tiny_encoder_folder if encoder else tiny_model_folder,
        stages={"first": {"kind": kind, "epochs": 1, "learning_rate": 0.01}},
        arms=["first", "tfidf"],
        primary=[["first", "tfidf"]],
    )
    ended = preceptor_of(copy.parent, "check", study)
    without = {Path(name).stem for name in files if name.startswith("study/stages/")}
    kinds = ", ".join(sorted({"chosen", "classify", "clm", "dpo", "encoder", "pairs", "senses", "sft"} - without))
    assert ended.returncode == 2
    assert f"first: there is no kind '{kind}'; use one of {kinds}" in ended.stderr
    for name in files:
        shutil.copyfile(root / name, copy / name)
    ended = preceptor_of(copy.parent, "study", study, "--output-dir", tmp_path / "run")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [cell["arm"] for cell in results["cells"]] == ["first", "tfidf"]


def test_the_name_of_a_stage_kind_a_maker_or_a_metric_is_a_value_in_at_most_one_other_file() -> None:
    root = Path(preceptor.__file__).parent
    texts = {path.relative_to(root): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    for folder in ("study/stages", "preferences/makers", "evidence/metrics"):
        for member in (root / folder).glob("[!_]*.py"):
            if member.stem in ("pairs", "judge", "votes"):
                continue  # also what stages hand on, and settings of a study: what a maker may depend on
            named = re.compile(rf"""["']{member.stem}["']""")
            naming = {path for path, text in texts.items() if named.search(text)} - {member.relative_to(root)}
            if member.stem == "chosen":  # also a column of pairs, where the other column is named beside it
                naming = {path for path in naming if '"rejected"' not in texts[path]}
            assert len(naming) <= 1, f"{member.stem} is named in {sorted(map(str, naming))}"
