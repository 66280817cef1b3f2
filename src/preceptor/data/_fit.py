"""Tokenize a case within `max_length`: only the field named by the task is truncated, in its middle or at its start."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from preceptor.data._problems import short_id
from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Task
from preceptor.text_pieces import as_lines

if TYPE_CHECKING:
    from preceptor.models import Encoded

TRUNCATION_MARK = " [...] "

# A field truncated to fewer tokens is useless, so the case is rejected instead.
MIN_KEPT_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """Token ids of one case, the number of truncated tokens (0 = none), and the case after truncation."""

    encoded: "Encoded"
    truncated_tokens: int
    example: Example


@dataclass(frozen=True, slots=True)
class FittedPair:
    """A chosen and a rejected answer after the same prompt; `truncated_tokens` as in `Fitted`."""

    chosen: "Encoded"
    rejected: "Encoded"
    truncated_tokens: int


class TooLong(InputError):  # noqa: N818 - the name says it
    """A case that does not fit even after truncation; names its id, never its text."""

    def __init__(self, case_id: str, tokens: int, limit: int, fix: str) -> None:
        self.case_id, self.tokens, self.limit = case_id, tokens, limit
        super().__init__(Problem(f"case {short_id(case_id)}", f"it needs {tokens} tokens, the limit is {limit}", fix))


def fit(
    task: Task, example: Example, tokenizer: Any, max_length: int, answer: str | None = None, max_new_tokens: int = 0
) -> Fitted:
    """Encode the prompt of `example` and `answer` (stop token included) in at most `max_length` tokens.

    Reserves the longer of `answer` and `max_new_tokens`, which are still to be generated. Only the field `task.cut` is
    truncated, where `task.cut_at` says; instruction, template, answer and stop token are not. Raises `TooLong` when the
    case does not fit, `InputError` when the chat template rejects the case's messages.
    """
    (encoded,), count, truncated = _fit_answers(task, example, tokenizer, max_length, [answer], max_new_tokens)
    return Fitted(encoded, count, truncated)


def fit_pair(task: Task, example: Example, tokenizer: Any, max_length: int, chosen: str, rejected: str) -> FittedPair:
    """Encode two answers after one prompt, truncated for the longer of them. Raises `TooLong`."""
    (first, second), truncated_tokens, _ = _fit_answers(task, example, tokenizer, max_length, [chosen, rejected], 0)
    return FittedPair(first, second, truncated_tokens)


def _fit_answers(
    task: Task, example: Example, tokenizer: Any, limit: int, answers: Sequence[str | None], reserve: int
) -> tuple["list[Encoded]", int, Example]:
    encoded = _encode_all(task, example, tokenizer, answers)
    needed = _tokens_needed(encoded, reserve)
    if needed <= limit:
        return encoded, 0, example
    text = _truncatable_text(task, example)
    if text is None:
        fix = f"Set max_length to {needed} or more, shorten the case, or name a field under `cut:` in task {task.name}."
        raise TooLong(example.id, needed, limit, fix)

    if task.cut_at == "start":
        return _without_first_lines(task, example, text, tokenizer, limit, answers, reserve)
    # The whole field is tokenised once, with offsets. After that only texts that nearly fit are tokenised, so that
    # truncation of a very long note stays linear in its length.
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    empty = _with_field(example, task, TRUNCATION_MARK)
    overhead = _tokens_needed(_encode_all(task, empty, tokenizer, answers), reserve)
    kept = min(limit - overhead, len(spans) - 1)
    while kept >= MIN_KEPT_TOKENS:
        truncated = _with_field(example, task, truncate_middle(text, spans, kept))
        encoded = _encode_all(task, truncated, tokenizer, answers)
        excess = _tokens_needed(encoded, reserve) - limit
        if excess <= 0:
            return encoded, len(spans) - kept, truncated
        kept -= excess  # tokens can merge differently at the seams: truncate a little more
    # Above the limit in any case: merges at the seams can make the second sum too small.
    minimum = min(tokens for tokens in (needed, overhead + MIN_KEPT_TOKENS) if tokens > limit)
    raise TooLong(example.id, minimum, limit, f"Set max_length to {minimum} or more, or shorten what may not be cut.")


def _without_first_lines(
    task: Task, example: Example, text: str, tokenizer: Any, limit: int, answers: Sequence[str | None], reserve: int
) -> tuple["list[Encoded]", int, Example]:
    """The case with as few of the field's first lines taken away as must be; the last line stays."""
    lines = text.splitlines(keepends=True)  # pieces of a text end as lines do

    def without(first: int) -> Example:
        return _with_field(example, task, "".join([f"{TRUNCATION_MARK.strip()}\n", *lines[first:]]))

    def needed(first: int) -> int:
        return _tokens_needed(_encode_all(task, without(first), tokenizer, answers), reserve)

    last = len(lines) - 1
    if last < 1 or needed(last) > limit:
        fix = f"Set max_length higher, or shorten the last line of {task.cut}, which may not be cut."
        raise TooLong(example.id, _tokens_needed(_encode_all(task, example, tokenizer, answers), reserve), limit, fix)
    first = bisect_left(range(last), True, lo=1, key=lambda one: needed(one) <= limit)
    shown = without(first)
    gone = len(tokenizer("".join(lines[:first]), add_special_tokens=False)["input_ids"])
    return _encode_all(task, shown, tokenizer, answers), gone, shown


def truncate_middle(text: str, spans: Sequence[tuple[int, int]], kept: int) -> str:
    """Replace the middle of `text` by a mark: keep its first and last `kept` / 2 tokens, the odd one in the first half.

    spans: each token's (start, end) character offsets.
    """
    tail = kept // 2
    head = kept - tail
    start = text[: spans[head - 1][1]].rstrip()
    end = text[spans[-tail][0] :].lstrip() if tail else ""
    return f"{start}{TRUNCATION_MARK}{end}"


def _encode_all(task: Task, example: Example, tokenizer: Any, answers: Sequence[str | None]) -> "list[Encoded]":
    from preceptor.models import encode, reads_pieces  # brings PyTorch, which reading a table does not need

    messages = cast("list[dict[str, str]]", task.messages(example))
    if not reads_pieces(tokenizer):
        messages = [{**turn, "content": as_lines(turn["content"])} for turn in messages]
    try:
        return [encode(tokenizer, messages, answer) for answer in answers]
    except InputError as error:  # the chat template rejects the messages; add the case id
        raise InputError([replace(one, where=f"case {short_id(example.id)}") for one in error.problems]) from error


def _tokens_needed(encoded: "Sequence[Encoded]", reserve: int) -> int:
    return len(encoded[0].prompt) + max(reserve, *(len(one.answer) for one in encoded))


def _truncatable_text(task: Task, example: Example) -> str | None:
    if task.cut is None or example.prompt is not None:
        return None
    return example.fields.get(task.cut)


def _with_field(example: Example, task: Task, text: str) -> Example:
    return replace(example, fields={**example.fields, str(task.cut): text})
