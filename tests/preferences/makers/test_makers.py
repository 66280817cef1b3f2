"""Rejected answers come from the policy's own mistakes, and never equal the chosen ones."""

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from typing import Any, get_args, get_type_hints

import pytest
import torch

from preceptor.engine import Cost, Numerics, answer_logprobs
from preceptor.errors import InputError
from preceptor.models import AdapterSettings, Encoded, ModelSource, Policy, encode, new_policy, stop_tokens
from preceptor.preferences import Maker, Pair, Request, Score, explanations, find_maker, maker_names
from preceptor.preferences.makers._answers import distinct_answers, sampled_answers
from preceptor.preferences.makers._labels import with_label, wrong_labels
from preceptor.preferences.makers._maker import Setting
from preceptor.tasks import Example, Task
from preceptor.tasks._task import Answer

LABELS = {"stage 0": "none", "stage 1": "mild", "stage 2": "worse", "stage 3": "worst"}
ANSWERS: dict[str, dict[str, Any]] = {
    "label": {"kind": "label", "labels": LABELS, "max_new_tokens": 6},
    "final_answer": {"kind": "label", "labels": LABELS, "parser": "final_answer", "max_new_tokens": 6},
    "text": {"kind": "text", "max_new_tokens": 6},
}


def test_makers_are_found_by_their_file_names() -> None:
    assert maker_names() == ["hardest_label", "judge", "near_miss", "on_policy", "published", "votes"]
    with pytest.raises(InputError, match=r"maker 'guessed': .*Choose one of: hardest_label, judge, near_miss"):
        find_maker("guessed")
    with pytest.raises(InputError, match="no such maker"):
        find_maker("_default")


@pytest.mark.parametrize("name", [None, *maker_names()])
def test_a_maker_has_the_whole_contract(name: str | None) -> None:
    maker, wanted = find_maker(name), get_type_hints(Maker) | {k: v for k, v in vars(Maker).items() if k[0] != "_"}
    assert {one for one in wanted if not hasattr(maker, one)} == set()
    assert maker.explanation
    assert set(maker.settings) <= set(get_args(Setting))
    for function in ("unsupported_reason", "expected_work", "make"):
        wanted_names = list(signature(getattr(Maker, function)).parameters)[1:]
        assert list(signature(getattr(maker, function)).parameters) == wanted_names


def test_pairs_are_explained_by_their_origin() -> None:
    assert explanations(["votes", "of another release"]) == {"votes": find_maker("votes").explanation}
    assert set(explanations([])) == {"published", "hardest_label", "on_policy", "near_miss"}
    assert explanations([])["on_policy"] != explanations(["on_policy"])["on_policy"]


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


def request(policy: Policy, task: Task, examples: Sequence[Example], score: Score = exact, **options: Any) -> Request:
    prompts = prompts_of(policy, task, examples)
    return Request(task, examples, prompts, score, policy, Numerics(threads=1), seed=5, **options)


def make(
    policy: Policy, task: Task, examples: Sequence[Example], score: Score = exact, maker: str | None = None, **o: Any
) -> list[Pair]:
    made = find_maker(maker).make(request(policy, task, examples, score, **o))
    assert all(pair.chosen != pair.rejected for pair in made.pairs)
    assert all(pair.origin == maker for pair in made.pairs if maker)
    return made.pairs


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


@pytest.mark.parametrize("parser", ["label", "final_answer"])
def test_hardest_label_is_the_wrong_label_the_policy_likes_best(parser: str, policy: Policy) -> None:
    task = make_task(parser)
    stem = "" if parser == "label" else "Because of 2 mg.\nAnswer: "
    examples = [replace(e, target=stem + list(LABELS)[n % 4]) for n, e in enumerate(make_examples())]
    pairs = make(policy, task, examples, maker="hardest_label")
    assert [(pair.example_id, pair.chosen) for pair in pairs] == [(e.id, e.target) for e in examples]
    for example, prompt, pair in zip(examples, prompts_of(policy, task, examples), pairs, strict=True):
        wrong = [stem + label for label in LABELS if stem + label != example.target]
        likes = {text: log_probability(policy, prompt, task, example, text) for text in wrong}
        assert pair.rejected == max(likes, key=likes.__getitem__)
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
    example = make_examples(target, count=1)[0]
    assert wrong_labels(task, example) == ["stage 0", "stage 2", "stage 3"]
    for label in wrong_labels(task, example):
        wrong = with_label(task, target, label)
        assert wrong.startswith(begins)
        assert wrong.endswith(label)


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


