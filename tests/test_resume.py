"""A run that is killed at its worst moments ends with the very bytes of a run that was never disturbed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import senses_study
from preceptor.engine import Numerics, SFTSettings, Stage, run_sft
from preceptor.files import read_jsonl
from preceptor.models import AdapterSettings, Encoded, encode, new_policy
from tiny_study import write_study, write_table

PRECEPTOR = Path(sys.executable).with_name("preceptor")
TRIES = 5

Moment = Callable[[Path], bool]
"""Whether a run folder shows, from outside, that the process is in the middle of something."""


def answering(run: Path) -> bool:
    """At least one batch of answers is kept, and not all."""
    parts = [part for part in run.glob("cells/*/*/*/*/predictions.part.jsonl") if not _beside(part, "cell.json")]
    return any(part.read_bytes().count(b"\n") >= 2 for part in parts)


def in_sft(run: Path) -> bool:
    return any(not _logs_rewards(step) for step in _unfinished(run, "checkpoint-*"))


def saving(run: Path) -> bool:
    return bool(_unfinished(run, ".aside/checkpoint-*"))


def in_dpo(run: Path) -> bool:
    return any(_logs_rewards(step) for step in _unfinished(run, "checkpoint-*"))


def _unfinished(run: Path, pattern: str) -> list[Path]:
    works = [work for work in run.glob("stages/*/checkpoints") if not _beside(work, "ledger.json")]
    return [found for work in works for found in work.glob(pattern)]


def _logs_rewards(checkpoint: Path) -> bool:
    try:
        return "rewards/margins" in (checkpoint / "trainer_state.json").read_text()
    except FileNotFoundError:  # an older checkpoint, just taken away
        return False


def _beside(path: Path, name: str) -> bool:
    return (path.parent / name).exists()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_killed_at_four_moments_ends_like_one_left_alone(
    dtype: str, tmp_path: Path, tiny_model_folder: Path
) -> None:
    study = long_study(tmp_path, tiny_model_folder, dtype)
    patterns = ("cells/**/predictions.jsonl", "stages/*/pairs.jsonl", "stages/*/adapter/*")
    alone, disturbed = killed_and_alone(study, tmp_path, (answering, in_sft, saving, in_dpo), patterns)
    texts = {one.parts[-3]: [row["text"] for row in read_jsonl(alone / one)] for one in contents_of_cells(alone)}
    assert texts["base"] != texts["sft"], "equal bytes say nothing when training changes no answer"
    assert list(disturbed.rglob("*.part.jsonl")) == []


@pytest.mark.slow_recipe
@pytest.mark.parametrize("chunks", [{}, {"chunk_length": 16}], ids=["whole", "chunks"])
def test_a_classifier_killed_while_it_learns_and_answers_ends_like_one_left_alone(
    tmp_path: Path, tiny_encoder_folder: Path, chunks: dict[str, int]
) -> None:
    study = long_study(
        tmp_path,
        tiny_encoder_folder,
        "float32",
        arms=["classify", "tfidf"],
        primary=[["classify", "tfidf"]],
        classify={"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "looks_per_epoch": 4, "patience": 12},
        **({"slots": {"one": {"type": "LORA", "r": 4}, "head": {"type": "head"} | chunks}} if chunks else {}),
    )
    patterns = ("cells/**/predictions.jsonl", "stages/*/slots/**/*", *([] if chunks else ["stages/*/adapter/*"]))
    killed_and_alone(study, tmp_path, (in_sft, saving), patterns)


@pytest.mark.slow_recipe
def test_senses_killed_while_they_are_learned_end_like_those_left_alone(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    study = long_study(
        tmp_path,
        tiny_encoder_folder,
        "float32",
        arms=["first+moved", "tfidf"],
        primary=[["first+moved", "tfidf"]],
        slots={"one": senses_study.LORA, "head": {"type": "head"}},
        stages={
            "first": senses_study.STAGES["first"] | {"epochs": 6, "batch_size": 8, "looks_per_epoch": 4},
            "moved": senses_study.STAGES["moved"],
        },
    )
    senses_study.write_forms(tmp_path)
    senses_study.write_notes(tmp_path / "cases.csv", patients=240)
    patterns = ("cells/**/predictions.jsonl", "stages/*/slots/**/*")
    alone, disturbed = killed_and_alone(study, tmp_path, (in_sft, saving), patterns)
    figures = [
        ledger["sense_figures"] for run in (alone, disturbed) for ledger in ledgers(run) if ledger["kind"] == "senses"
    ]
    assert figures[0] == figures[1]
    assert figures[0]["all"]["cases"] > 0


def test_a_stage_that_stopped_early_and_was_killed_before_it_was_kept_trains_no_further(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any
) -> None:
    def cases(answers: list[str], count: int) -> list[Encoded]:
        prompts = ([{"role": "user", "content": f"case {n}"}] for n in range(count))
        return [encode(tiny_tokenizer, prompt, answers[n % 2]) for n, prompt in enumerate(prompts)]

    train, unlike_train = cases(["urgent", "routine"], 16), cases(["Zxy", "Qab"], 4)
    settings = SFTSettings(epochs=8, batch_size=4, learning_rate=0.02, patience=2)

    def sft() -> tuple[Stage, dict[str, Any]]:
        policy = new_policy(tiny_source, AdapterSettings(rank=4, alpha=8), seed=0, dtype=torch.float32)
        stage = run_sft(policy, train, unlike_train, settings, Numerics(threads=1), tmp_path, seed=0)
        return stage, {name: weight for name, weight in policy.model.state_dict().items() if "lora" in name}

    (first, weights), (again, weights_again) = sft(), sft()
    assert first.cost.optimizer_steps < 32, "it must stop early to show anything"
    assert again.cost.optimizer_steps == first.cost.optimizer_steps
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)


def long_study(folder: Path, model: Path, dtype: str, **changes: Any) -> Path:
    """Long enough that each moment lasts: several batches of answers, many steps, many checkpoints."""
    folder.mkdir(exist_ok=True)
    write_table(folder / "cases.csv", patients=240)
    answer = {"kind": "label", "labels": {"urgent": "now", "routine": "later"}, "max_new_tokens": 48}
    return write_study(
        folder,
        model,
        task={"answer": answer},
        sft={"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "looks_per_epoch": 4, "patience": 12},
        dpo={"epochs": 3, "batch_size": 4, "learning_rate": 0.001, "looks_per_epoch": 4},
        pairs={"limit": 32},
        numerics={"threads": 1, "dtype": dtype},
        **changes,
    )


def killed_and_alone(
    study: Path, folder: Path, moments: Sequence[Moment], patterns: Sequence[str]
) -> tuple[Path, Path]:
    """The study run without and with kills at these moments: every file of the patterns ends with the same bytes, and
    the work is the same.
    """
    alone, disturbed = folder / "alone", folder / "disturbed"
    undisturbed = start(study, alone)
    for moment in moments:
        kill_at(moment, study, disturbed)
    assert start(study, disturbed).wait() == 0
    assert undisturbed.wait() == 0
    for pattern in patterns:
        expected, found = contents(alone, pattern), contents(disturbed, pattern)
        assert found.keys() == expected.keys() != set()
        assert [name for name in expected if expected[name] != found[name]] == []
    assert costs(alone) == costs(disturbed)
    assert list(disturbed.glob("stages/*/checkpoints")) == []
    return alone, disturbed


def start(study: Path, run: Path) -> subprocess.Popen[bytes]:
    command = [str(PRECEPTOR), "study", str(study), "--output-dir", str(run)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at(moment: Moment, study: Path, run: Path) -> None:
    """Start or continue the study and kill it with no chance to clean up; what lies there proves the moment."""
    for _ in range(TRIES):
        process = start(study, run)
        while process.poll() is None and not moment(run):
            time.sleep(0.0005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"the run ended before {moment.__name__} was seen"
        if moment(run):
            return
    raise AssertionError(f"{moment.__name__} was over {TRIES} times before the process was dead")


def contents(run: Path, pattern: str) -> dict[Path, bytes]:
    return {path.relative_to(run): path.read_bytes() for path in sorted(run.glob(pattern)) if path.is_file()}


def contents_of_cells(run: Path) -> dict[Path, bytes]:
    return contents(run, "cells/**/predictions.jsonl")


def costs(run: Path) -> dict[str, tuple[int, int, int, float]]:
    """Each stage's work, which a crash must neither lose nor count twice."""
    names = ("optimizer_steps", "tokens_seen", "tokens_computed", "flops")
    return {ledger["key"]: tuple(ledger["cost"][name] for name in names) for ledger in ledgers(run)}


def ledgers(run: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in run.glob("stages/*/ledger.json")]
