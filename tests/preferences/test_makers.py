"""Rejected answers come from the policy's own mistakes, and never equal the chosen ones."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from preceptor.engine import Cost, Numerics, answer_logprobs
from preceptor.models import AdapterSettings, Encoded, ModelSource, Policy, encode, new_policy, stop_tokens
from preceptor.preferences import Pair, make_pairs
from preceptor.preferences._makers import _wrong_final_label
from preceptor.tasks import Example, Task
from preceptor.tasks._task import Answer

LABELS = {"stage 0": "none", "stage 1": "mild", "stage 2": "worse", "stage 3": "worst"}
ANSWERS: dict[str, dict[str, Any]] = {
    "label": {"kind": "label", "labels": LABELS, "max_new_tokens": 6},
    "final_answer": {"kind": "label", "labels": LABELS, "parser": "final_answer", "max_new_tokens": 6},
    "text": {"kind": "text", "max_new_tokens": 6},
}


def make_task(parser: str) -> Task:
    return Task(
        name="toy",
        title="Toy",
        question="Which stage?",
        source="none",
        fields={"note": "a note"},
        instruction="Answer with one of the labels.",
        prompt="{note}",
        answer=Answer(**ANSWERS[parser]),
        metric="accuracy",
    )


def make_examples(target: str = "stage 1", count: int = 8) -> list[Example]:
    notes = [f"Creatinine {n}.{n} mg/dL on day {n}, urine output 0.{n} mL/kg/h" for n in range(count)]
    return [Example(f"case-{n}", f"patient-{n}", {"note": note}, target) for n, note in enumerate(notes)]


@pytest.fixture(scope="module")
def policy(tiny_source: ModelSource) -> Policy:
    torch.set_num_threads(1)
    made = new_policy(tiny_source, AdapterSettings(rank=4, alpha=8), seed=0, dtype=torch.float32)
    with torch.no_grad():
        for weight in made.model.parameters():  # newly drawn weights answer every prompt alike
            if weight.dim() > 1:
                weight *= 12
    return made


def prompts_of(policy: Policy, task: Task, examples: Sequence[Example]) -> list[list[int]]:
    return [encode(policy.tokenizer, task.messages(example), None).prompt for example in examples]


def exact(text: str, example: Example) -> float:
    return float(text == example.target)


def make(policy: Policy, task: Task, examples: Sequence[Example], score: Any = exact, **options: Any) -> list[Pair]:
    numerics = Numerics(threads=1)
    made, cost = make_pairs(
        policy, task, examples, prompts_of(policy, task, examples), score, numerics, seed=5, **options
    )
    assert isinstance(cost, Cost)
    assert all(pair.chosen != pair.rejected for pair in made)
    assert all(pair.origin in {"published", "hardest_label", "on_policy", "near_miss"} for pair in made)
    return made


@torch.no_grad()
def log_probability(policy: Policy, prompt: list[int], task: Task, example: Example, answer: str) -> float:
    whole = encode(policy.tokenizer, task.messages(example), answer)
    assert whole.prompt == prompt
    return float(answer_logprobs(policy.model, [Encoded(prompt, whole.answer)])[0].sum())


@torch.no_grad()
def written(policy: Policy, prompt: list[int], tokens: int) -> str:
    ids = torch.tensor([prompt])
    whole = policy.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
        eos_token_id=sorted(stop_tokens(policy.tokenizer)),
        pad_token_id=policy.tokenizer.pad_token_id,
    )
    text: str = policy.tokenizer.decode(whole[0, len(prompt) :], skip_special_tokens=True)
    return text.strip()


def test_hardest_label_is_the_wrong_label_the_policy_likes_best(policy: Policy) -> None:
    task = make_task("label")
    examples = [replace(e, target=list(LABELS)[n % 4]) for n, e in enumerate(make_examples())]
    pairs = make(policy, task, examples)
    assert [(pair.example_id, pair.chosen) for pair in pairs] == [(e.id, e.target) for e in examples]
    assert {pair.origin for pair in pairs} == {"hardest_label"}
    for example, prompt, pair in zip(examples, prompts_of(policy, task, examples), pairs, strict=True):
        likes = {label: log_probability(policy, prompt, task, example, label) for label in LABELS}
        assert pair.rejected == max((label for label in LABELS if label != example.target), key=likes.__getitem__)
    assert len({pair.rejected for pair in pairs}) > 1, "every case has the same answer: nothing was told apart"


def test_what_the_policy_writes_is_rejected_when_it_scores_worse(policy: Policy) -> None:
    task = make_task("text")
    examples = make_examples("Warfarin 5 mg stopped.")
    prompts = prompts_of(policy, task, examples)
    texts = [written(policy, prompt, 6) for prompt in prompts]
    good = {example.id for example in examples[::2]}

    def score(text: str, example: Example) -> float:
        return 1.0 if text == example.target else float(example.id in good)

    pairs = make(policy, task, examples, score)
    for example, text, pair in zip(examples, texts, pairs, strict=True):
        assert pair.chosen == example.target
        if example.id in good or not text:
            assert pair.origin == "near_miss"
        else:
            assert (pair.origin, pair.rejected) == ("on_policy", text)
    assert {pair.origin for pair in pairs} == {"near_miss", "on_policy"}


def test_a_text_without_a_fact_to_change_is_left_out(policy: Policy) -> None:
    task = make_task("text")
    examples = [replace(e, target="Feeling fine" if n % 2 else "Take 5 mg") for n, e in enumerate(make_examples())]
    pairs = make(policy, task, examples, lambda text, example: 1.0)
    assert [pair.example_id for pair in pairs] == [e.id for e in examples[::2]]


def test_a_near_miss_of_reasoning_ends_in_a_wrong_label(policy: Policy) -> None:
    task = make_task("final_answer")
    target = "Creatinine rose by 0.4 mg/dL.\nAnswer: stage 1"
    pairs = make(policy, task, make_examples(target), lambda text, example: 1.0)
    assert len(pairs) == 8
    for pair in pairs:
        assert pair.origin == "near_miss"
        assert pair.rejected.startswith("Creatinine rose by 0.4 mg/dL.\nAnswer: stage ")
        assert task.parse(pair.rejected) in {"stage 0", "stage 2", "stage 3"}
    assert len({pair.rejected for pair in pairs}) > 1


@pytest.mark.parametrize(
    ("target", "begins"),
    [
        ("Because of this.\nanswer: stage 1", "Because of this.\nanswer: "),
        ("The answer: none yet.\nAnswer: Stage 1.", "The answer: none yet.\nAnswer: "),
        ("stage 1", "stage"),
    ],
)
def test_a_wrong_final_label_keeps_the_form_of_the_target(target: str, begins: str) -> None:
    task = make_task("final_answer")
    for seed in range(20):
        wrong = _wrong_final_label(task, target, random.Random(seed))
        assert wrong.startswith(begins)
        assert wrong[-7:] in set(LABELS) - {"stage 1"}


@pytest.mark.parametrize("parser", ANSWERS)
def test_published_pairs_pass_through(parser: str, policy: Policy) -> None:
    task = make_task(parser)
    target = "Because of 2 mg.\nAnswer: stage 1" if parser == "final_answer" else "stage 1"
    examples = [
        replace(e, rejected="what was published" if n % 3 else None) for n, e in enumerate(make_examples(target))
    ]
    pairs = make(policy, task, examples)
    assert [pair.example_id for pair in pairs] == [e.id for e in examples]
    for example, pair in zip(examples, pairs, strict=True):
        assert (pair.origin == "published") == (example.rejected is not None)
        assert example.rejected in (None, pair.rejected)


def test_published_pairs_alone_cost_nothing(policy: Policy) -> None:
    examples = [replace(e, rejected="stage 3") for e in make_examples()]
    pairs, cost = make_pairs(
        policy, make_task("label"), examples, [[1]] * len(examples), exact, Numerics(threads=1), seed=0
    )
    assert [pair.rejected for pair in pairs] == ["stage 3"] * 8
    assert cost == Cost()


@pytest.mark.parametrize("parser", ANSWERS)
def test_the_same_seed_makes_the_same_pairs_and_progress_counts_cases(parser: str, policy: Policy) -> None:
    task = make_task(parser)
    target = "Because of 2 mg.\nAnswer: stage 1" if parser == "final_answer" else "stage 1"
    done: list[int] = []
    pairs = make(policy, task, make_examples(target), lambda text, example: 1.0, advance=done.append)
    assert pairs == make(policy, task, make_examples(target), lambda text, example: 1.0)
    assert sum(done) == 8


def test_a_near_miss_depends_on_its_case_not_on_its_neighbours(policy: Policy) -> None:
    task, examples = make_task("final_answer"), make_examples("Because of 2 mg.\nAnswer: stage 1")
    whole = make(policy, task, examples, lambda text, example: 1.0)
    assert make(policy, task, examples[3:], lambda text, example: 1.0) == whole[3:]


def test_a_pair_shows_no_text() -> None:
    assert (
        repr(Pair("case-1", "the chosen", "the rejected", "near_miss"))
        == "Pair(example_id='case-1', origin='near_miss')"
    )
