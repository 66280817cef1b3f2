"""The built-in study `specialty` at its own sizes, with a tiny model's tokenizer: what must hold of it."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from preceptor.study import load_study, run_study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> dict[str, Any]:
    study, base = load_study("specialty", [f"model={tiny_model_folder}", "max_length=2048", "numerics.threads=1"])
    run = tmp_path_factory.mktemp("specialty") / "run"
    return run_study(study, base, run, Console(quiet=True), command="preceptor study").model_dump(mode="json")


def contrast(results: dict[str, Any], a: str, b: str) -> dict[str, Any]:
    (found,) = (one for one in results["contrasts"] if (one["a"], one["b"]) == (a, b))
    return dict(found)


@pytest.mark.slow_recipe
@pytest.mark.parametrize("way", ["tfidf", "mlp"])
def test_the_gain_of_keywords_is_the_label_that_they_begin_with(results: dict[str, Any], way: str) -> None:
    """Trap 1."""
    leak = contrast(results, f"{way}-keywords", f"{way}-keywords-without-label")
    assert leak["delta"] > 0.05
    assert leak["ci"][0] > 0
    assert leak["verdict"] == "better"
    words = contrast(results, f"{way}-keywords-without-label", f"{way}-random-words")
    assert words["delta"] > 0.15
    assert contrast(results, f"{way}-keywords-without-label", f"{way}-full")["margin"] == 0.05


@pytest.mark.slow_recipe
def test_the_first_sentence_says_so_and_nothing_is_recommended(results: dict[str, Any]) -> None:
    """Traps 1 and 3."""
    (found,) = results["conclusions"]
    assert found["conclusion"] == "names_the_answer"
    assert found["recommendation"] == "do not deploy"
    assert found["sentence"].startswith("On specialty, the view that does best names the answer: keywords, by ")


@pytest.mark.slow_recipe
def test_keywords_are_a_fifth_of_the_words_at_most(results: dict[str, Any]) -> None:
    views = {one["name"]: one for one in results["study"]["tasks"][0]["views"]}
    for name in ("keywords", "keywords-without-label", "random-words"):
        assert views[name]["words"] <= views["full"]["words"] / 5
    assert views["keywords"]["label_share"] == 1
    assert max(views[name]["label_share"] for name in ("keywords-extracted", "keywords-without-label")) < 0.2
