"""Examples in the prompt: spread over labels, from training alone, as many as fit, and never at the case's cost."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.study.answers.shots import Shots, draw_shots, with_shots
from preceptor.study.cases import Prepared
from preceptor.tasks import Example, load_task
from prepared_study import prepare_tiny

TASK = load_task("triage_provider")


def cases(labels: list[str]) -> list[Example]:
    return [Example(str(n), str(n), {"message": f"message {n}"}, label) for n, label in enumerate(labels)]


@given(st.lists(st.sampled_from(TASK.labels), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 5))
def test_examples_are_spread_over_the_labels_that_occur(labels: list[str], count: int, seed: int) -> None:
    drawn = draw_shots(TASK, cases(labels), count, seed)
    assert len(drawn) == min(count, len(labels))
    assert len({one.id for one in drawn}) == len(drawn)
    taken = {label: sum(one.target == label for one in drawn) for label in set(labels)}
    # A label has fewer examples than another only where training has no more of it.
    assert all(taken[label] in (max(taken.values()), max(taken.values()) - 1, labels.count(label)) for label in taken)
    assert [one.id for one in drawn] == [one.id for one in draw_shots(TASK, cases(labels), count, seed)]


def test_another_seed_draws_others() -> None:
    train = cases([TASK.labels[n % 5] for n in range(100)])
    draws = {tuple(one.id for one in draw_shots(TASK, train, 4, seed)) for seed in range(5)}
    assert len(draws) == 5


def shots(one: Prepared, tokenizer: Any, count: int = 4, max_length: int = 1024) -> Shots:
    return with_shots(one, tokenizer, count, max_length, seed=0)


def test_each_prompt_shows_training_answers_and_ends_with_its_own_case(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer)
    shown = shots(one, tiny_tokenizer)
    train = {case.fields["note"] for case in one.splits.train}
    for prompt, case in zip(shown.prompts, one.splits.test, strict=True):
        system, *turns = tiny_tokenizer.decode(prompt).split("<|im_start|>")[1:]
        assert system.startswith("system\n")
        assert len(turns) == 4 * 2 + 2
        asked = [turn.removeprefix("user\n").removesuffix("<|im_end|>\n") for turn in turns[0:-1:2]]
        assert asked[-1] == case.fields["note"]
        assert set(asked[:-1]) <= train
        assert {turn.removeprefix("assistant\n").strip() for turn in turns[1:-1:2]} == {
            "urgent<|im_end|>",
            "routine<|im_end|>",
        }
        assert turns[-1] == "assistant\n"
    assert dict(shown.shown) == {4: len(one.test)}


@pytest.mark.parametrize("max_length", [70, 100, 130, 180, 256])
def test_as_many_are_shown_as_fit_and_not_one_more(tmp_path: Path, tiny_tokenizer: Any, max_length: int) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer, max_length=max_length)
    roomy = [one.test, *(shots(one, tiny_tokenizer, count).prompts for count in (1, 2, 3, 4))]
    found = shots(one, tiny_tokenizer, max_length=max_length)
    numbers = []
    for i, prompt in enumerate(found.prompts):
        lengths = [len(prompts[i]) + one.task.answer.max_new_tokens for prompts in roomy]
        numbers.append(max(number for number, length in enumerate(lengths) if number == 0 or length <= max_length))
        assert prompt == roomy[numbers[-1]][i]
    assert found.shown == Counter(numbers)
    assert max(numbers) == {70: 0, 100: 1, 130: 2, 180: 3, 256: 4}[max_length], "lengths must differ to show it"
