"""A classifier on what cannot be learned from: each is a clear error, or counted and said."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import study_runs
from command_line import CommandLine, Outcome
from tiny_study import write_study

ARMS: dict[str, Any] = {"arms": ["classify", "tfidf"], "primary": [["classify", "tfidf"]], "classify": {"epochs": 1}}


@pytest.fixture
def encoder(tmp_path: Path, tiny_encoder_folder: Path) -> Path:
    """A copy of the tiny encoder, to damage."""
    return Path(shutil.copytree(tiny_encoder_folder, tmp_path / "encoder"))


def checked(preceptor: CommandLine, folder: Path, model: Path, **changes: Any) -> Outcome:
    return preceptor.run("check", write_study(folder / "study", model, **ARMS | changes))


def test_an_encoder_without_safetensors_is_refused(tmp_path: Path, encoder: Path, preceptor: CommandLine) -> None:
    (encoder / "model.safetensors").rename(encoder / "pytorch_model.bin")
    done = checked(preceptor, tmp_path, encoder)
    assert done.code == 2
    assert "its weights are only there as pickle" in done.errors


def test_an_encoder_without_a_tokenizer_is_refused(tmp_path: Path, encoder: Path, preceptor: CommandLine) -> None:
    for file in encoder.glob("tokenizer*"):
        file.unlink()
    done = checked(preceptor, tmp_path, encoder)
    assert done.code == 2
    assert "there is no tokenizer in it. Copy tokenizer.json" in done.errors


def with_positions(encoder: Path, kind: str, positions: int) -> Path:
    file = encoder / "config.json"
    changes = {"max_position_embeddings": positions, "model_type": kind, "pad_token_id": 1}
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return encoder


@pytest.mark.parametrize(("kind", "length"), [("bert", 64), ("roberta", 62)])
def test_more_tokens_than_an_encoder_has_positions_are_refused(
    tmp_path: Path, encoder: Path, preceptor: CommandLine, kind: str, length: int
) -> None:
    """RoBERTa counts its positions from behind that of padding, 1, so that two of 64 are never used."""
    model = with_positions(encoder, kind, 64)
    done = checked(preceptor, tmp_path, model, max_length=length + 1)
    assert done.code == 2
    assert f"the context length of encoder is {length}. Set it to {length} or less" in done.errors
    assert checked(preceptor, tmp_path, model, max_length=length).code == 0


def test_a_case_longer_than_the_positions_is_cut_and_counted(
    tmp_path: Path, encoder: Path, preceptor: CommandLine
) -> None:
    done = checked(preceptor, tmp_path, with_positions(encoder, "bert", 40), max_length=40)
    assert done.code == 0
    assert "field note is cut in its middle in" in done.shown


def test_a_label_set_of_one_is_refused(tmp_path: Path, encoder: Path, preceptor: CommandLine) -> None:
    only = {"answer": {"kind": "label", "labels": {"urgent": "now"}, "max_new_tokens": 6}}
    done = checked(preceptor, tmp_path, encoder, task=only)
    assert done.code == 2
    assert "fewer than two labels" in done.errors


def test_a_label_never_seen_in_training_has_a_probability_and_is_never_given(tmp_path: Path, encoder: Path) -> None:
    three = {"urgent": "now", "routine": "later", "dead": "too late"}
    answer = {"kind": "label", "labels": three, "max_new_tokens": 6}
    settings = {"epochs": 4, "learning_rate": 0.1, "label_balance": "class_weights"}
    slots = {"slots": {"head": {"type": "head"}}, "stages": {"probe": {"kind": "classify", "train": ["head"]}}}
    done = study_runs.run(
        tmp_path / "study",
        encoder,
        tmp_path / "run",
        task={"answer": answer},
        arms=["probe", "tfidf"],
        primary=[["probe", "tfidf"]],
        classify=settings,
        **slots,
    )
    (cell,) = [one for one in done.results["cells"] if one["arm"] == "probe"]
    rows = [json.loads(line) for line in (done.folder / cell["predictions"]["path"]).read_text().splitlines()]
    assert {row["answer"] for row in rows} <= {"urgent", "routine"}
    assert all(0 < row["scores"]["dead"] < 0.5 for row in rows)
