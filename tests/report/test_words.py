"""Methods, checklist, glossary and limits: they say what this study is, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from preceptor.report import read_run
from preceptor.report._limits import limits
from preceptor.report._methods import methods
from preceptor.report._tripod import checklist
from preceptor.report._words import words
from run_folders import EARLIER

HEADINGS = {"top", "found", "limits", "results", "contrasts", "tasks", "flow", "methods", "checklist", "words", "again"}


def changed(folder: Path, **study: Any) -> Path:
    results = json.loads((folder / "results.json").read_text())
    results["study"] |= study
    results["versions"] |= EARLIER
    results["cells"] = [cell for cell in results["cells"] if cell["arm"] in results["study"]["arms"]]
    arms = {*results["study"]["arms"], "majority"}
    results["contrasts"] = [one for one in results["contrasts"] if {one["a"], one["b"]} <= arms]
    results["could_have_seen"] = []  # it speaks of the contrasts that are gone
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_methods_say_what_was_done(real: Path) -> None:
    run = read_run(real)
    text = " ".join(methods(run))
    design = run.results.design
    assert design is not None
    for said in (
        "How urgent? (macro-F1;", "with seeds 0, 1", "a LoRA adapter (rank 4, alpha 8)",
        "for at most 4 epochs (learning rate 0.01, batches of 8)", "beta 0.1", "SFT+DPO against SFT",
        f"the design (SHA-256 {design.sha256[:12]}) was fixed before any prediction", "arms swapped within patients",
        "[Say where and when the cases arose", "the wrong label that the SFT model found likeliest", "scikit-learn",
    ):  # fmt: skip
        assert said in text
    assert "None" not in text


def test_methods_of_an_untuned_study_train_nothing(real: Path) -> None:
    text = " ".join(methods(read_run(changed(real, arms=["base", "tfidf"]))))
    assert "No language model was trained." in text
    assert "preference optimization" not in text


def test_the_checklist_has_every_item_of_the_statement_once(synthetic: Path) -> None:
    items = checklist(read_run(synthetic).results)
    letters = {"3": "ab", "5": "abcde", "6": "abcde", "7": "abcde", "8": "abc", "9": "ab", "14": "abcdef", "16": "abcd",
               "19": "abcdefg"}  # fmt: skip
    expected = [f"{n}{letter}" for n in range(1, 20) for letter in letters.get(str(n), [""])]
    assert [item.number for item in items] == expected
    assert {item.state for item in items} == {"answered", "in part", "to add", "does not apply"}
    assert {item.anchor for item in items} <= HEADINGS | {""}
    assert all(item.where and item.asks for item in items)


@pytest.mark.parametrize(
    ("folder", "number", "state"),
    [
        ("synthetic", "13", "does not apply"),
        ("real", "13", "to add"),
        ("real", "10", "does not apply"),
        ("synthetic", "10", "answered"),
    ],
)
def test_the_checklist_knows_what_does_not_apply(
    request: pytest.FixtureRequest, folder: str, number: str, state: str
) -> None:
    items = {item.number: item for item in checklist(read_run(request.getfixturevalue(folder)).results)}
    assert items[number].state == state


def test_words_are_explained_where_they_are_used(synthetic: Path, real: Path) -> None:
    both = {term for term, _ in words(read_run(synthetic).results)}
    assert {"SFT+DPO", "TF-IDF", "Macro-F1", "Fact-F1", "ROUGE-L", "Margin", "Pilot silently"} <= both
    fewer = {term for term, _ in words(read_run(changed(real, arms=["base", "sft"])).results)}
    assert not {"SFT+DPO", "TF-IDF", "Fact-F1", "Margin", "Reward margin"} & fewer


def test_few_seeds_are_a_limit_and_five_are_none(real: Path) -> None:
    assert any("with only 2 seeds" in limit for limit in limits(read_run(real).results))
    assert not any("seeds" in limit for limit in limits(read_run(changed(real, seeds=[0, 1, 2, 3, 4])).results))
