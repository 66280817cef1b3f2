"""The built-in study `abbreviations`, on a tiny encoder and fewer letters: what must hold of it."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from preceptor.study import load_study, run_study

SMALLER = [
    "tasks.0.limit={train: 200, validation: 40, test: 60}",
    "senses={probability: 0.7, least: 6, epochs: 1, learning_rate: 0.01}",
    "classify={epochs: 1}",
    "max_length=800",
    *(f"stages.{name}.epochs=1" for name in ("scratch", "lstm-moved", "lstm-moved-exchanged")),
    *(f"stages.{name}.epochs=1" for name in ("lstm-meanings", "lstm-exchanged")),
    "seeds=[0]",
    "numerics.threads=1",
]
OF_ENCODER = ("encoder", "senses+classify", "shuffled-senses+classify")
OF_LSTM = ("lstm", "senses+lstm", "shuffled-senses+lstm")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> dict[str, Any]:
    words = f"models.lstm={{family: lstm, words: {tiny_encoder_folder}, width: 16, layers: 1}}"
    study, base = load_study("abbreviations", [f"model={tiny_encoder_folder}", words, *SMALLER])
    run = tmp_path_factory.mktemp("abbreviations") / "run"
    return run_study(study, base, run, Console(quiet=True), command="preceptor study").model_dump(mode="json")


@pytest.mark.slow_recipe
def test_every_arm_answers_and_the_control_learns_from_the_same_cases(results: dict[str, Any]) -> None:
    assert results["failed"] == []
    cells = {one["arm"]: one for one in results["cells"]}
    assert [*cells] == [*OF_ENCODER, *OF_LSTM, "tfidf"]
    for plain, told, control in (OF_ENCODER, OF_LSTM):
        found, exchanged = cells[told]["senses"], cells[control]["senses"]
        assert cells[plain]["senses"] is None
        assert found["cases"] == exchanged["cases"]
        assert found["short_forms"] >= 10
        assert len(found["commonest"]) == 20
        assert cells[told]["cost"]["optimizer_steps"] == cells[control]["cost"]["optimizer_steps"]


@pytest.mark.slow_recipe
def test_it_turns_on_the_first_stage(results: dict[str, Any]) -> None:
    primary = [(one["a"], one["b"]) for one in results["contrasts"] if one["family"] == "primary"]
    assert primary == [("senses+classify", "encoder"), ("senses+lstm", "lstm"), ("senses+lstm", "shuffled-senses+lstm")]
