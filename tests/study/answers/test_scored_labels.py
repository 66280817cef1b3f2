"""Labels answered by their scores: always readable, calibrated on training prompts, chosen on validation cases alone.

float32 throughout.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from preceptor.engine import Numerics, answer_logprobs
from preceptor.errors import InputError
from preceptor.models import Encoded, ModelSource, Policy, encode_answer, load_policy
from preceptor.progress import quiet
from preceptor.study import Study
from preceptor.study.answers import _scored_labels, generate, shots
from preceptor.study.answers._greedy import greedy_generation
from preceptor.study.answers._scored_labels import CALIBRATED_ON, RuleCases, find_rule, rule_cases
from preceptor.study.cases import Prepared
from preceptor.study.expected_work import WorkContext
from preceptor.study.label_scores.scored import score_labels
from preceptor.study.predictions.answer_context import AnswerContext, Answerer, Answering
from preceptor.study.predictions.prediction_files import evaluate, read_note, read_predictions
from prepared_study import prepare_tiny

NUMERICS = Numerics(threads=1, dtype="float32")


@pytest.fixture
def studied(tmp_path: Path, tiny_tokenizer: Any) -> tuple[Study, Prepared]:
    return prepare_tiny(tmp_path, tiny_tokenizer, patients=120)


@pytest.fixture
def prepared(studied: tuple[Study, Prepared]) -> Prepared:
    return studied[1]


@pytest.fixture
def policy(tiny_source: Any) -> Policy:
    """The tiny model with larger weights: as it is drawn, it finds every label about as likely as any other."""
    return strong(tiny_source)


def strong(source: ModelSource) -> Policy:
    drawn = load_policy(source, None, dtype=torch.float32)
    with torch.no_grad():
        for weight in drawn.model.parameters():
            if weight.dim() > 1:
                weight *= 8
    return drawn


@pytest.fixture
def context(
    studied: tuple[Study, Prepared], tiny_source: ModelSource, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> AnswerContext:
    """The untouched model, as `base` and `base+shots` have it; it is the one with larger weights."""
    study, prepared = studied
    monkeypatch.setattr(AnswerContext, "load_policy", lambda _: policy)
    return AnswerContext(study, shots.Settings(count=2), prepared, tiny_source, NUMERICS, 0, None, "model")


def told(answerer: Answerer, done: frozenset[int] = frozenset()) -> list[dict[int, str]]:
    """The texts, batch by batch."""
    batches: list[dict[int, str]] = []
    answerer(done, lambda texts, *_, **__: batches.append(texts))
    return batches


def cell(answering: Answering, prepared: Prepared, folder: Path) -> tuple[list[Any], dict[str, Any]]:
    evaluate(answering, prepared, folder, "key", quiet)
    return read_predictions(folder), read_note(folder)


def log_probabilities(policy: Policy, prompt: list[int], labels: tuple[str, ...]) -> list[float]:
    """By another way: each label alone behind its prompt, nothing shared."""
    answers = [Encoded(prompt, encode_answer(policy.tokenizer, label)) for label in labels]
    with torch.no_grad():
        return [float(answer_logprobs(policy.model, [one], share=False)[0].sum()) for one in answers]


@pytest.mark.parametrize("way", [generate, shots])
def test_an_answer_is_the_label_of_the_highest_score_by_the_rule(
    context: AnswerContext, policy: Policy, tmp_path: Path, way: Any
) -> None:
    prepared, labels = context.task, context.task.task.labels
    answers, note = cell(way.answer(context), prepared, tmp_path / "cell")
    rule = note["label_rule"]
    cases = own_cases(prepared, policy) if way is generate else shots._cases(context)
    each = [log_probabilities(policy, prompt, labels) for prompt in cases.train]
    assert list(rule.means) == pytest.approx(torch.tensor(each).mean(0).tolist(), abs=1e-4)
    assert rule.probabilities_tau == rule.tau, "an untrained model's probabilities are calibrated as its answers are"
    prompts = prepared.test if way is generate else shots._shots(context).prompts
    for answer, prompt in zip(answers, prompts, strict=True):
        left = torch.tensor(log_probabilities(policy, prompt, labels)) - rule.tau * torch.tensor(rule.means)
        assert answer.answer == labels[int(left.argmax())]
        assert list(answer.scores.values()) == pytest.approx(left.softmax(0).tolist(), abs=1e-4)
    assert note["label_ties"] == 0
    assert note["form"]["cases"] == len(prepared.validation)


def test_probabilities_of_a_trained_arm_are_those_of_its_scores_as_they_are(prepared: Prepared, policy: Policy) -> None:
    cases = own_cases(prepared, policy)
    trained, _ = find_rule(policy, prepared.task, cases, NUMERICS, 256, trained=True)
    untrained, _ = find_rule(policy, prepared.task, cases, NUMERICS, 256, trained=False)
    assert (trained.tau, trained.means) == (untrained.tau, untrained.means)
    assert (trained.probabilities_tau, untrained.probabilities_tau) == (0.0, untrained.tau)


def own_cases(prepared: Prepared, policy: Policy) -> RuleCases:
    train, validation, gold = rule_cases(prepared, policy.tokenizer, 256)
    return RuleCases([prompt for prompt, _ in train], [prompt for prompt, _ in validation], gold)


def test_what_is_taken_away_is_chosen_on_validation_cases_alone(
    prepared: Prepared, policy: Policy, context: AnswerContext, tmp_path: Path
) -> None:
    """The model prefers one label everywhere; validation cases that show the other one often have it calibrated."""
    task, cases = prepared.task, own_cases(prepared, policy)
    scores = [log_probabilities(policy, prompt, task.labels) for prompt in cases.validation]
    plain = [task.labels[int(torch.tensor(row).argmax())] for row in scores]
    means = torch.tensor([log_probabilities(policy, prompt, task.labels) for prompt in cases.train]).mean(0)
    moved = [task.labels[int((torch.tensor(row) - means).argmax())] for row in scores]
    assert plain != moved, "the model must have a preference that can be taken away"
    taus = [
        find_rule(policy, task, replace(cases, gold=gold), NUMERICS, 256, trained=True)[0].tau
        for gold in (plain, moved)
    ]
    assert taus[0] == 0
    assert taus[1] > 0
    # Held-out cases with other labels, and fewer of them: the same rule.
    fewer = replace(prepared.splits, test=[replace(one, target=task.labels[0]) for one in prepared.splits.test[:5]])
    changed = replace(prepared, splits=fewer, test=prepared.test[:5], shown=prepared.shown[:5])
    notes = [
        cell(generate.answer(replace(context, task=one)), one, tmp_path / str(n))[1]
        for n, one in enumerate((prepared, changed))
    ]
    assert notes[0]["label_rule"] == notes[1]["label_rule"]
    assert notes[0]["form"] == notes[1]["form"]


@pytest.mark.parametrize("way", [generate, shots])
def test_the_key_names_the_cases_that_give_the_rule(context: AnswerContext, way: Any) -> None:
    splits = context.task.splits

    def key(**changed: Any) -> str:
        return str(way.key(replace(context, task=replace(context.task, splits=replace(splits, **changed)))))

    first, *others = splits.validation
    other = next(label for label in context.task.task.labels if label != first.target)
    keys = [
        key(),
        key(validation=[replace(first, target=other), *others]),
        key(validation=others),
        key(train=[replace(one, fields={**one.fields, "note": "seen at home"}) for one in splits.train]),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]
    assert way.key(replace(context, policy_key="another")) != keys[0]
    assert key(test=splits.test[1:]) == keys[0], "held-out cases are named beside it"


def test_a_text_task_keeps_its_key(context: AnswerContext) -> None:
    answer = context.task.task.answer.model_copy(update={"kind": "text", "parser": "text", "labels": {}})
    task = context.task.task.model_copy(update={"answer": answer})
    assert generate.key(replace(context, task=replace(context.task, task=task))) == "model"


def test_at_most_so_many_training_prompts_are_read_and_no_seed_draws_them(context: AnswerContext) -> None:
    train, validation, gold = rule_cases(context.task, strong_tokenizer(context), 256)
    assert len(context.task.splits.train) > CALIBRATED_ON == len(train)
    assert len({case.id for _, case in train}) == CALIBRATED_ON
    assert len({case.target for _, case in train}) == 2
    assert [case.id for _, case in validation] == [one.id for one in context.task.splits.validation]
    assert gold == [one.target for one in context.task.splits.validation]
    assert generate.key(replace(context, seed=1)) == generate.key(context)


def strong_tokenizer(context: AnswerContext) -> Any:
    return context.load_policy().tokenizer


def test_no_case_stands_in_front_of_itself(context: AnswerContext) -> None:
    prepared, tokenizer = context.task, strong_tokenizer(context)
    few = prepared.splits.train[:6]
    task = replace(prepared, splits=replace(prepared.splits, train=few))
    drawn = shots.draw_shots(task.task, few, 2, 0)
    train, _, _ = rule_cases(task, tokenizer, 256, drawn)
    assert {case.id for _, case in train} == {one.id for one in few} - {one.id for one in drawn}
    prompts = shots._cases(replace(context, task=task)).train
    assert len(prompts) == len(train)


def test_where_every_training_case_is_an_example_nothing_is_taken_away(context: AnswerContext, tmp_path: Path) -> None:
    two = context.task.splits.train[:2]
    task = replace(context.task, splits=replace(context.task.splits, train=two))
    _, note = cell(shots.answer(replace(context, task=task)), task, tmp_path / "cell")
    assert note["label_rule"].means == (0.0, 0.0)
    assert note["label_rule"].tau == 0


def test_without_validation_cases_nothing_is_taken_away(prepared: Prepared, policy: Policy) -> None:
    cases = replace(own_cases(prepared, policy), validation=[], gold=[])
    rule, form = find_rule(policy, prepared.task, cases, NUMERICS, 256, trained=True)
    assert (rule.tau, form) == (0.0, None)


@pytest.mark.parametrize("kind", ["labels", "words", "reasoning"])
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same(
    context: AnswerContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(_scored_labels, "BATCH_SIZE", 4)
    if kind == "reasoning":
        context = replace(context, task=reasoning(context.task))
    prepared = context.task

    def answering() -> Answering:
        if kind == "words":
            return Answering(greedy_generation(context.load_policy(), prepared.test, 6, rows=4))
        return generate.answer(context)

    batches = told(answering().answerer)
    assert len(batches) == -(-len(prepared.test) // 4)
    rest = told(answering().answerer, frozenset(batches[0]))
    assert rest == batches[1:]

    whole, whole_note = cell(answering(), prepared, tmp_path / "whole")
    killed = answering()

    def until_the_second(done: frozenset[int], on_batch: Any) -> None:
        def keep(texts: dict[int, str], *rest: Any, **named: Any) -> None:
            if not done and 0 not in texts and len(seen) == 2:
                raise KeyboardInterrupt
            seen.append(texts)
            on_batch(texts, *rest, **named)

        seen: list[dict[int, str]] = []
        killed.answerer(done, keep)

    with pytest.raises(KeyboardInterrupt):
        cell(replace(killed, answerer=until_the_second), prepared, tmp_path / "killed")
    again, note = cell(answering(), prepared, tmp_path / "killed")
    assert again == whole
    same = ("label_rule", "form", "label_ties", "without_marker")
    assert {name: note[name] for name in same} == {name: whole_note[name] for name in same}


def reasoning(prepared: Prepared) -> Prepared:
    answer = prepared.task.answer.model_copy(
        update={"parser": "final_answer", "marker": "Answer:", "max_new_tokens": 8}
    )
    return replace(prepared, task=prepared.task.model_copy(update={"answer": answer}))


def test_a_model_that_writes_no_marker_gets_it_put_there_and_this_is_counted(
    context: AnswerContext, tmp_path: Path
) -> None:
    context = replace(context, task=reasoning(context.task))
    task = context.task.task
    answers, note = cell(generate.answer(context), context.task, tmp_path / "cell")
    free = {
        i: text
        for batch in told(greedy_generation(context.load_policy(), context.task.test, 8))
        for i, text in batch.items()
    }
    assert note["without_marker"] == len(answers), "the model must not know the form"
    assert note["form"]["readable"] == 0
    for i, one in enumerate(answers):
        assert one.text == f"{free[i].strip()}\nAnswer: {one.answer}"
        assert one.answer in task.labels
        assert sum(one.scores.values()) == pytest.approx(1)


def test_labels_that_are_equally_likely_are_drawn_and_counted(context: AnswerContext, tmp_path: Path) -> None:
    policy = context.load_policy()
    labels = ("yes", "no", "stage", "nurse", "system", "user")
    lengths = {label: len(encode_answer(policy.tokenizer, label)) for label in labels}
    same = [label for label, length in lengths.items() if length == lengths["yes"]]
    assert len(same) > 2, "labels of one length are needed for a tie"
    answer = context.task.task.answer.model_copy(update={"labels": dict.fromkeys(same, "a label")})
    examples = {
        part: [replace(one, target=same[n % 2]) for n, one in enumerate(getattr(context.task.splits, part))]
        for part in ("train", "validation", "test")
    }
    task = replace(
        context.task,
        task=context.task.task.model_copy(update={"answer": answer}),
        splits=replace(context.task.splits, **examples),
    )
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.zero_()  # every token is as likely as any other
    answers, note = cell(generate.answer(replace(context, task=task)), task, tmp_path / "cell")
    assert note["label_ties"] == len(answers) == len(task.test)
    assert len({one.answer for one in answers}) > 1, "the first label was favoured"


def test_a_note_of_a_version_without_scores_says_that_answers_were_written(tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text(json.dumps({"key": "k", "evaluation_seconds": 1.0}))
    note = read_note(tmp_path)
    assert (note["label_rule"], note["form"], note["without_marker"]) == (None, None, 0)


@pytest.mark.parametrize(
    "damage",
    [{"label_rule": {"tau": 7}}, {"label_rule": 1}, {"without_marker": "x"}, {"threshold": "x"}, {"threshold": 7}],
)
def test_a_note_that_is_damaged_is_named(tmp_path: Path, damage: dict[str, Any]) -> None:
    (tmp_path / "cell.json").write_text(json.dumps({"key": "k", "evaluation_seconds": 1.0} | damage))
    with pytest.raises(InputError, match="is damaged"):
        read_note(tmp_path)


@pytest.mark.parametrize("kind", ["labels", "reasoning"])
def test_the_plan_counts_every_part_of_the_work(
    studied: tuple[Study, Prepared], policy: Policy, context: AnswerContext, kind: str
) -> None:
    study, prepared = studied
    if kind == "reasoning":
        prepared = reasoning(prepared)
    cases = own_cases(prepared, policy)
    planned = generate.work(WorkContext(study, None, prepared, policy.model, shares=True))
    parts = [cases.train, cases.validation, prepared.test]
    done = [score_labels(policy, prepared.task, part, NUMERICS, 256, [""] * len(part)) for part in parts]
    tokens = sum(unit.repeats * unit.tokens for unit in planned if unit.kind == "score")
    assert tokens == pytest.approx(sum(one.cost.tokens_computed for one in done), rel=0.2)
    written = sum(unit.seen for unit in planned if unit.kind == "read")
    asked = [cases.validation] if kind == "labels" else parts
    assert written == pytest.approx(sum(len(prompt) for part in asked for prompt in part), rel=0.05)
