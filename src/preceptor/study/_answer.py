"""How the models answer held-out cases: in their own words, or held to the task's labels."""

import re
from collections.abc import Callable, Sequence

from preceptor.engine import Numerics, generate, score_answers
from preceptor.models import Policy, encode, stop_tokens
from preceptor.tasks import INVALID, Task

Keep = Callable[[dict[int, str]], None]
"""Called after each batch with the answers' texts by the number of their case."""

Answerer = Callable[[frozenset[int], Keep], None]
"""Answers every held-out case that is not done. Batches are always the same, so that a run that was killed goes on."""

_NO_PROMPT = [{"role": "user", "content": ""}]
"""Answers are tokenised apart from their prompt, so any prompt gives the same ids."""

_ROWS = 32


def in_own_words(policy: Policy, prompts: Sequence[list[int]], max_new_tokens: int, *, rows: int = _ROWS) -> Answerer:
    """Greedy text, as every trained arm answers."""

    def answer(done: frozenset[int], keep: Keep) -> None:
        def read(batch: list[int], answers: list[list[int]]) -> None:
            texts = [policy.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
            keep(dict(zip(batch, texts, strict=True)))

        generate(
            policy,
            prompts,
            max_new_tokens=max_new_tokens,
            stop=stop_tokens(policy.tokenizer),
            rows=rows,
            done=done,
            on_batch=read,
        )

    return answer


def held_to_labels(
    policy: Policy, task: Task, prompts: Sequence[list[int]], numerics: Numerics, max_length: int, *, rows: int = _ROWS
) -> Answerer:
    """Always one of the task's labels: the answer that the model finds likeliest.

    Where the label ends a line of reasoning, the model reasons in its own words first; only when these end in no
    label is one chosen for it, by how likely each is behind what it wrote.
    """

    def choose(batch: Sequence[int], stems: Sequence[str]) -> dict[int, str]:
        texts = [[stem + label for label in task.labels] for stem in stems]
        candidates = [[encode(policy.tokenizer, _NO_PROMPT, text).answer for text in row] for row in texts]
        scores, _ = score_answers(policy, [prompts[i] for i in batch], candidates, numerics)
        return {i: row[values.index(max(values))] for i, row, values in zip(batch, texts, scores, strict=True)}

    def choose_label(done: frozenset[int], keep: Keep) -> None:
        for start in range(0, len(prompts), rows):
            batch = range(start, min(start + rows, len(prompts)))
            if not done.issuperset(batch):
                keep(choose(batch, [""] * len(batch)))

    def reason_then_choose(done: frozenset[int], keep: Keep) -> None:
        longest = max(len(encode(policy.tokenizer, _NO_PROMPT, _stem("", task) + one).answer) for one in task.labels)

        def end_in_label(texts: dict[int, str]) -> None:
            unread = [i for i, text in texts.items() if task.parse(text) == INVALID]
            rooms = [max_length - len(prompts[i]) - longest for i in unread]
            stems = [_stem(_shortened(policy, texts[i], room), task) for i, room in zip(unread, rooms, strict=True)]
            keep(texts | (choose(unread, stems) if unread else {}))

        in_own_words(policy, prompts, task.answer.max_new_tokens, rows=rows)(done, end_in_label)

    return reason_then_choose if task.answer.parser == "final_answer" else choose_label


def _stem(text: str, task: Task) -> str:
    """What was written before its last marker, and the marker, so that a label can follow."""
    markers = list(re.finditer(re.escape(task.answer.marker), text, re.IGNORECASE))
    reasoning = (text[: markers[-1].start()] if markers else text).strip()
    return f"{reasoning}\n{task.answer.marker} " if reasoning else f"{task.answer.marker} "


def _shortened(policy: Policy, text: str, room: int) -> str:
    """The first `room` tokens of `text`."""
    spans = policy.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(spans) <= room else text[: spans[room - 1][1]] if room > 0 else ""
