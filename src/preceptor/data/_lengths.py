"""Token lengths of the cases: which are truncated, and which do not fit in `max_length`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from preceptor.data._finding import Finding
from preceptor.data._fit import Fitted, FittedPair, TooLong, fit, fit_pair
from preceptor.errors import InputError, Problem
from preceptor.tasks import Example, Split, Task

if TYPE_CHECKING:
    from preceptor.models import Encoded


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of prompt, answer and stop token after truncation, and how much was truncated (`cases_cut`, `tokens_cut`).

    Test cases count `max_new_tokens` instead of the answer.
    """

    shortest: int
    median: int
    p95: int
    longest: int
    total: int
    cases_cut: int
    tokens_cut: int


def measure(
    task: Task, split: Split, examples: Sequence[Example], tokenizer: Any, max_length: int
) -> tuple[Lengths, list[Finding]]:
    """Tokenize every case as training (for `test`: generation) will; report truncated, too long and rejected cases."""
    lengths: list[int] = []
    cut: dict[str, int] = {}
    too_long: dict[str, TooLong] = {}
    rejected: dict[str, Problem] = {}
    unwritable: dict[str, int] = {}
    reserve = task.answer.max_new_tokens if split == "test" else 0
    for example in examples:
        try:
            fitted = _fit(task, split, example, tokenizer, max_length)
        except TooLong as error:
            too_long[example.id] = error
            continue
        except InputError as error:
            rejected[example.id] = error.problems[0]
            continue
        lengths.append(_tokens(fitted, reserve))
        if task.set_labels and (answer := len(_encoded(fitted).answer)) > task.answer.max_new_tokens:
            unwritable[example.id] = answer
        if fitted.truncated_tokens:
            cut[example.id] = fitted.truncated_tokens
    found = list(_findings(split, task, len(examples), cut, too_long, rejected))
    return _summary(lengths, cut), [*found, *_unwritable(split, task, unwritable)]


def _fit(task: Task, split: str, example: Example, tokenizer: Any, max_length: int) -> Fitted | FittedPair:
    if split == "test":
        return fit(task, example, tokenizer, max_length, max_new_tokens=task.answer.max_new_tokens)
    if example.rejected is not None:
        return fit_pair(task, example, tokenizer, max_length, example.learned, example.rejected)
    return fit(task, example, tokenizer, max_length, example.learned)


def _tokens(fitted: Fitted | FittedPair, reserve: int) -> int:
    encoded = _encoded(fitted)
    return len(encoded.prompt) + max(len(encoded.answer), reserve)


def _encoded(fitted: Fitted | FittedPair) -> "Encoded":
    return fitted.encoded if isinstance(fitted, Fitted) else fitted.chosen


def _unwritable(split: Split, task: Task, answers: dict[str, int]) -> Iterator[Finding]:
    """Sets of labels that an arm which writes could not finish: the last label would be cut, and so an unknown one."""
    if answers:
        what = (
            f"the right answer takes up to {max(answers.values())} tokens, and what is written ends after "
            f"{task.answer.max_new_tokens}"
        )
        fix = "Raise `answer.max_new_tokens` in the task file."
        yield Finding("answer_cut", "warning", f"{split} cases", what, fix, tuple(answers), split)


def _summary(lengths: Sequence[int], cut: dict[str, int]) -> Lengths:
    if not lengths:
        return Lengths(0, 0, 0, 0, 0, 0, 0)
    shortest, median, p95, longest = (round(float(q)) for q in np.percentile(lengths, [0, 50, 95, 100]))
    return Lengths(shortest, median, p95, longest, sum(lengths), len(cut), sum(cut.values()))


def _findings(
    split: Split,
    task: Task,
    cases: int,
    cut: dict[str, int],
    too_long: dict[str, TooLong],
    rejected: dict[str, Problem],
) -> Iterator[Finding]:
    where = f"{split} cases"
    if cut:
        place = "of its first lines" if task.cut_at == "start" else "in its middle"
        what = f"field {task.cut} is cut {place} in {len(cut)} of {cases} cases, {max(cut.values())} tokens at most"
        yield Finding("cut", "warning", where, what, "Set max_length higher to keep them whole.", tuple(cut), split)
    if too_long:
        longest = max(too_long.values(), key=lambda error: error.tokens)
        what = f"cannot fit: up to {longest.tokens} tokens are needed, the limit is {longest.limit}"
        yield Finding("too_long", "fatal", where, what, longest.problems[0].fix, tuple(too_long), split)
    if rejected:
        first = next(iter(rejected.values()))
        yield Finding("template_refuses", "fatal", where, first.what, first.fix, tuple(rejected), split)
