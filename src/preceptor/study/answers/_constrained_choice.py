"""Answers that are always one of the task's labels: the one that the model finds likeliest."""

import re
from collections.abc import Sequence

from scipy.special import softmax

from preceptor.engine import Numerics, likeliest, score_answers
from preceptor.models import Policy, encode_answer
from preceptor.study.answers.generate import BATCH_SIZE, greedy_generation
from preceptor.study.predictions.answer_context import Answerer, OnBatch, Scores
from preceptor.tasks import INVALID, Task


def constrained_choice(
    policy: Policy,
    task: Task,
    prompts: Sequence[list[int]],
    numerics: Numerics,
    max_length: int,
    *,
    rows: int = BATCH_SIZE,
) -> Answerer:
    """Always one of the task's labels: the answer that the model finds likeliest.

    Where the label ends a line of reasoning, the model writes it by greedy generation first; only when this ends in no
    label is one chosen, by how likely each is behind what it wrote. Where no reasoning comes first, every case has as
    scores how likely each label is among the labels.
    """

    def choose(batch: Sequence[int], stems: Sequence[str]) -> tuple[dict[int, str], int, dict[int, Scores]]:
        texts = [[stem + label for label in task.labels] for stem in stems]
        candidates = [[encode_answer(policy.tokenizer, text) for text in row] for row in texts]
        scores, _ = score_answers(policy, [prompts[i] for i in batch], candidates, numerics)
        chosen = [likeliest(values, prompts[i]) for i, values in zip(batch, scores, strict=True)]
        answers = {i: row[one.index] for i, row, one in zip(batch, texts, chosen, strict=True)}
        shares = [dict(zip(task.labels, softmax(values).tolist(), strict=True)) for values in scores]
        return answers, sum(one.tied for one in chosen), dict(zip(batch, shares, strict=True))

    def choose_label(done: frozenset[int], on_batch: OnBatch) -> None:
        for start in range(0, len(prompts), rows):
            batch = range(start, min(start + rows, len(prompts)))
            if not done.issuperset(batch):
                on_batch(*choose(batch, [""] * len(batch)))

    def reason_then_choose(done: frozenset[int], on_batch: OnBatch) -> None:
        def end_in_label(texts: dict[int, str], label_ties: int = 0, scores: object = None) -> None:
            unread = [i for i, text in texts.items() if task.parse(text) == INVALID]
            stems = [_fitting_stem(policy, texts[i], task, max_length - len(prompts[i])) for i in unread]
            chosen, ties, _ = choose(unread, stems) if unread else ({}, 0, {})
            on_batch(texts | chosen, label_ties + ties)

        greedy_generation(policy, prompts, task.answer.max_new_tokens, rows=rows)(done, end_in_label)

    return reason_then_choose if task.answer.parser == "final_answer" else choose_label


def _stem(text: str, task: Task) -> str:
    """What was written before its last marker, and the marker, so that a label can follow."""
    markers = list(re.finditer(re.escape(task.answer.marker), text, re.IGNORECASE))
    reasoning = (text[: markers[-1].start()] if markers else text).strip()
    return f"{reasoning}\n{task.answer.marker} " if reasoning else f"{task.answer.marker} "


def _fitting_stem(policy: Policy, text: str, task: Task, max_tokens: int) -> str:
    """The stem of `text`, shortened at its end until each label fits behind it in `max_tokens` tokens."""
    spans = policy.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    kept = len(spans)
    while True:
        stem = _stem(text[: spans[kept - 1][1]] if kept else "", task)
        excess = max(len(encode_answer(policy.tokenizer, stem + label)) for label in task.labels) - max_tokens
        if excess <= 0 or not kept:
            return stem
        kept = max(0, kept - excess)
