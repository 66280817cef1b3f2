"""From a case to token ids that fit: the one field a task allows is cut in its middle, nothing else ever is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from preceptor.errors import InputError, Problem
from preceptor.models import Encoded, encode
from preceptor.tasks import Example, Task

CUT_MARK = " [...] "

# A field cut to less than this says nothing any more, so the case is refused instead.
FEWEST_KEPT_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """Token ids of one case, how many tokens of the cut field were taken out (0 = none), and the case so shortened."""

    encoded: Encoded
    cut_tokens: int
    shown: Example


@dataclass(frozen=True, slots=True)
class FittedPair:
    """A chosen and a rejected answer after the very same prompt; `cut_tokens` as in `Fitted`."""

    chosen: Encoded
    rejected: Encoded
    cut_tokens: int


class TooLong(InputError):  # noqa: N818 - the name says it
    """A case that cannot fit even when everything that may be cut is cut; names the case, never shows it."""

    def __init__(self, case_id: str, tokens: int, limit: int, fix: str) -> None:
        self.case_id, self.tokens, self.limit = case_id, tokens, limit
        super().__init__(Problem(f"case {case_id}", f"it needs {tokens} tokens, the limit is {limit}", fix))


def fit(
    task: Task, example: Example, tokenizer: Any, max_length: int, answer: str | None = None, max_new_tokens: int = 0
) -> Fitted:
    """Encode the prompt of `example` and `answer` (stop token included) in at most `max_length` tokens.

    Room is kept for `answer` or for `max_new_tokens` still to be generated, whichever is longer.
    `task.cut` names the one field that may be shortened; instruction, template, answer and stop token stay whole.
    Raises `TooLong` when that is not enough, `InputError` when the chat template refuses the case's turns.
    """
    (encoded,), cut_tokens, shown = _fit_answers(task, example, tokenizer, max_length, [answer], max_new_tokens)
    return Fitted(encoded, cut_tokens, shown)


def fit_pair(task: Task, example: Example, tokenizer: Any, max_length: int, chosen: str, rejected: str) -> FittedPair:
    """Encode two answers after one prompt, cut (if at all) so that the longer of them fits. Raises `TooLong`."""
    (first, second), cut_tokens, _ = _fit_answers(task, example, tokenizer, max_length, [chosen, rejected], 0)
    return FittedPair(first, second, cut_tokens)


def _fit_answers(
    task: Task, example: Example, tokenizer: Any, limit: int, answers: Sequence[str | None], reserve: int
) -> tuple[list[Encoded], int, Example]:
    encoded = _encode_all(task, example, tokenizer, answers)
    needed = _tokens_needed(encoded, reserve)
    if needed <= limit:
        return encoded, 0, example
    text = _text_that_may_be_cut(task, example)
    if text is None:
        raise TooLong(example.id, needed, limit, _no_cut_advice(task, needed))

    # The whole field is tokenised once, with the characters each token covers. From here on only texts
    # that nearly fit are tokenised, so a note of 100,000 tokens costs no more than reading it.
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    bare = _tokens_needed(_encode_all(task, _with_field(example, task, CUT_MARK), tokenizer, answers), reserve)
    kept = min(limit - bare, len(spans) - 1)
    while kept >= FEWEST_KEPT_TOKENS:
        shorter = _with_field(example, task, cut_middle(text, spans, kept))
        encoded = _encode_all(task, shorter, tokenizer, answers)
        over = _tokens_needed(encoded, reserve) - limit
        if over <= 0:
            return encoded, len(spans) - kept, shorter
        kept -= over  # tokens can merge differently at the seams, so a cut may have to be a little deeper
    # Above the limit in any case: what merged at the seams can make the second sum too small.
    least = min(tokens for tokens in (needed, bare + FEWEST_KEPT_TOKENS) if tokens > limit)
    raise TooLong(example.id, least, limit, f"Set max_length to {least} or more, or shorten what may not be cut.")


def cut_middle(text: str, spans: Sequence[tuple[int, int]], kept: int) -> str:
    """Keep the first and the last half of `kept` tokens of `text`; `spans` holds each token's (start, end) character.

    The first half gets the odd token. The middle becomes a short mark.
    """
    tail = kept // 2
    head = kept - tail
    start = text[: spans[head - 1][1]].rstrip()
    end = text[spans[-tail][0] :].lstrip() if tail else ""
    return f"{start}{CUT_MARK}{end}"


def _encode_all(task: Task, example: Example, tokenizer: Any, answers: Sequence[str | None]) -> list[Encoded]:
    messages = cast("list[dict[str, str]]", task.messages(example))
    try:
        return [encode(tokenizer, messages, answer) for answer in answers]
    except InputError as error:  # the template refuses the turns; only here is it known whose they are
        raise InputError([replace(one, where=f"case {example.id}") for one in error.problems]) from error


def _tokens_needed(encoded: Sequence[Encoded], reserve: int) -> int:
    return len(encoded[0].prompt) + max(reserve, *(len(one.answer) for one in encoded))


def _text_that_may_be_cut(task: Task, example: Example) -> str | None:
    if task.cut is None or example.prompt is not None:
        return None
    return example.fields.get(task.cut)


def _with_field(example: Example, task: Task, text: str) -> Example:
    return replace(example, fields={**example.fields, str(task.cut): text})


def _no_cut_advice(task: Task, needed: int) -> str:
    return f"Set max_length to {needed} or more, shorten the case, or name a field under `cut:` in task {task.name}."
