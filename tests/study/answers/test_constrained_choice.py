"""Answers held to the labels: always readable, the likeliest one, and the same after an interruption."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics, answer_logprobs
from preceptor.models import Encoded, Policy, encode, encode_answer, load_policy
from preceptor.progress import quiet
from preceptor.study.answers._constrained_choice import constrained_choice
from preceptor.study.answers.generate import greedy_generation
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answer_context import Answerer, Answering
from preceptor.study.predictions.prediction_files import evaluate, read_note, read_predictions
from preceptor.tasks import INVALID
from prepared_study import prepare_tiny

NUMERICS = Numerics(threads=1)


@pytest.fixture
def prepared(tmp_path: Path, tiny_tokenizer: Any) -> Prepared:
    return prepare_tiny(tmp_path, tiny_tokenizer, patients=80)[1]


@pytest.fixture
def policy(tiny_source: Any) -> Policy:
    """The tiny model with larger weights: as it is drawn, it finds every label about as likely as any other."""
    drawn = load_policy(tiny_source, None, dtype=torch.float32)
    with torch.no_grad():
        for weight in drawn.model.parameters():
            if weight.dim() > 1:
                weight *= 8
    return drawn


def told(answerer: Answerer, done: frozenset[int] = frozenset()) -> dict[int, str]:
    texts: dict[int, str] = {}

    def keep(batch: dict[int, str], label_ties: int = 0, scores: Any = None) -> None:
        texts.update(batch)

    answerer(done, keep)
    return texts


def test_an_answer_is_the_label_with_the_highest_summed_log_probability(
    prepared: Prepared, policy: Policy, tmp_path: Path
) -> None:
    texts = told(constrained_choice(policy, prepared.task, prepared.test, NUMERICS, 256, rows=4))
    assert sorted(texts) == list(range(len(prepared.test)))
    evaluate(
        Answering(constrained_choice(policy, prepared.task, prepared.test, NUMERICS, 256)),
        prepared,
        tmp_path / "cell",
        "key",
        quiet,
    )
    kept = [one.scores or {} for one in read_predictions(tmp_path / "cell")]
    for i, prompt in enumerate(prepared.test):
        answers = {
            label: encode(policy.tokenizer, [{"role": "user", "content": ""}], label).answer
            for label in prepared.task.labels
        }
        with torch.no_grad():
            sums = {
                label: float(answer_logprobs(policy.model, [Encoded(prompt, ids)], share=False)[0].sum())
                for label, ids in answers.items()
            }
        assert texts[i] == max(sums, key=lambda label: sums[label])
        odds = torch.tensor([sums[label] for label in prepared.task.labels]).softmax(0).tolist()
        assert list(kept[i].values()) == pytest.approx(odds, abs=1e-4)


@pytest.mark.parametrize("kind", ["labels", "words", "reasoning"])
def test_what_is_done_is_not_asked_again_and_the_rest_is_the_same(
    prepared: Prepared, policy: Policy, kind: str
) -> None:
    task = reasoning(prepared).task if kind == "reasoning" else prepared.task

    def answerer() -> Answerer:
        if kind == "words":
            return greedy_generation(policy, prepared.test, 6, rows=4)
        return constrained_choice(policy, task, prepared.test, NUMERICS, 256, rows=4)

    batches: list[dict[int, str]] = []

    def keep(batch: dict[int, str], label_ties: int = 0, scores: Any = None) -> None:
        batches.append(batch)

    answerer()(frozenset(), keep)
    assert len(batches) == -(-len(prepared.test) // 4)
    first = frozenset(batches[0])
    rest = told(answerer(), first)
    assert rest == {i: text for batch in batches[1:] for i, text in batch.items()}


def reasoning(prepared: Prepared) -> Prepared:
    answer = prepared.task.answer.model_copy(
        update={"parser": "final_answer", "marker": "Answer:", "max_new_tokens": 8}
    )
    return replace(prepared, task=prepared.task.model_copy(update={"answer": answer}))


def test_reasoning_that_ends_in_no_label_gets_the_likeliest_one(prepared: Prepared, policy: Policy) -> None:
    task = reasoning(prepared).task
    free = told(greedy_generation(policy, prepared.test, 8))
    assert {task.parse(text) for text in free.values()} == {INVALID}, "the model must not know the form"
    held = told(constrained_choice(policy, task, prepared.test, NUMERICS, 256))
    assert all(task.parse(text) in task.labels for text in held.values())
    assert all(text.startswith(free[i].strip()) for i, text in held.items())


def test_reasoning_is_shortened_where_a_label_would_not_fit_behind_it(prepared: Prepared, policy: Policy) -> None:
    task = reasoning(prepared).task
    longest = max(map(len, prepared.test)) + 12
    held = told(constrained_choice(policy, task, prepared.test, NUMERICS, longest))
    assert all(task.parse(text) in task.labels for text in held.values())
    ids = [encode(policy.tokenizer, [{"role": "user", "content": ""}], held[i]).answer for i in range(len(held))]
    assert all(len(prompt) + len(answer) <= longest for prompt, answer in zip(prepared.test, ids, strict=True))


@pytest.mark.parametrize("spare", range(8, 16))
def test_every_label_fits_behind_the_reasoning_at_the_models_own_context_length(
    spare: int, prepared: Prepared, policy: Policy
) -> None:
    """The line break before the marker was not counted, and a prompt near the context length was refused."""
    task = reasoning(prepared).task
    context_length = max(map(len, prepared.test)) + spare
    policy.model.config.max_position_embeddings = context_length
    held = told(constrained_choice(policy, task, prepared.test, NUMERICS, context_length))
    assert all(task.parse(text) in task.labels for text in held.values())


def test_labels_that_are_equally_likely_are_drawn_and_counted(
    prepared: Prepared, policy: Policy, tmp_path: Path
) -> None:
    labels = ("yes", "no", "stage", "nurse", "system", "user")
    lengths = {label: len(encode_answer(policy.tokenizer, label)) for label in labels}
    same = [label for label, length in lengths.items() if length == lengths["yes"]]
    assert len(same) > 2, "labels of one length are needed for a tie"
    answer = prepared.task.answer.model_copy(update={"labels": dict.fromkeys(same, "a label")})
    task = prepared.task.model_copy(update={"answer": answer})
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.zero_()  # every token is as likely as any other
    texts: dict[int, str] = {}
    ties = []

    def keep(batch: dict[int, str], label_ties: int = 0, scores: Any = None) -> None:
        texts.update(batch)
        ties.append(label_ties)

    constrained_choice(policy, task, prepared.test, NUMERICS, 256, rows=4)(frozenset(), keep)
    assert sum(ties) == len(texts) == len(prepared.test)
    assert len(set(texts.values())) > 1, "the first label was favoured"

    answerer = constrained_choice(policy, task, prepared.test, NUMERICS, 256, rows=4)
    evaluate(Answering(answerer), replace(prepared, task=task), tmp_path / "cell", "key", quiet)
    assert read_note(tmp_path / "cell")["label_ties"] == len(prepared.test)


def test_a_label_that_was_given_is_kept(prepared: Prepared, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    from preceptor.study.answers import _constrained_choice

    task = reasoning(prepared).task
    words = {i: f"chest pain\nAnswer: {('urgent', 'routine')[i % 2]}" for i in range(len(prepared.test))}

    def said(*_: object, **__: object) -> Callable[..., None]:
        return lambda done, keep: keep(dict(words))

    monkeypatch.setattr(_constrained_choice, "greedy_generation", said)
    assert told(constrained_choice(policy, task, prepared.test, NUMERICS, 256)) == words
