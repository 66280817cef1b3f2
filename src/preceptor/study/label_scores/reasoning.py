"""What stands before a label that ends an answer: the model's own reasoning, up to the marker that it follows."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from torch import Tensor

from preceptor.engine import Cost, generate
from preceptor.models import Policy, encode_answer, stop_tokens
from preceptor.tasks import Task

_MARKUP = "[*`]*"
"""Signs that reading an answer leaves out, also within a marker."""


def write_reasoning(
    policy: Policy, task: Task, prompts: Sequence[list[int]], unwanted: Callable[[int], bool] | None = None
) -> tuple[list[str], Cost]:
    """Greedy text for each prompt, which ends with the marker, where the answer ends, or after the task's longest.

    A prompt that is `unwanted` by now, by its number, gets no further token.
    """
    tokenizer, marker = policy.tokenizer, _marker(task)
    reach = len(task.answer.marker.encode()) + 8  # tokens that hold a marker, as each has a byte of it
    written: dict[int, list[int]] = defaultdict(list)
    texts: dict[int, str] = {}

    def ends(ids: list[int]) -> bool:
        return marker.search(tokenizer.decode(ids[-reach:])) is not None

    def at_marker(numbers: list[int], tokens: list[int], _: Tensor) -> list[int]:
        for number, token in zip(numbers, tokens, strict=True):
            written[number].append(token)
        return [number for number in numbers if (unwanted and unwanted(number)) or ends(written[number])]

    def keep(batch: list[int], answers: list[list[int]]) -> None:
        for number, ids in zip(batch, answers, strict=True):
            texts[number] = tokenizer.decode(ids, skip_special_tokens=True)

    cost = generate(
        policy,
        prompts,
        max_new_tokens=task.answer.max_new_tokens,
        stop=stop_tokens(tokenizer),
        on_batch=keep,
        on_token=at_marker,
    )
    return [texts[number] for number in range(len(prompts))], cost


def has_marker(text: str, task: Task) -> bool:
    """Whether the text holds the task's marker."""
    return _marker(task).search(text) is not None


def stem(policy: Policy, text: str, task: Task, max_tokens: int) -> str:
    """`text` up to its first marker, as a label can follow it; without one, the marker is put behind all of it.

    It is shortened at its end until every label fits behind it in `max_tokens` tokens, the stop token included.
    """
    if found := _marker(task).search(text):
        text = text[: found.end()]
    spans = policy.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    kept = len(spans)
    while True:
        shown = _stem(text if kept == len(spans) else text[: spans[kept - 1][1]] if kept else "", task)
        excess = max(len(encode_answer(policy.tokenizer, shown + label)) for label in task.labels) - max_tokens
        if excess <= 0 or not kept:
            return shown
        kept = max(0, kept - excess)


def _stem(text: str, task: Task) -> str:
    reasoning, marker = text.strip(), task.answer.marker.rstrip()
    if has_marker(reasoning, task):
        return f"{reasoning} "
    return f"{reasoning}\n{marker} " if reasoning else f"{marker} "


def _marker(task: Task) -> re.Pattern[str]:
    """Finds the marker; a space at its end may be missing, as behind the last word of a text."""
    return re.compile(_MARKUP.join(map(re.escape, task.answer.marker.rstrip())) + _MARKUP, re.IGNORECASE)
