"""What views do to a conclusion: a leak is said first, and what is known too late is never recommended."""

from typing import Any

import pytest

from concluded import TASK, cell, contrast
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.spec.arms import Arm, resolve

VIEWS = {
    "note": {"known": "before", "label_share": 0.1, "by_chance": 0.05},
    "codes": {"known": "after", "label_share": 0.1, "by_chance": 0.05},
    "keywords": {"known": "after", "label_share": 1.0, "by_chance": 0.2},
}
WINS = [
    contrast("sft", "base", "better", 0.3),
    contrast("sft", "tfidf", "better", 0.2),
    contrast("sft", "majority", "better", 0.3),
]


def conclude(contrasts: list[Contrast], values: dict[str, float], **views: str) -> Conclusion:
    """A study of three seeds on real cases, whose arms are shown these views."""
    arms = resolve(
        [
            Arm(name="base", view=views["sft"]),
            Arm(name="sft", stages=("sft",), view=views["sft"]),
            Arm(name="tfidf", answer="tfidf", view=views["tfidf"]),
        ],
        {},
    )
    parts: list[dict[str, Any]] = [{"name": name, "words": 20, **about} for name, about in VIEWS.items()]
    cells = [cell(arm, seed=seed, value=value) for arm, value in values.items() for seed in range(3)]
    (found,) = conclusions(contrasts, cells, [TaskPart.model_validate(TASK | {"views": parts})], arms)
    return found


VALUES = {"base": 0.5, "sft": 0.8, "tfidf": 0.6}


def test_what_is_known_before_is_recommended_where_nothing_speaks_against_it() -> None:
    found = conclude(WINS, VALUES, sft="note", tfidf="note")
    assert (found.conclusion, found.recommendation) == ("sft_worth_it", "pilot silently")


def test_what_is_known_only_after_the_decision_is_never_recommended() -> None:
    """Trap 3: keywords written by whoever knew the answer are not there when the patient arrives."""
    found = conclude(WINS, VALUES, sft="codes", tfidf="note")
    assert found.recommendation == "do not deploy"
    assert found.reason == "what it is shown is known only after the decision"
    assert "The view codes is known only after the decision: no arm that is shown it is for use." in found.warnings


@pytest.mark.parametrize(("view", "conclusion"), [("note", "simpler_is_better"), ("codes", "sft_worth_it")])
def test_nor_is_a_simpler_way_that_is_shown_it(view: str, conclusion: str) -> None:
    """Trap 3."""
    contrasts = [WINS[0], contrast("sft", "tfidf", "worse", -0.1), WINS[2]]
    found = conclude(contrasts, VALUES | {"tfidf": 0.9}, sft="note", tfidf=view)
    assert found.conclusion == conclusion
    assert found.recommendation == "do not deploy"


@pytest.mark.parametrize(
    ("sft", "tfidf", "values"), [("keywords", "note", VALUES), ("note", "keywords", VALUES | {"tfidf": 0.95})]
)
def test_the_leak_of_whatever_does_best_comes_first(sft: str, tfidf: str, values: dict[str, float]) -> None:
    """Trap 1."""
    found = conclude(WINS, values, sft=sft, tfidf=tfidf)
    assert (found.conclusion, found.recommendation) == ("names_the_answer", "do not deploy")
    best = "SFT on keywords" if sft == "keywords" else "TF-IDF on keywords"
    assert found.sentence.startswith(
        f"On triage, the view that does best names the answer: keywords, by {best}, holds the case's own label in 100% "
        "of the training cases, and by chance it would be in 20%"
    )
    assert ("for SFT on keywords over TF-IDF on note" in found.sentence) == (sft == "keywords")


def test_a_leak_that_does_not_do_best_is_a_warning() -> None:
    found = conclude(WINS, VALUES, sft="note", tfidf="keywords")
    assert found.conclusion == "sft_worth_it"
    assert "The view keywords holds the case's own label in 100% of the cases." in found.warnings
