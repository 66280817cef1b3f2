"""Labels behind a model's own reasoning: where it is cut, what is put there, and what is scored. float32."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from preceptor.engine import Numerics, answer_logprobs
from preceptor.models import Encoded, ModelSource, Policy, encode_answer, load_policy
from preceptor.study.label_scores import scored
from preceptor.study.label_scores.reasoning import has_marker, stem, write_reasoning
from preceptor.study.label_scores.scored import label_answers, likeliest_labels, plain_rule, score_labels
from preceptor.tasks import Task
from prepared_study import prepare_tiny

NUMERICS = Numerics(threads=1, dtype="float32")
PLENTY = 10_000


@pytest.fixture
def policy(tiny_source: ModelSource) -> Policy:
    """The tiny model with larger weights, so that it prefers some labels."""
    drawn = load_policy(tiny_source, None, dtype=torch.float32)
    with torch.no_grad():
        for weight in drawn.model.parameters():
            if weight.dim() > 1:
                weight *= 8
    return drawn


@pytest.fixture
def asked(tmp_path: Path, tiny_tokenizer: Any) -> tuple[Task, list[list[int]]]:
    """A task that asks for reasoning, and some prompts."""
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    answer = prepared.task.answer.model_copy(
        update={"parser": "final_answer", "marker": "Answer:", "max_new_tokens": 12}
    )
    return prepared.task.model_copy(update={"answer": answer}), prepared.test[:6]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chest pain\nAnswer: urgent", "chest pain\nAnswer: "),
        ("chest pain. ANSWER:urgent, not routine. Answer: routine", "chest pain. ANSWER: "),
        ("chest pain\n**Answer:** urgent", "chest pain\n**Answer:** "),
        ("chest pain\n**Answer**: urgent", "chest pain\n**Answer**: "),
        ("chest pain", "chest pain\nAnswer: "),
        ("  \n", "Answer: "),
        ("", "Answer: "),
    ],
)
def test_reasoning_ends_with_its_first_marker_or_gets_one(
    policy: Policy, asked: tuple[Task, Any], text: str, expected: str
) -> None:
    task = asked[0]
    found = stem(policy, text, task, PLENTY)
    assert found == expected
    assert all(task.parse(found + label) == label for label in task.labels)
    assert has_marker(text, task) == ("answer" in text.lower())


def test_a_space_at_the_end_of_a_marker_may_be_missing(policy: Policy, asked: tuple[Task, Any]) -> None:
    task = asked[0]
    spaced = task.model_copy(update={"answer": task.answer.model_copy(update={"marker": "Answer: "})})
    for text in ("chest pain Answer:", "chest pain", "chest pain Answer: urgent"):
        found = stem(policy, text, spaced, PLENTY)
        assert found.count("Answer:") == 1
        assert spaced.parse(found + "urgent") == "urgent"


@pytest.mark.parametrize("room", range(6, 40, 3))
def test_reasoning_is_shortened_where_a_label_would_not_fit(policy: Policy, asked: tuple[Task, Any], room: int) -> None:
    task, text = asked[0], "The patient is a 64-year-old woman with fever 38.0 C, dysuria and a urinary catheter. "
    for given in (text, f"{text}\nAnswer: urgent"):
        found = stem(policy, given, task, room)
        longest = max(len(encode_answer(policy.tokenizer, found + label)) for label in task.labels)
        assert longest <= room or found == "Answer: "
        assert all(task.parse(found + label) == label for label in task.labels)


def test_writing_ends_at_the_marker(policy: Policy, asked: tuple[Task, list[list[int]]]) -> None:
    """The model's own third word is the marker: what follows it is not written."""
    task, prompts = asked
    whole, _ = write_reasoning(policy, task, prompts[:1])
    ids = policy.tokenizer(whole[0], add_special_tokens=False)["input_ids"]
    marker = policy.tokenizer.decode(ids[2:4]).strip()
    assert marker
    at_third = task.model_copy(update={"answer": task.answer.model_copy(update={"marker": marker})})
    cut, _ = write_reasoning(policy, at_third, prompts[:1])
    assert whole[0].startswith(cut[0])
    assert has_marker(cut[0], at_third)
    assert len(cut[0]) < len(whole[0])


def test_scores_are_those_of_each_label_alone_behind_the_reasoning(
    policy: Policy, asked: tuple[Task, list[list[int]]]
) -> None:
    task, prompts = asked
    written, _ = write_reasoning(policy, task, prompts)
    found = score_labels(policy, task, prompts, NUMERICS, PLENTY)
    assert found.without_marker == sum(not has_marker(text, task) for text in written)
    again = score_labels(policy, task, prompts, NUMERICS, PLENTY, written=written)
    assert (again.stems, again.without_marker) == (found.stems, found.without_marker)
    np.testing.assert_allclose(again.values, found.values, atol=1e-5)
    for prompt, before, row in zip(prompts, found.stems, found.values, strict=True):
        whole = []
        for label in task.labels:
            one = Encoded(prompt, encode_answer(policy.tokenizer, before + label))
            with torch.no_grad():
                whole.append(float(answer_logprobs(policy.model, [one], share=False)[0].sum()))
        # What all labels stand behind is left out of the sums, and takes part in no difference.
        np.testing.assert_allclose(row - row[0], np.array(whole) - whole[0], atol=1e-3)


def test_one_prompt_alone_is_answered_as_among_others(policy: Policy, asked: tuple[Task, list[list[int]]]) -> None:
    """A server answers what comes; the study answered in batches."""
    task, prompts = asked
    labels = task.model_copy(update={"answer": task.answer.model_copy(update={"parser": "label"})})
    for one in (task, labels):
        together = label_answers(policy, one, prompts, NUMERICS, PLENTY, plain_rule(one))
        for number, prompt in enumerate(prompts):
            alone = label_answers(policy, one, [prompt], NUMERICS, PLENTY, plain_rule(one))
            assert alone.texts == [together.texts[number]]
            assert list(alone.probabilities[0].values()) == pytest.approx(
                list(together.probabilities[number].values()), abs=1e-4
            )


def test_without_prompts_there_is_nothing_to_score(policy: Policy, asked: tuple[Task, Any]) -> None:
    found = score_labels(policy, asked[0], [], NUMERICS, PLENTY)
    assert found.values.shape == (0, 2)


def test_the_likeliest_label_is_that_of_the_scores_as_they_are(
    policy: Policy, asked: tuple[Task, list[list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, prompts = asked
    values = score_labels(policy, task, prompts, NUMERICS, PLENTY).values
    texts, cost = likeliest_labels(policy, prompts, task=task, numerics=NUMERICS, max_length=PLENTY)
    assert [task.parse(text) for text in texts] == [task.labels[i] for i in values.argmax(-1)]
    assert cost.tokens_computed > 0

    turned = replace(score_labels(policy, task, prompts, NUMERICS, PLENTY), values=-values)
    monkeypatch.setattr(scored, "score_labels", lambda *_, **__: turned)
    other, _ = likeliest_labels(policy, prompts, task=task, numerics=NUMERICS, max_length=PLENTY)
    assert all(a != b for a, b in zip(map(task.parse, texts), map(task.parse, other), strict=True))