@pytest.mark.parametrize("maker", ["published", None])
def test_published_pairs_alone_cost_nothing(maker: str | None, policy: Policy) -> None:
    examples = [replace(e, rejected="stage 3") for e in make_examples()]
    made = find_maker(maker).make(request(policy, make_task("label"), examples))
    assert [pair.rejected for pair in made.pairs] == ["stage 3"] * 8
    assert made.cost == Cost()


def test_published_makes_up_nothing(policy: Policy) -> None:
    examples = [replace(e, rejected="stage 3" if n < 3 else None) for n, e in enumerate(make_examples())]
    pairs = make(policy, make_task("label"), examples, maker="published")
    assert [pair.example_id for pair in pairs] == [e.id for e in examples[:3]]


@pytest.mark.parametrize("empty", ["none", None])
def test_a_near_miss_of_several_labels_has_one_more_or_one_less(policy: Policy, empty: str | None) -> None:
    """A set that may not be empty loses no last label."""
    answer = {"kind": "labels", "labels": {"a": "", "b": "", "c": ""}, "empty": empty, "max_new_tokens": 6}
    task, examples = make_task("text"), [Example(str(n), f"p{n}", {"note": "x"}, "b") for n in range(12)]
    task = task.model_copy(update={"answer": Answer.model_validate(answer)})
    made = find_maker("near_miss").make(request(policy, task, examples))
    rejected = {pair.rejected for pair in made.pairs}
    assert rejected == {"a; b", "b; c"} | ({"none"} if empty else set())
    assert all(pair.chosen == "b" for pair in made.pairs)


def test_near_miss_alone_asks_the_policy_nothing_and_changes_one_fact(policy: Policy) -> None:
    task, examples = make_task("text"), make_examples("Warfarin 5 mg stopped.")
    made = find_maker("near_miss").make(request(policy, task, examples))
    assert made.cost == Cost()
    assert len(made.pairs) == len(examples)
    for pair in made.pairs:
        words, others = pair.chosen.split(), pair.rejected.split()
        assert len(words) == len(others)
        assert sum(a != b for a, b in zip(words, others, strict=True)) == 1
    assert len({pair.rejected for pair in made.pairs}) > 1


def count_of_e(text: str, example: Example) -> float:
    """Stands for a metric: differs between answers, and ties where both have as many."""
    return min(text.count("e"), 3) / 3


def test_on_policy_prefers_what_scores_higher_and_drops_ties(policy: Policy) -> None:
    task, examples = make_task("text"), make_examples(count=12)
    options: dict[str, Any] = {"samples": 3, "temperature": 1.0}
    made = find_maker("on_policy").make(request(policy, task, examples, count_of_e, **options))
    drawn, cost = sampled_answers(request(policy, task, examples, count_of_e, **options))
    by_id = {pair.example_id: pair for pair in made.pairs}
    assert 0 < len(by_id) < len(examples), "some cases must tie and some not"
    for example, answers in zip(examples, drawn, strict=True):
        scores = [count_of_e(answer, example) for answer in answers]
        if example.id not in by_id:
            assert max(scores) == min(scores)
            continue
        pair = by_id[example.id]
        assert {pair.chosen, pair.rejected} <= set(answers)
        assert count_of_e(pair.chosen, example) == max(scores) > count_of_e(pair.rejected, example) == min(scores)
    assert made.notes == {"ties": len(examples) - len(by_id)}
    assert made.cost.tokens_seen == cost.tokens_seen > 0


LENGTHS = {"min_gap": 0.3, "min_score": 0.6, "max_length_difference": 0.25}


