"""The small network over word counts: it learns, is the seed's own, and validation cases choose."""

from pathlib import Path
from typing import Any

import pytest

from preceptor.study.answers import mlp
from preceptor.study.answers.mlp import learn, learn_words, unsupported_reason
from preceptor.tasks import load_task
from prepared_study import prepare_tiny

TEXTS = ["chest pain at rest", "ear wax", "severe chest pain", "itchy rash and ear wax"] * 4
LABELS = ["urgent", "routine"] * 8


def test_words_and_word_pairs_are_learnt_and_each_label_has_its_share() -> None:
    labels, scores = learn_words(TEXTS, LABELS, 1e-4, seed=0)(["chest pain", "ear wax again"])
    assert labels == ["urgent", "routine"] == [max(one, key=lambda label: one[label]) for one in scores]
    assert [sum(one.values()) for one in scores] == pytest.approx([1, 1], abs=1e-6)
    assert {type(share) for one in scores for share in one.values()} == {float}


def test_what_no_line_parts_is_learnt() -> None:
    """Either word alone is urgent, both or none are not: the linear model of TF-IDF cannot."""
    texts = ["fever", "rash", "fever rash", "nothing"] * 10
    labels = ["urgent", "urgent", "routine", "routine"] * 10
    assert learn_words([f"seen {one}" for one in texts], labels, 1e-4, seed=0)(["seen fever rash", "seen rash"])[0] == [
        "routine", "urgent",
    ]  # fmt: skip


def test_a_seed_is_one_network_and_another_seed_another() -> None:
    first, again, other = (learn_words(TEXTS, LABELS, 1e-4, seed=seed)(["a new text"])[1] for seed in (0, 0, 1))
    assert first == again != other
    assert not mlp.deterministic


def test_it_answers_held_out_cases_and_validation_chooses(
    tmp_path: Path, tiny_tokenizer: Any, monkeypatch: Any
) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer)
    labels, _ = learn(one, seed=0)([case.fields["note"] for case in one.splits.test])
    assert sum(a == case.target for a, case in zip(labels, one.splits.test, strict=True)) > 0.9 * len(labels)
    good = [case.target for case in one.splits.validation]

    def words(texts: object, labels: object, decay: float, seed: int) -> Any:
        return lambda asked: (good[: len(asked)] if decay == 1e-1 else ["routine"] * len(asked), [{}] * len(asked))

    monkeypatch.setattr(mlp, "learn_words", words)
    assert learn(one, seed=0)([""] * len(good))[0] == good


def test_it_gives_labels_only() -> None:
    assert unsupported_reason(load_task("triage_provider")) is None
    assert unsupported_reason(load_task("summarization")) == "it gives labels only"