def test_of_on_policys_answers_the_widest_gap_is_taken_that_the_settings_allow(policy: Policy) -> None:
    """Against a search over all ordered pairs of the same drawn answers; every case without a pair is counted."""
    task, examples = make_task("text"), make_examples(count=40)
    asked = request(policy, task, examples, count_of_e, samples=4, temperature=1.0)
    drawn, _ = sampled_answers(asked)
    made = find_maker("on_policy").make(replace(asked, **LENGTHS))
    by_id = {pair.example_id: pair for pair in made.pairs}
    assert by_id.keys() < {pair.example_id for pair in find_maker("on_policy").make(asked).pairs}, "some are filtered"
    assert sum(made.notes.values()) + len(by_id) == len(examples)
    assert {"gap_too_small", "score_too_low", "lengths_differ"} & {name for name, count in made.notes.items() if count}
    for example, answers in zip(examples, drawn, strict=True):
        score = {answer: count_of_e(answer, example) for answer in answers}
        gaps = [
            score[a] - score[b]
            for a in filter(None, answers)
            for b in filter(None, answers)
            if score[a] - score[b] >= 0.3 and score[a] >= 0.6 and abs(len(a) / len(b) - 1) <= 0.25
        ]
        assert bool(gaps) == (example.id in by_id)
        if gaps:
            pair = by_id[example.id]
            assert score[pair.chosen] - score[pair.rejected] == max(gaps)


def test_on_policy_may_take_the_right_answer_as_chosen(policy: Policy) -> None:
    task, examples = make_task("text"), make_examples(target="eeeee", count=6)
    asked = request(policy, task, examples, count_of_e, samples=3, chosen_from="gold")
    drawn, _ = sampled_answers(asked)
    made = find_maker("on_policy").make(asked)
    answers_of = {example.id: answers for example, answers in zip(examples, drawn, strict=True)}
    assert made.pairs
    for pair in made.pairs:
        scores = [count_of_e(answer, examples[0]) for answer in answers_of[pair.example_id] if answer]
        assert (pair.chosen, count_of_e(pair.rejected, examples[0])) == ("eeeee", min(scores))


def test_what_is_drawn_for_a_case_depends_on_seed_and_id_alone(policy: Policy) -> None:
    task, examples = make_task("text"), make_examples()
    done: list[int] = []
    whole, _ = sampled_answers(request(policy, task, examples, samples=2, advance=done.append))
    assert sum(done) == len(examples)
    assert sampled_answers(request(policy, task, examples[3:], samples=2))[0] == whole[3:]
    other, _ = sampled_answers(replace(request(policy, task, examples, samples=2), seed=6))
    assert all(a != b for a, b in zip(whole, other, strict=True))
    assert all(len(set(answers)) == 2 for answers in whole)


@pytest.mark.parametrize(("temperature", "max_new_tokens"), [(1.0, 8), (1.0, 1), (0.4, 1), (0.001, 4)])
def test_no_more_answers_are_drawn_than_a_judge_needs(policy: Policy, temperature: float, max_new_tokens: int) -> None:
    task, examples, done = make_task("text"), make_examples(count=12), list[float]()
    task = task.model_copy(update={"answer": task.answer.model_copy(update={"max_new_tokens": max_new_tokens})})

    def asked(samples: int) -> Request:
        return request(policy, task, examples, samples=samples, temperature=temperature, advance=done.append)

    drawn, _ = sampled_answers(asked(5))
    expected = [list(dict.fromkeys(filter(None, answers)))[:2] for answers in drawn]
    done.clear()
    found, cost = distinct_answers(asked(5))
    assert found == expected
    assert sum(done) == len(examples)
    needed = [next((n for n in range(2, 5) if len({*filter(None, one[:n])}) == 2), 5) for one in drawn]
    prompt_tokens = sum(len(prompt) * times for prompt, times in zip(asked(5).prompts, needed, strict=True))
    assert 0 <= cost.tokens_seen - prompt_tokens <= sum(needed) * max_new_tokens
    if temperature < 0.01:
        assert set(needed) == {5}, "alike to the last"
    elif temperature < 1:
        assert {2, 5} < set(needed), "some cases need one or two more"


@pytest.mark.parametrize(
    ("maker", "parser", "able"),
    [
        ("hardest_label", "label", True),
        ("hardest_label", "final_answer", True),
        ("hardest_label", "text", False),
        ("near_miss", "label", False),
        ("near_miss", "final_answer", True),
        ("near_miss", "text", True),
        ("published", "text", False),
        ("on_policy", "label", True),
        ("judge", "text", True),
        ("votes", "label", True),
    ],
)
def test_a_maker_says_on_which_tasks_it_cannot_work(maker: str, parser: str, able: bool) -> None:
    examples = make_examples()
    with_rejected = [*examples, replace(examples[0], rejected="no")]
    assert (find_maker(maker).unsupported_reason(make_task(parser), examples) is None) == able
    assert find_maker("published").unsupported_reason(make_task(parser), with_rejected) is None


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
